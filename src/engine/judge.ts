import {
  CannotConverge,
  type Digest,
  type Doubt,
  isKeyed,
  type Operation,
  type PlannedSetting,
  participantKey,
  type RegisterId,
  type RegisterKind,
  type Resolution,
  registerId,
  type State,
  SystemFault,
} from "../core/index.ts";
import { matches } from "./compare.ts";
import { converged } from "./fold.ts";
import { withoutExtras } from "./guard.ts";
import { keepAfter } from "./keep.ts";
import { type Act, type Book, isEffect, standsAlone, type Todo } from "./pass-book.ts";
import { kindOf, readAll } from "./read.ts";
import { placed, readyRegister, readySetting } from "./results.ts";
import { gidOf, twoPhaseOf } from "./two-phase.ts";
import { registersRead } from "./work.ts";

/** Decides, from what is found now, what is to be done about a step: the three-way check of reliability.md §5. */
export class Judge {
  private readonly book: Book;

  constructor(book: Book) {
    this.book = book;
  }

  /** What each register is now; a step whose register cannot be read fails. */
  async readNow(steps: readonly Todo[]): Promise<Map<number, State>> {
    const found = await this.readStates(await this.quiet(steps));
    for (const step of steps) this.veil(step, found.get(step.n));
    return found;
  }

  /** The steps of which nothing is under way any more that a dead process began; one of which that is not known fails. */
  private async quiet(steps: readonly Todo[]): Promise<readonly Todo[]> {
    const { run, tools } = this.book.work;
    const still: Todo[] = [];
    for (const step of steps) {
      try {
        if (this.book.isInDoubt(run.steps.get(step.n)?.status ?? "pending"))
          await kindOf(tools.kinds, step.register.kind).quiet?.(step.register, tools.reader);
        still.push(step);
      } catch (thrown) {
        if (!(thrown instanceof SystemFault)) throw thrown;
        this.book.fail(step, new SystemFault(thrown.code, thrown.message, { mutated: "maybe", cause: thrown }));
      }
    }
    return still;
  }

  /** What stands where a hidden content stood or is to stand is hidden too: it may be an earlier or later secret. */
  private veil(step: Todo, state: State | undefined): void {
    const { kinds, vault, ledger } = this.book.work.tools;
    const { contents, private: isPrivate } = kindOf(kinds, step.register.kind);
    if (contents === undefined || state === undefined) return;
    const { before, after } = this.book.work.endsOf(step);
    const isHidden = (digest: Digest) => vault.isHidden(digest) || vault.holdsSecret(digest);
    // Of what waited for a result only the ends that are known by now tell.
    const veiled =
      step.manner?.sensitive === true ||
      ledger.sensitive.has(registerId(step.register)) ||
      (step.manner?.sensitive !== false && [before, after, state].some((end) => isPrivate?.(end) === true)) ||
      [before, after].some((end) => contents(end).some(isHidden));
    for (const digest of contents(state)) if (veiled || isHidden(digest)) vault.hide(digest);
  }

  /**
   * The steps with the secrets and results that their registers wait for; one that lacks something fails. On the way back
   * secrets that nobody needs may be unknown, so each is asked for only where it is used.
   */
  ready(steps: readonly Todo[]): readonly Todo[] {
    const { reader, vault } = this.book.work.tools;
    return steps.flatMap((step): readonly Todo[] => {
      if (step.register.about === undefined) return [step];
      try {
        const register = readyRegister(vault.unseal(step.register), reader);
        return [register === step.register ? step : { ...step, register }];
      } catch (thrown) {
        if (!(thrown instanceof SystemFault)) throw thrown;
        this.book.fail(step, placed(thrown, this.book.work.plan, step));
        return [];
      }
    });
  }

