import { type Operation, type PlannedTransaction, registerId, SystemFault } from "../core/index.ts";
import { CommitGroup, Directories, faultIn, isSyncFailure } from "../system/index.ts";
import { Delivery, JournalFailed, Undecided } from "./delivery.ts";
import { Judge } from "./judge.ts";
import { keepBefore, keepRemote } from "./keep.ts";
import { stagesOf } from "./order.ts";
import { type Act, Book, type Direction, type Outcome, type Todo } from "./pass-book.ts";
import { Sagas, type TakeBack, unitsOf } from "./saga.ts";
import { dropAll, gidOf, isDecided, twoPhaseOf, voted } from "./two-phase.ts";
import type { Work } from "./work.ts";

/** Most actions that commit together. */
const GROUP_LIMIT = 1000;

/** Apply, resume and revert: sets every step, stage by stage, under the three-way check and the journal. */
export async function setAll(work: Work, todo: readonly Todo[], direction: Direction): Promise<Outcome> {
  return new Pass(work, todo, direction).run();
}

/** Takes steps back, in the order computed for the swapped changes. */
export const takeBack: TakeBack = (work, todo) => setAll(work, todo, "back");

class Pass {
  private readonly work: Work;
  private readonly todo: readonly Todo[];
  private readonly book: Book;
  private readonly judge: Judge;
  private readonly directories: Directories;
  private readonly delivery: Delivery;
  private readonly sagas: Sagas;
  private readonly tempPrefix: string;
  private warned = false;
  private readonly lives: number[] = [];
  private readonly moved = new Set<number>();
  private readonly again: Todo[] = [];

  constructor(work: Work, todo: readonly Todo[], direction: Direction) {
    this.work = work;
    this.todo = todo;
    this.book = new Book(work, todo, direction);
    this.judge = new Judge(this.book);
    this.directories = new Directories(work.tools.system);
    this.delivery = new Delivery(this.book);
    this.sagas = new Sagas(this.book, takeBack);
    this.tempPrefix = work.tools.state.keys().tempPrefix(work.run.run);
  }

  async run(): Promise<Outcome> {
    const { work, todo } = this;
    const { direction } = this.book;
    work.willDo(todo.length);
    try {
      const unchecked = await this.sagas.unchecked();
      if (unchecked !== undefined) return unchecked;
      for (const stage of stagesOf(todo, direction, work.tools.kinds, unitsOf(work))) {
        // What is decided together is one group, however large.
        const limit = stage.some(({ n }) => twoPhaseOf(work, n) !== undefined) ? stage.length : GROUP_LIMIT;
        for (let from = 0; from < stage.length; from += limit) {
          if (work.tools.stopped()) this.book.halted = true;
          const group = stage.slice(from, from + limit);
          if (this.book.halted) {
            for (const step of group) this.book.end(step, "pending");
            continue;
          }
          await this.group(group);
          const stuck = await this.sagas.after(group);
          if (stuck !== undefined) return stuck;
        }
      }
    } catch (thrown) {
      const fatal = faultIn(thrown);
      if (fatal === undefined) throw thrown;
      return { halted: true, fatal, revert: false };
    } finally {
      this.directories.trim(0);
    }
    const { halted, wantsRevert: revert, refused } = this.book;
    return { halted: halted || refused.length > 0, revert, ...(refused.length > 0 && { refused }) };
  }

  /** One group: read, decide, prepare, make durable, journal, commit, make durable, journal. */
  private async group(steps: readonly Todo[], attempt = 0): Promise<void> {
    const ready = this.judge.ready(steps.filter((step) => !this.book.isBlocked(step)));
    const found = await this.judge.readNow(ready);
    const acts: Act[] = [];
    const settled: { step: Todo; sync: readonly Operation[] }[] = [];
    for (const step of ready) {
      const state = found.get(step.n);
      if (state === undefined) continue;
      const act = await this.judge.decide(step, state, found);
      if (act === "settled") settled.push({ step, sync: this.judge.syncOf(step, state) });
      else if (act !== undefined) acts.push(act);
    }
    const transaction = this.book.direction === "back" || steps[0] === undefined ? undefined : twoPhaseOf(this.work, steps[0].n);
    const decided = transaction !== undefined && isDecided(this.work, transaction);
    // What is decided is done as far as it can be, whatever became of the others.
    if (this.book.halted && !decided) {
      for (const { step } of acts) this.book.end(step, "pending");
      acts.length = 0;
    }
    if (transaction !== undefined && !decided && steps.some(({ n }) => this.book.bad.has(n))) {
      dropAll(this.book, transaction, acts, undefined);
      acts.length = 0;
    }
    await this.perform(acts, settled, attempt, transaction);
  }

