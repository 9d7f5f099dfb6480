import {
  type ActionStatus,
  CannotConverge,
  type Change,
  type Digest,
  isKeyed,
  type Operation,
  type PlannedSetting,
  type Receipt,
  type RegisterId,
  registerId,
  type State,
  type Step,
  SystemFault,
  sha256,
} from "../core/index.ts";
import { PACK_LIMIT, type StepState, toRanges } from "../journal/index.ts";
import { CommitGroup, Directories, faultIn, type Prepared, readWhole } from "../system/index.ts";
import { matches } from "./compare.ts";
import { converged } from "./fold.ts";
import { withoutExtras } from "./guard.ts";
import { stagesOf } from "./order.ts";
import { kindOf, readAll } from "./read.ts";
import { registersRead, type Work } from "./work.ts";

/** A step to be set: a change, or a tentative one that was in sync when the plan was made. */
export type Todo = Step &
  Partial<Pick<Change, "after" | "needs" | "label" | "action" | "unknown">> & {
    /** What somebody made of it since is given up, once it is saved: only on the way back, and only by name. */
    readonly forced?: true;
  };

export type Direction = "forward" | "back";

/** Most actions that commit together. */
const GROUP_LIMIT = 1000;

/** How a whole pass ended. */
export interface Outcome {
  /** Whether it stopped before its end: a failure under `stop`, or a signal. */
  readonly halted: boolean;
  /** A failed sync: nothing may be done any more in this process (W5). */
  readonly fatal?: SystemFault;
  /** Whether a failed resource asks for the run to be undone. */
  readonly revert: boolean;
}

/** Apply, resume and revert: sets every step, stage by stage, under the three-way check and the journal. */
export async function setAll(work: Work, todo: readonly Todo[], direction: Direction): Promise<Outcome> {
  return new Pass(work, todo, direction).run();
}

/** An action that is decided on: the operations that lead from what was found to where it should be. */
interface Act {
  readonly step: Todo;
  readonly found: State;
  readonly to: State;
  /** As the frozen plan has them, so that one record can stand for many. */
  readonly asPlanned: boolean;
  readonly operations: readonly Operation[];
  prepared: Prepared[];
}

class Pass {
  private readonly work: Work;
  private readonly todo: readonly Todo[];
  private readonly direction: Direction;
  private readonly directories: Directories;
  private readonly tempPrefix: string;
  /** Steps that did not end well: what needs them waits. */
  private readonly bad = new Set<number>();
  private readonly dependents = new Map<number, number[]>();
  private halted = false;
  private wantsRevert = false;
  private warned = false;
  private readonly lives: number[] = [];
  private readonly moved = new Set<number>();
  private readonly again: Todo[] = [];

  constructor(work: Work, todo: readonly Todo[], direction: Direction) {
    this.work = work;
    this.todo = todo;
    this.direction = direction;
    this.directories = new Directories(work.tools.system);
    this.tempPrefix = work.tools.state.keys().tempPrefix(work.run.run);
    for (const step of todo) for (const need of step.needs ?? []) this.dependents.set(need, [...(this.dependents.get(need) ?? []), step.n]);
  }

  async run(): Promise<Outcome> {
    const { work, todo, direction } = this;
    work.willDo(todo.length);
    try {
      for (const stage of stagesOf(todo, direction, work.tools.kinds)) {
        for (let from = 0; from < stage.length; from += GROUP_LIMIT) {
          if (work.tools.stopped()) this.halted = true;
          const group = stage.slice(from, from + GROUP_LIMIT);
          if (this.halted) {
            for (const step of group) this.end(step, "pending");
            continue;
          }
          await this.group(group);
        }
      }
    } catch (thrown) {
      const fatal = faultIn(thrown);
      if (fatal === undefined) throw thrown;
      return { halted: true, fatal, revert: false };
    } finally {
      this.directories.trim(0);
    }
    return { halted: this.halted, revert: this.wantsRevert };
  }

  private end(step: Todo, status: ActionStatus, more: { detail?: string; found?: State } = {}): void {
    const { before, after } = this.work.endsOf(step);
    this.work.ended(step, { status, before, after, ...more });
  }