  private async readStates(steps: readonly Todo[]): Promise<Map<number, State>> {
    const { work } = this.book;
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
          this.book.fail(step, inner);
        }
      }
    }
    return found;
  }

  /** The three-way check of reliability.md §5. Undefined: nothing is to be done and all is said. */
  async decide(step: Todo, found: State, all: ReadonlyMap<number, State>): Promise<Act | "settled" | undefined> {
    const { work, direction } = this.book;
    const { vault } = work.tools;
    const fingerprint = (digest: Digest) => vault.fingerprint(digest);
    const kind = kindOf(work.tools.kinds, step.register.kind);
    const status = work.run.steps.get(step.n)?.status ?? "pending";
    if (direction === "forward" && (step.tentative !== undefined || step.unknown) && !this.book.isInDoubt(status)) {
      if (!(await this.refold(step, found, all))) return undefined;
    }
    const ends = work.endsOf(step);
    const from = direction === "forward" ? ends.before : ends.after;
    const to = direction === "forward" ? ends.after : ends.before;
    const fits = (expected: State) => matches(found, withoutExtras(expected, found), fingerprint);
    const journalOnly = isEffect(kind, step.register);
    // On the way back what has a key is resolved first: what is in doubt is never compensated. A command's undo is right either way.
    if (journalOnly && this.book.isEffectInDoubt(step) && (direction === "forward" || kind.effectKey !== undefined))
      return this.resolveDoubt(step, found, ends);
    if (journalOnly && direction === "forward" && found.is === "doubt")
      return this.resolveDoubt(step, found, { before: found, after: ends.after });
    const own = work.run.steps.get(step.n);
    // What certainly did not happen is not taken back.
    if (journalOnly && direction === "back" && kind.effectKey !== undefined && own?.status === "failed" && own.mutated === "no")
      return this.nothingToUndo(step);
    const restores = direction === "back" && journalOnly;
    if (!restores && fits(to)) return "settled";
    const untouched = restores || fits(from);
    // A resume and a revert know a hidden content by its fingerprint alone: what is found is to be spelled alike.
    const isSpelledKeyed = [from, to].some((end) => (kind.contents?.(end) ?? []).some(isKeyed));
    const spelled = isSpelledKeyed ? vault.seal(found) : found;
    const torn = !untouched && this.book.isInDoubt(status) && kind.torn?.(spelled, ends.before, ends.after, step.manner ?? {}) === true;
    const forced = !untouched && !torn && step.forced === true;
    // Also of what is given up by name the journal says what it was, so that its content stays and can be found.
    if (!untouched && !torn) work.append({ t: "conflict", action: step.n, found, phase: direction });
    if (forced && direction === "forward" && !this.takeOver(kind, step, found, to)) return undefined;
    if (!untouched && !torn && !forced) {
      this.book.bad.add(step.n);
      this.book.end(step, "conflict", {
        found,
        detail:
          direction === "forward"
            ? "it is neither as the plan found it nor as it should be: somebody changed it (`setpoint resume --force-conflicts` sets it all the same)"
            : "somebody changed it since: it is kept as it is",
      });
      if (direction === "forward") this.book.stopUnlessAllowed(step);
      return undefined;
    }
    const operations = kind.transition(
      step.register,
      torn || forced ? spelled : restores ? from : { ...from, ...spelled },
      to,
      step.manner ?? {},
    );
    if (operations.length === 0) {
      if (direction === "back") this.book.skip(step);
      return direction === "back" ? undefined : "settled";
    }
    const asPlanned = !torn && !forced && own?.before === undefined && own?.after === undefined && !standsAlone(kind, step.register);
    return { step, found, to, asPlanned, operations, prepared: [], ...this.keyOf(kind, step) };
  }

  /** An effect that may or may not have happened, of which no reading tells. */
  private async resolveDoubt(
    step: Todo,
    found: State,
    { before, after }: { readonly before: State; readonly after: State },
  ): Promise<Act | undefined> {
    const { work, direction } = this.book;
    const { tools } = work;
    const kind = kindOf(tools.kinds, step.register.kind);
    const forward = () => kind.transition(step.register, before, after, step.manner ?? {});
    const back = () => kind.transition(step.register, after, before, step.manner ?? {});
    const act = (to: State, operations: readonly Operation[]): Act => ({
      step,
      found,
      to,
      asPlanned: false,
      operations,
      prepared: [],
      ...this.keyOf(kind, step),
    });
    const sent = this.sent(step, found);
    const resolution = await this.resolution(kind, step, sent);
    this.book.mayHaveHappened(step, resolution === "again" && sent.sentAt !== undefined);
    if (typeof resolution === "object" && "unknown" in resolution) {
      this.book.doubt(step, resolution.unknown);
      return undefined;
    }
    if (direction === "forward") {
      if (resolution === "not" || resolution === "again") return act(after, forward());
      this.book.finishEffect(step, after, "found", typeof resolution === "object" ? resolution.gave : undefined);
      return undefined;
    }
    if (resolution === "not") return this.nothingToUndo(step);
    const undo = back();
    if (undo.length === 0) {
      this.book.skip(step);
      return undefined;
    }
    // Sent once more under its key, it has surely happened, and only then is it taken back.
    if (resolution !== "again") return act(before, undo);
    return { ...act(before, [...forward().filter((one) => one.do !== "record"), ...undo]), resends: true };
  }

  private nothingToUndo(step: Todo): undefined {
    this.book.work.append({ t: "clr", action: step.n, outcome: "already" });
    this.book.end(step, "already");
    return undefined;
  }

  /** An answer that cannot be had leaves the doubt as it is. */
  private async resolution(kind: RegisterKind, step: Todo, sent: Pick<Doubt, "sentAt" | "mark">): Promise<Resolution> {
    const { reader, system } = this.book.work.tools;
    const { key = "" } = this.keyOf(kind, step, this.book.work.run.steps.get(step.n)?.attempt ?? 0);
    const doubt = { reader, key, ...sent, now: system.clock.now() };
    try {
      return (await kind.resolve?.(step.register, doubt)) ?? { unknown: "no reading tells whether it happened" };
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      return { unknown: `it cannot be asked whether it happened: ${thrown.message}` };
    }
  }

  /** When it was first sent, by this run or the one that left it in doubt; in a doubt of which that is not known, long ago. */
  private sent(step: Todo, found: State): Pick<Doubt, "sentAt" | "mark"> {
    const { tools, run } = this.book.work;
    const own = run.steps.get(step.n);
    if (own?.sentAt !== undefined || found.is !== "doubt") return { sentAt: own?.sentAt, mark: own?.mark };
    const doubt = tools.ledger.receipts.get(step.register.key)?.doubt;
    return { sentAt: doubt?.sentAt ?? 0, mark: doubt?.mark };
  }

  /** The keys of an effect, which differ by how often it was compensated by now. `attempt`: of a participant, which of its tries is meant. */
  private keyOf(kind: RegisterKind, step: Todo, attempt = this.nextAttempt(step)): Pick<Act, "key" | "undoKey"> {
    if (kind.effectKey === undefined) return {};
    const { work } = this.book;
    const generation = work.tools.ledger.generations.get(step.register.key) ?? 0;
    const transaction = twoPhaseOf(work, step.n);
    return {
      key: transaction ? participantKey(gidOf(work, transaction, step.n), attempt) : kind.effectKey(step.register, generation, false),
      undoKey: kind.effectKey(step.register, generation, true),
    };
  }

  private nextAttempt({ n }: Todo): number {
    return (this.book.work.run.steps.get(n)?.attempt ?? 0) + 1;
  }

  /**
   * Folds a tentative step again over what is found now. False where it ended here. Its new ends and contents are durable
   * before anything is made of them.
   */
  private async refold(step: Todo, found: State, all: ReadonlyMap<number, State>): Promise<boolean> {
    const { work } = this.book;
    const { plan } = work;
    if (found.is === "unknown") {
      this.book.fail(
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
      for (const index of step.settings)
        after = converged(after, readySetting(plan.settings[index] as PlannedSetting, work.tools.reader), parts);
    } catch (thrown) {
      if (thrown instanceof CannotConverge)
        this.book.fail(step, new SystemFault("cannot-converge", `${thrown.summary}: ${thrown.message}`));
      else if (thrown instanceof SystemFault) this.book.fail(step, placed(thrown, plan, step));
      else throw thrown;
      return false;
    }
    const fits = (a: State, b: State) => matches(a, withoutExtras(b, a), parts.fingerprint);
    if (fits(found, after)) {
      if (step.action === undefined) return false; // it was in sync when planned, and is
      work.append({ t: "done", action: step.n, outcome: "already" });
      this.book.end(step, "already");
      return false;
    }
    const kind = kindOf(work.tools.kinds, step.register.kind);
    const refused = kind.refuse?.(step.register, found, after, step.manner ?? {});
    if (refused) {
      this.book.fail(step, new SystemFault("refused-change", `${refused.summary}: ${refused.detail}`));
      return false;
    }
    const removes = after.is === "absent" && step.action !== "delete";
    const irreversible =
      (kind.label?.(step.register, found, after, step.manner ?? {}) ?? "exact") === "irreversible" &&
      step.label !== "irreversible" &&
      step.manner?.undo !== "none";
    if (removes || irreversible) {
      this.book.fail(
        step,
        new SystemFault(
          "unplanned",
          `${step.register.key} would now be ${removes ? "removed" : "changed in a way that cannot be undone"}, which the plan did not show: plan again`,
        ),
      );
      this.book.halted = true;
      return false;
    }
    if (!fits(found, step.before) || step.after === undefined || !fits(after, step.after) || step.unknown) {
      this.veil(step, after);
      this.keepContents(kind.contents?.(after) ?? []);
      work.append({ t: "refold", action: step.n, found, after });
    }
    return true;
  }

  /** From here on what somebody made of it is what it was before: a revert puts that back. False where it ended here. */
  private takeOver(kind: RegisterKind, step: Todo, found: State, after: State): boolean {
    const refused = kind.refuse?.(step.register, found, after, step.manner ?? {});
    if (refused) {
      this.book.fail(step, new SystemFault("refused-change", `${refused.summary}: ${refused.detail}`));
      return false;
    }
    this.book.work.append({ t: "refold", action: step.n, found, after });
    return true;
  }

  private keepContents(digests: readonly Digest[]): void {
    keepAfter(this.book.work, digests);
    this.book.work.folder.after.flush();
  }

  syncOf(step: Todo, found: State): readonly Operation[] {
    const status = this.book.work.run.steps.get(step.n)?.status ?? "pending";
    // Only what a killed process of ours may have left in memory needs it (W4).
    if (!this.book.isInDoubt(status)) return [];
    return kindOf(this.book.work.tools.kinds, step.register.kind).settle?.(step.register, found) ?? [];
  }

  /** The content that stands there now and goes: its before-image is kept. */
  standing(act: Act): { readonly standing?: Digest } {
    const [digest] = kindOf(this.book.work.tools.kinds, act.step.register.kind).contents?.(act.found) ?? [];
    const [wanted] = kindOf(this.book.work.tools.kinds, act.step.register.kind).contents?.(act.to) ?? [];
    return digest === undefined || digest === wanted ? {} : { standing: digest };
  }
}