  private async perform(
    acts: readonly Act[],
    settled: readonly { step: Todo; sync: readonly Operation[] }[],
    attempt: number,
    transaction: PlannedTransaction | undefined,
  ): Promise<void> {
    const { work } = this;
    if (acts.length === 0 && settled.every(({ sync }) => sync.length === 0)) {
      this.book.recordSettled(settled.map(({ step }) => step));
      return;
    }
    const group = new CommitGroup({
      system: work.tools.system,
      contents: work.tools.contents,
      accounts: work.tools.reader.accounts,
      directories: this.directories,
      tempPrefix: this.tempPrefix,
      remotes: work.tools.remotes,
      keep: (digest, path, stat) => keepBefore(work, digest, path, stat.size),
      keepContent: (digest) => keepRemote(work, digest),
      lastStat: (path) => work.tools.reader.lastStat(path),
      placed: (path, content, stat) => work.tools.reader.remember(path, content, stat),
      live: (action) => this.live(action),
      warn: (text) => this.warn(text),
    });
    try {
      group.keepAttributesOf(
        acts.flatMap((act) =>
          act.operations.flatMap((operation) => (operation.do === "replaceFile" && operation.over === "file" ? [operation.path] : [])),
        ),
      );
      const ready = await this.prepareAll(group, acts, transaction);
      await group.syncBefore();
      work.folder.before.flush();
      work.folder.after.flush();
      this.book.recordIntents(ready);
      const able = transaction === undefined || ready.length === 0 ? ready : await voted(this.book, transaction, ready);
      const done = await this.commitAll(group, able, settled);
      await group.syncAfter();
      this.book.recordDone(done);
      this.book.recordSettled(settled.map(({ step }) => step));
    } finally {
      group.close();
      this.closeLives();
    }
    await this.retryFailed(acts, attempt);
    // Somebody changed these just now: they are judged once more by what stands there.
    const again = this.again.splice(0);
    if (again.length > 0) await this.group(again, attempt);
  }

  /** Prepares all; under `stop` one that fails abandons the whole group, before any intent. */
  private async prepareAll(group: CommitGroup, acts: readonly Act[], transaction: PlannedTransaction | undefined): Promise<readonly Act[]> {
    const ready: Act[] = [];
    for (const act of acts) {
      const { step } = act;
      const own = this.work.run.steps.get(step.n);
      const context = {
        action: step.n,
        attempt: (this.book.direction === "back" ? own?.undos : own?.attempt) ?? 0,
        run: this.work.run.run,
        manner: step.manner ?? {},
        back: this.book.direction === "back",
        ...(act.key !== undefined && { key: act.key }),
        ...(act.undoKey !== undefined && { undoKey: act.undoKey }),
        ...(own?.status === "undoing" && own.sentAt !== undefined && { sent: { at: own.sentAt, ...(own.mark && { mark: own.mark }) } }),
        ...(transaction !== undefined && { gid: gidOf(this.work, transaction, step.n) }),
        ...this.judge.standing(act),
      };
      try {
        for (const operation of act.operations) {
          const prepared = group.prepare(operation, context);
          act.prepared.push(prepared instanceof Promise ? await prepared : prepared);
          this.delivery.refuseOpenBreaker(act.prepared.at(-1)?.origin);
        }
        ready.push(act);
      } catch (thrown) {
        const failure = faultIn(thrown);
        // W5: a before-image whose sync failed ends the run, whatever may be done about other failures.
        if (failure === undefined || isSyncFailure(thrown)) throw thrown;
        for (const prepared of act.prepared.reverse()) await prepared.abandon();
        act.prepared = [];
        if (transaction !== undefined) {
          for (const other of ready) for (const prepared of other.prepared) await prepared.abandon();
          dropAll(this.book, transaction, acts, { act, failure });
          return [];
        }
        if (failure.code === "moved" && !this.moved.has(step.n)) {
          this.moved.add(step.n);
          this.again.push(step);
          continue;
        }
        this.book.fail(step, failure);
        if (this.book.halted) {
          for (const other of ready) {
            for (const prepared of other.prepared) await prepared.abandon();
            this.book.end(other.step, "pending");
          }
          for (const other of acts) if (!this.work.results.has(other.step.n)) this.book.end(other.step, "pending");
          return [];
        }
      }
    }
    return ready;
  }