  /** One group: read, decide, prepare, make durable, journal, commit, make durable, journal. */
  private async group(steps: readonly Todo[], attempt = 0): Promise<void> {
    const ready = steps.filter((step) => !this.isBlocked(step));
    const found = await this.readNow(ready);
    const acts: Act[] = [];
    const settled: { step: Todo; sync: readonly Operation[] }[] = [];
    for (const step of ready) {
      const state = found.get(step.n);
      if (state === undefined) continue;
      const act = await this.decide(step, state, found);
      if (act === "settled") settled.push({ step, sync: this.syncOf(step, state) });
      else if (act !== undefined) acts.push(act);
    }
    if (this.halted) {
      for (const { step } of acts) this.end(step, "pending");
      acts.length = 0;
    }
    await this.perform(acts, settled, attempt);
  }

  private isBlocked(step: Todo): boolean {
    const blockers = this.direction === "forward" ? (step.needs ?? []) : (this.dependents.get(step.n) ?? []);
    const blocker = blockers.find((n) => this.bad.has(n));
    if (blocker === undefined) return false;
    this.bad.add(step.n);
    this.end(step, "blocked", { detail: `waits for ${this.nameOf(blocker)}` });
    return true;
  }

  private nameOf(n: number): string {
    const step = this.work.steps().get(n);
    return step ? registerId(step.register) : `step ${n}`;
  }

  /** What each register is now; a step whose register cannot be read fails. */
  private async readNow(steps: readonly Todo[]): Promise<Map<number, State>> {
    const found = await this.readStates(steps);
    for (const step of steps) this.veil(step, found.get(step.n));
    return found;
  }

  /** What stands where a hidden content stood or is to stand is hidden too: it may be an earlier or later secret. */
  private veil(step: Todo, state: State | undefined): void {
    const { kinds, vault, ledger } = this.work.tools;
    const { contents } = kindOf(kinds, step.register.kind);
    if (contents === undefined || state === undefined) return;
    const { before, after } = this.work.endsOf(step);
    const isHidden = (digest: Digest) => vault.isHidden(digest) || vault.holdsSecret(digest);
    const veiled = ledger.sensitive.has(registerId(step.register)) || [before, after].some((end) => contents(end).some(isHidden));
    for (const digest of contents(state)) if (veiled || isHidden(digest)) vault.hide(digest);
  }

  private async readStates(steps: readonly Todo[]): Promise<Map<number, State>> {
    const { work } = this;
    const found = new Map<number, State>();
    const registers = steps.map((step) => step.register);
    try {
      const states = await readAll(registers, work.tools.kinds, work.trusting);
      steps.forEach((step, index) => {
        found.set(step.n, states[index] as State);
      });
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      for (const step of steps) {
        try {
          const [state] = await readAll([step.register], work.tools.kinds, work.trusting);
          found.set(step.n, state as State);
        } catch (inner) {
          if (!(inner instanceof SystemFault)) throw inner;
          this.fail(step, inner);
        }
      }
    }
    return found;
  }

  /** The three-way check of reliability.md §5. Undefined: nothing is to be done and all is said. */
  private async decide(step: Todo, found: State, all: ReadonlyMap<number, State>): Promise<Act | "settled" | undefined> {
    const { work, direction } = this;
    const { vault } = work.tools;
    const fingerprint = (digest: Digest) => vault.fingerprint(digest);
    const kind = kindOf(work.tools.kinds, step.register.kind);
    const status = work.run.steps.get(step.n)?.status ?? "pending";
    if (direction === "forward" && (step.tentative !== undefined || step.unknown) && !this.isInDoubt(status)) {
      if (!(await this.refold(step, found, all))) return undefined;
    }
    const ends = work.endsOf(step);
    const from = direction === "forward" ? ends.before : ends.after;
    const to = direction === "forward" ? ends.after : ends.before;
    const fits = (expected: State) => matches(found, withoutExtras(expected, found), fingerprint);
    const journalOnly = kind.evidence?.(step.register) === "journal";
    if (direction === "forward" && journalOnly && this.isInDoubt(status)) return this.resolveDoubt(step, found, to);
    const restores = direction === "back" && journalOnly;
    if (!restores && fits(to)) return "settled";
    const untouched = restores || fits(from);
    const torn = !untouched && this.isInDoubt(status) && kind.torn?.(found, ends.before, ends.after, step.manner ?? {}) === true;
    const forced = !untouched && !torn && step.forced === true;
    if (!untouched && !torn && !forced) {
      work.append({ t: "conflict", action: step.n, found, phase: direction });
      this.bad.add(step.n);
      this.end(step, "conflict", {
        found,
        detail:
          direction === "forward"
            ? "it is neither as the plan found it nor as it should be: somebody changed it"
            : "somebody changed it since: it is kept as it is",
      });
      if (direction === "forward") this.stopUnlessAllowed(step);
      return undefined;
    }
    const operations = kind.transition(
      step.register,
      torn || forced ? found : restores ? from : { ...from, ...found },
      to,
      step.manner ?? {},
    );
    if (operations.length === 0) {
      if (direction === "back") this.skip(step);
      return direction === "back" ? undefined : "settled";
    }
    const own = work.run.steps.get(step.n);
    const asPlanned = !torn && !forced && own?.before === undefined && own?.after === undefined && !kind.opaque;
    return { step, found, to, asPlanned, operations, prepared: [] };
  }