  /**
   * The short, decisive steps: in order, but for those on different machines, which wait for nobody else. What fails is
   * recorded; under `stop` the rest is left prepared and taken away.
   */
  private async commitAll(
    group: CommitGroup,
    acts: readonly Act[],
    settled: readonly { sync: readonly Operation[] }[],
  ): Promise<readonly Act[]> {
    const done = new Set<Act>();
    const chains = new Map<string, Act[]>();
    for (const act of acts) {
      const origin = act.prepared.find((prepared) => prepared.origin !== undefined)?.origin ?? "";
      const chain = chains.get(origin);
      if (chain) chain.push(act);
      else chains.set(origin, [act]);
    }
    if (chains.size <= 1) for (const chain of chains.values()) await this.commitChain(chain, done);
    else await settledAll([...chains.values()].map((chain) => this.commitChain(chain, done)));
    for (const { sync } of settled) {
      for (const operation of sync) {
        const prepared = await group.prepare(operation, { action: 0, attempt: 0, run: this.work.run.run, manner: {}, back: false });
        await prepared.commit();
      }
    }
    return acts.filter((act) => done.has(act));
  }

  private async commitChain(chain: readonly Act[], done: Set<Act>): Promise<void> {
    for (const act of chain) {
      if (this.book.halted && act.decided !== true) {
        for (const prepared of act.prepared) await prepared.abandon();
        this.book.end(act.step, "pending");
        continue;
      }
      let committed = 0;
      try {
        for (const prepared of act.prepared) {
          if (prepared.origin === undefined) {
            const result = prepared.commit();
            if (result instanceof Promise) await result;
          } else await this.delivery.deliver(act, prepared);
          committed += 1;
          if (act.resends === true && committed === 1) this.book.hasHappened(act.step);
        }
        done.add(act);
      } catch (thrown) {
        const failure = faultIn(thrown);
        if (failure === undefined || failure instanceof JournalFailed) throw thrown;
        if (act.decided !== true) for (const prepared of act.prepared.slice(committed)) await prepared.abandon();
        if (act.resends === true && committed === 0 && failure.mutated === "no" && failure.peer?.retry === false) {
          // Under its key the other side would have known it: it never happened, so there is nothing to take back.
          this.book.neverHappened(act.step);
          continue;
        }
        if (failure instanceof Undecided || failure.code === "taken-back") {
          this.book.doubt(act.step, failure.message);
          continue;
        }
        if (failure.code === "moved" && committed === 0 && !this.moved.has(act.step.n)) {
          this.moved.add(act.step.n);
          this.again.push(act.step);
          continue;
        }
        if (committed === 0 && (await this.delivery.mayJudgeAgain(act, failure))) {
          this.again.push(act.step);
          continue;
        }
        const maybe = committed > 0 ? new SystemFault(failure.code, failure.message, { mutated: "maybe", cause: failure }) : failure;
        this.book.fail(act.step, maybe);
      }
    }
  }

  /** `retry` repeats one action alone, after its group has settled, as a new attempt with guards read again. */
  private async retryFailed(acts: readonly Act[], attempt: number): Promise<void> {
    const { work } = this;
    for (const { step } of acts) {
      if (work.results.get(step.n)?.status !== "failed" || this.book.direction === "back") continue;
      // What is decided together is not tried alone.
      if (twoPhaseOf(work, step.n) !== undefined) continue;
      const retry = step.settings
        .map((index) => work.plan.resources[work.plan.settings[index]?.by ?? -1]?.retry)
        .find((one) => one !== undefined);
      if (!retry || attempt + 1 >= retry.attempts || work.tools.stopped()) continue;
      this.book.halted = false;
      this.book.wantsRevert = false;
      this.book.bad.delete(step.n);
      work.tools.emit({ type: "note", text: `${registerId(step.register)} failed; attempt ${attempt + 2} of ${retry.attempts}` });
      await work.tools.system.clock.sleep(retry.delay);
      await this.group([step], attempt + 1);
    }
  }

  private live(action: number): number {
    const { files, processes } = this.work.tools.system;
    const fd = files.openLock(this.work.folder.livePath(action));
    this.lives.push(fd);
    if (processes.lock(fd) === "held")
      throw new SystemFault(
        "still-running",
        "a command that an earlier process of this run started is still running: wait for it, or end it",
      );
    return fd;
  }

  private closeLives(): void {
    for (const fd of this.lives) this.work.tools.system.files.close(fd);
    this.lives.length = 0;
  }

  private warn(text: string): void {
    if (this.warned) return;
    this.warned = true;
    this.work.tools.emit({ type: "note", text });
  }
}

/** Waits for all, and then throws what the first of them threw: none may still be at work when the group ends. */
async function settledAll(chains: readonly Promise<void>[]): Promise<void> {
  const ended = await Promise.allSettled(chains);
  for (const one of ended) if (one.status === "rejected") throw one.reason;
}