  private isInDoubt(status: StepState["status"]): boolean {
    return status === "intended" || status === "failed" || status === "undoing" || status === "unknown";
  }

  /** What a revert cannot take back is left, and said. */
  private skip(step: Todo): void {
    this.work.append({ t: "clr", action: step.n, outcome: "skipped" });
    this.end(step, "skipped", { detail: "it has no undo, so its effect is left" });
  }

  /** An effect that may or may not have happened, of which no reading tells. */
  private async resolveDoubt(step: Todo, found: State, to: State): Promise<Act | undefined> {
    const about = step.register.about as { verify?: { argv: readonly string[] }; idempotent?: boolean; in_doubt?: string } | undefined;
    const again = (): Act => ({
      step,
      found,
      to,
      asPlanned: false,
      operations: kindOf(this.work.tools.kinds, step.register.kind).transition(step.register, found, to, step.manner ?? {}),
      prepared: [],
    });
    if (about?.verify) {
      const ran = await this.work.tools.reader.ask(about.verify, "any");
      if (ran.code !== 0) return again();
      this.finishEffect(step, to, "found");
      return undefined;
    }
    if (about?.idempotent || about?.in_doubt === "retry") return again();
    if (about?.in_doubt === "skip") {
      this.finishEffect(step, to, "found");
      return undefined;
    }
    const why =
      "it was begun and no reading tells whether it happened: say so with `setpoint answer`, or declare `verify`, `idempotent: true` or `in_doubt`";
    this.work.append({ t: "unknown", action: step.n, why });
    this.work.journal.sync();
    this.bad.add(step.n);
    this.end(step, "unknown", { detail: why });
    return undefined;
  }

  /**
   * Folds a tentative step again over what is found now. False where it ended here. Its new ends and contents are durable
   * before anything is made of them.
   */
  private async refold(step: Todo, found: State, all: ReadonlyMap<number, State>): Promise<boolean> {
    const { work } = this;
    const { plan } = work;
    if (found.is === "unknown") {
      this.fail(
        step,
        new SystemFault("guard-missing", typeof found.why === "string" ? found.why : "its guard may not be run (--no-commands)"),
      );
      return false;
    }
    const states = new Map<RegisterId, State>();
    for (const [n, state] of all) {
      const other = work.steps().get(n);
      if (other) states.set(registerId(other.register), state);
    }
    const reads = registersRead(plan, step);
    const read = await readAll(reads, work.tools.kinds, work.trusting);
    reads.forEach((register, index) => {
      states.set(registerId(register), read[index] as State);
    });
    const parts = work.foldParts(states);
    let after = found;
    try {
      for (const index of step.settings) after = converged(after, plan.settings[index] as PlannedSetting, parts);
    } catch (thrown) {
      if (!(thrown instanceof CannotConverge)) throw thrown;
      this.fail(step, new SystemFault("cannot-converge", `${thrown.summary}: ${thrown.message}`));
      return false;
    }
    const fits = (a: State, b: State) => matches(a, withoutExtras(b, a), parts.fingerprint);
    if (fits(found, after)) {
      if (step.action === undefined) return false; // it was in sync when planned, and is
      work.append({ t: "done", action: step.n, outcome: "already" });
      this.end(step, "already");
      return false;
    }
    const kind = kindOf(work.tools.kinds, step.register.kind);
    const refused = kind.refuse?.(step.register, found, after, step.manner ?? {});
    if (refused) {
      this.fail(step, new SystemFault("refused-change", `${refused.summary}: ${refused.detail}`));
      return false;
    }
    const removes = after.is === "absent" && step.action !== "delete";
    const irreversible =
      (kind.label?.(step.register, found, after, step.manner ?? {}) ?? "exact") === "irreversible" &&
      step.label !== "irreversible" &&
      step.manner?.undo !== "none";
    if (removes || irreversible) {
      this.fail(
        step,
        new SystemFault(
          "unplanned",
          `${step.register.key} would now be ${removes ? "removed" : "changed in a way that cannot be undone"}, which the plan did not show: plan again`,
        ),
      );
      this.halted = true;
      return false;
    }
    if (!fits(found, step.before) || step.after === undefined || !fits(after, step.after) || step.unknown) {
      this.veil(step, after);
      this.keepContents(kind.contents?.(after) ?? []);
      work.append({ t: "refold", action: step.n, found, after });
    }
    return true;
  }

  private keepContents(digests: readonly Digest[]): void {
    keepAfter(this.work, digests);
    this.work.folder.after.flush();
  }

  private syncOf(step: Todo, found: State): readonly Operation[] {
    const status = this.work.run.steps.get(step.n)?.status ?? "pending";
    // Only what a killed process of ours may have left in memory needs it (W4).
    if (!this.isInDoubt(status)) return [];
    return kindOf(this.work.tools.kinds, step.register.kind).settle?.(step.register, found) ?? [];
  }

  private async perform(
    acts: readonly Act[],
    settled: readonly { step: Todo; sync: readonly Operation[] }[],
    attempt: number,
  ): Promise<void> {
    const { work } = this;
    if (acts.length === 0 && settled.every(({ sync }) => sync.length === 0)) {
      this.recordSettled(settled.map(({ step }) => step));
      return;
    }
    const group = new CommitGroup({
      system: work.tools.system,
      contents: work.tools.contents,
      accounts: work.tools.reader.accounts,
      directories: this.directories,
      tempPrefix: this.tempPrefix,
      keep: (digest, path, stat) => keepBefore(work, digest, path, stat.size),
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
      const ready = await this.prepareAll(group, acts);
      await group.syncBefore();
      work.folder.before.flush();
      work.folder.after.flush();
      this.recordIntents(ready);
      const done = await this.commitAll(group, ready, settled);
      await group.syncAfter();
      this.recordDone(done);
      this.recordSettled(settled.map(({ step }) => step));
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
  private async prepareAll(group: CommitGroup, acts: readonly Act[]): Promise<readonly Act[]> {
    const ready: Act[] = [];
    for (const act of acts) {
      const { step } = act;
      const context = {
        action: step.n,
        attempt: this.work.run.steps.get(step.n)?.attempt ?? 0,
        manner: step.manner ?? {},
        ...this.standing(act),
      };
      try {
        for (const operation of act.operations) {
          const prepared = group.prepare(operation, context);
          act.prepared.push(prepared instanceof Promise ? await prepared : prepared);
        }
        ready.push(act);
      } catch (thrown) {
        if (!(thrown instanceof SystemFault)) throw thrown;
        for (const prepared of act.prepared.reverse()) prepared.abandon();
        act.prepared = [];
        if (thrown.code === "moved" && !this.moved.has(step.n)) {
          this.moved.add(step.n);
          this.again.push(step);
          continue;
        }
        this.fail(step, thrown);
        if (this.halted) {
          for (const other of ready) {
            for (const prepared of other.prepared) prepared.abandon();
            this.end(other.step, "pending");
          }
          for (const other of acts) if (!this.work.results.has(other.step.n)) this.end(other.step, "pending");
          return [];
        }
      }
    }
    return ready;
  }

  /** The content that stands there now and goes: its before-image is kept. */
  private standing(act: Act): { readonly standing?: Digest } {
    const [digest] = kindOf(this.work.tools.kinds, act.step.register.kind).contents?.(act.found) ?? [];
    const [wanted] = kindOf(this.work.tools.kinds, act.step.register.kind).contents?.(act.to) ?? [];
    return digest === undefined || digest === wanted ? {} : { standing: digest };
  }

  /** W1: before the first mutation its intent is durable. */
  private recordIntents(acts: readonly Act[]): void {
    if (acts.length === 0) return;
    const { work, direction } = this;
    const planned = acts.filter((act) => act.asPlanned).map((act) => act.step.n);
    const n = toRanges(planned.sort((a, b) => a - b));
    if (planned.length > 0) work.append(direction === "forward" ? { t: "intent", n } : { t: "undo", n });
    for (const act of acts) {
      if (act.asPlanned) continue;
      const ends = work.endsOf(act.step);
      if (direction === "forward")
        work.append({
          t: "intent",
          action: act.step.n,
          before: ends.before,
          after: ends.after,
          attempt: (work.run.steps.get(act.step.n)?.attempt ?? 0) + 1,
        });
      else work.append({ t: "undo", action: act.step.n, expect: ends.after, restore: ends.before });
    }
    work.journal.sync();
  }

  /** The short, decisive steps, in order. What fails is recorded; under `stop` the rest is left prepared and taken away. */
  private async commitAll(
    group: CommitGroup,
    acts: readonly Act[],
    settled: readonly { sync: readonly Operation[] }[],
  ): Promise<readonly Act[]> {
    const done: Act[] = [];
    for (const act of acts) {
      if (this.halted) {
        for (const prepared of act.prepared) prepared.abandon();
        this.end(act.step, "pending");
        continue;
      }
      let committed = 0;
      try {
        for (const prepared of act.prepared) {
          const result = prepared.commit();
          if (result instanceof Promise) await result;
          committed += 1;
        }
        done.push(act);
      } catch (thrown) {
        if (!(thrown instanceof SystemFault)) throw thrown;
        for (const prepared of act.prepared.slice(committed)) prepared.abandon();
        if (thrown.code === "moved" && committed === 0 && !this.moved.has(act.step.n)) {
          this.moved.add(act.step.n);
          this.again.push(act.step);
          continue;
        }
        const maybe = committed > 0 ? new SystemFault(thrown.code, thrown.message, { mutated: "maybe", cause: thrown }) : thrown;
        this.fail(act.step, maybe);
      }
    }
    for (const { sync } of settled) {
      for (const operation of sync) {
        const prepared = await group.prepare(operation, { action: 0, attempt: 0, manner: {} });
        await prepared.commit();
      }
    }
    return done;
  }

  private recordDone(acts: readonly Act[]): void {
    const { work, direction } = this;
    const many = acts.filter((act) => act.asPlanned);
    const numbers = toRanges(many.map((act) => act.step.n).sort((a, b) => a - b));
    if (many.length > 0)
      work.append(direction === "forward" ? { t: "done", n: numbers, outcome: "set" } : { t: "clr", n: numbers, outcome: "restored" });
    for (const act of many) this.end(act.step, direction === "forward" ? "set" : "restored");
    for (const act of acts) {
      if (act.asPlanned) continue;
      const effect = act.operations.some((operation) => operation.do === "record");
      if (direction === "back") {
        const compensated = kindOf(work.tools.kinds, act.step.register.kind).opaque === true;
        work.append({
          t: "clr",
          action: act.step.n,
          outcome: compensated ? "compensated" : "restored",
          ...(effect && { forget: act.step.register.key }),
        });
        if (effect) {
          work.tools.ledger.receipts.delete(act.step.register.key);
          work.journal.sync();
        }
        this.end(act.step, compensated ? "compensated" : "restored");
      } else if (effect) this.finishEffect(act.step, act.to, "set");
      else {
        work.append({ t: "done", action: act.step.n, outcome: "set" });
        this.end(act.step, "set");
      }
      if (kindOf(work.tools.kinds, act.step.register.kind).opaque) work.tools.reader.forget();
    }
  }

  /** The `done` record of an action on a receipt is the receipt. */
  private finishEffect(step: Todo, to: State, outcome: "set" | "found"): void {
    const { work } = this;
    const watched = to.watched as Receipt["watched"];
    const value: Receipt = { run: work.run.run, at: work.tools.system.clock.now(), ...(watched && { watched }) };
    const { key } = step.register;
    work.append({ t: "done", action: step.n, outcome, receipt: { key, value } });
    work.journal.sync();
    work.tools.ledger.receipts.set(key, value);
    this.end(step, outcome);
  }

  private recordSettled(steps: readonly Todo[]): void {
    const { work, direction } = this;
    const effects = steps.filter(
      (step) =>
        kindOf(work.tools.kinds, step.register.kind).opaque &&
        direction === "forward" &&
        this.isInDoubt(work.run.steps.get(step.n)?.status ?? "pending"),
    );
    for (const step of effects) this.finishEffect(step, work.endsOf(step).after, "found");
    const plain = steps.filter((step) => !effects.includes(step));
    const found = plain.filter((step) => direction === "forward" && this.isInDoubt(work.run.steps.get(step.n)?.status ?? "pending"));
    const already = plain.filter((step) => !found.includes(step) && (direction === "back" || step.action !== undefined));
    const ranges = (list: readonly Todo[]) => toRanges(list.map((step) => step.n).sort((a, b) => a - b));
    if (found.length > 0) work.append({ t: "done", n: ranges(found), outcome: "found" });
    if (already.length > 0)
      work.append(
        direction === "forward"
          ? { t: "done", n: ranges(already), outcome: "already" }
          : { t: "clr", n: ranges(already), outcome: "already" },
      );
    for (const step of found) this.end(step, "found");
    for (const step of already) this.end(step, "already");
  }

  private fail(step: Todo, failure: SystemFault): void {
    const { work } = this;
    if (failure.code === "ENOSPC" || failure.code === "EDQUOT") work.folder.dropReserve();
    const message = work.tools.vault.redact(failure.message).slice(0, 8000);
    work.append({ t: "fail", action: step.n, class: failure.code, message, mutated: failure.mutated });
    this.bad.add(step.n);
    this.end(step, "failed", { detail: message });
    this.stopUnlessAllowed(step);
  }

  private stopUnlessAllowed(step: Todo): void {
    if (this.direction === "back") return;
    const { plan } = this.work;
    const policies = step.settings.map((index) => plan.resources[plan.settings[index]?.by ?? -1]?.onFailure);
    if (policies.includes("revert")) this.wantsRevert = true;
    if (!policies.every((policy) => policy === "continue") || policies.length === 0) this.halted = true;
  }

  /** `retry` repeats one action alone, after its group has settled, as a new attempt with guards read again. */
  private async retryFailed(acts: readonly Act[], attempt: number): Promise<void> {
    const { work } = this;
    for (const { step } of acts) {
      if (work.results.get(step.n)?.status !== "failed" || this.direction === "back") continue;
      const retry = step.settings
        .map((index) => work.plan.resources[work.plan.settings[index]?.by ?? -1]?.retry)
        .find((one) => one !== undefined);
      if (!retry || attempt + 1 >= retry.attempts || work.tools.stopped()) continue;
      this.halted = false;
      this.wantsRevert = false;
      this.bad.delete(step.n);
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

/** Keeps contents that the run sets: small ones in the pack, large or sensitive ones as blobs. Durable with the pack's next flush. */
export function keepAfter(work: Pick<Work, "tools" | "folder">, digests: readonly Digest[]): void {
  const { contents, vault, state } = work.tools;
  for (const digest of digests) {
    if (isKeyed(digest)) continue;
    const name = vault.nameOf(digest);
    const path = contents.pathOf(digest);
    const size = contents.size(digest) ?? 0;
    if (isKeyed(name)) state.blobs.put(name, contents.bytes(digest));
    else if (size < PACK_LIMIT) work.folder.after.add(digest, contents.bytes(digest));
    else if (path !== undefined) state.blobs.keepFile(digest, path, size);
    else state.blobs.put(digest, contents.bytes(digest));
  }
}

/** Keeps what stands at a path and is about to go. */
function keepBefore(work: Work, digest: Digest, path: string, size: number): void {
  const { contents, vault, state, system } = work.tools;
  const name = vault.nameOf(digest);
  if (isKeyed(name)) {
    if (!state.blobs.has(name)) state.blobs.put(name, contents.bytes(digest));
    return;
  }
  if (work.folder.before.has(digest) || work.folder.after.has(digest)) return;
  if (size >= PACK_LIMIT) {
    state.blobs.keepFile(digest, path, size);
    return;
  }
  const bytes = readWhole(system.files, path);
  if (bytes === undefined || sha256(bytes) !== digest) throw new SystemFault("moved", `${path} was changed by somebody else just now`);
  work.folder.before.add(digest, bytes);
}
