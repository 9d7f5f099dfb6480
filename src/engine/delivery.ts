import { type Resolution, SystemFault } from "../core/index.ts";
import { faultIn, type Prepared } from "../system/index.ts";
import { type Act, type Book, isEffect, type Todo } from "./pass-book.ts";
import { kindOf } from "./read.ts";

/** How often a register on another machine is read and judged again after an answer that left it open. */
const JUDGED = 5;

/** Nobody can tell now whether an effect happened. */
export class Undecided extends SystemFault {
  constructor(why: string, cause: SystemFault) {
    super("in-doubt", why, { mutated: "maybe", cause });
    this.name = "Undecided";
  }
}

/** W5: what the journal cannot tell must not be done, by nobody in this process. */
export class JournalFailed extends SystemFault {
  constructor(cause: SystemFault) {
    super(cause.code, cause.message, { mutated: cause.mutated, cause });
    this.name = "JournalFailed";
  }
}

/** A reading that gives the answer anew says that it happened as well as one that gives none. */
function isHappened(resolution: Resolution): boolean {
  return resolution === "happened" || (typeof resolution === "object" && "gave" in resolution);
}

/** Sends what is for other machines: again where that may help and can do no harm (reliability.md §8). */
export class Delivery {
  private readonly book: Book;
  private readonly judged = new Map<number, number>();

  constructor(book: Book) {
    this.book = book;
    const { work } = book;
    work.tools.remotes.peers.onBreaker = (origin, state) => work.append({ t: "breaker", origin, state });
  }

  /** Throws SystemFault where nothing may be sent to the peer now: found out before an intent says that it will be. */
  refuseOpenBreaker(origin: string | undefined): void {
    const why = origin === undefined ? undefined : this.book.work.tools.remotes.peers.blocked(origin);
    if (why !== undefined) throw new SystemFault("breaker-open", why, { peer: { retry: false, counts: false } });
  }

  /** Commits one operation. Throws SystemFault; Undecided where an effect may have happened and nobody can tell. */
  async deliver(act: Act, prepared: Prepared): Promise<void> {
    const { work } = this.book;
    // What is decided is told until it is heard, and its name is known: there is nothing to doubt about its sending.
    const effect = act.decided !== true && isEffect(kindOf(work.tools.kinds, act.step.register.kind), act.step.register);
    for (let attempt = 1; ; attempt++) {
      if (effect) this.recordSent(act, prepared);
      try {
        const outcome = await prepared.commit();
        if (outcome?.answer !== undefined) act.answer = outcome.answer;
        return;
      } catch (thrown) {
        const failure = faultIn(thrown);
        if (failure === undefined) throw thrown;
        if (failure.code === "taken-back" && isHappened(await this.resolve(act.step, act))) return;
        const next = effect ? await this.afterTrouble(act, failure, attempt) : await this.afterDecision(act, failure, attempt);
        if (next === "happened") return;
        if (next === "give up") throw failure;
      }
    }
  }

  /** Durable before the request leaves. */
  private recordSent(act: Act, { mark }: Prepared): void {
    const { work } = this.book;
    const key = this.book.direction === "back" ? act.undoKey : act.key;
    if (key === undefined) return;
    try {
      work.append({ t: "sent", action: act.step.n, key, ...(mark && { mark }) });
      work.journal.sync();
    } catch (thrown) {
      const failure = faultIn(thrown);
      throw failure === undefined ? thrown : new JournalFailed(failure);
    }
  }

  /** What follows a fault of an effect: it is sent again after a wait, it turns out to have happened, or not. Throws Undecided. */
  private async afterTrouble(act: Act, failure: SystemFault, attempt: number): Promise<"again" | "happened" | "give up"> {
    // The other side is in another state than we think; that does not change by asking once more.
    if (failure.code === "precondition") return "give up";
    // What takes an effect back is idempotent as declared.
    const isForward = this.book.direction === "forward";
    if (isForward && failure.mutated === "maybe" && (await this.settle(act, failure)) === "happened") return "happened";
    const { peers } = this.book.work.tools.remotes;
    if (failure.peer?.retry !== true || !(await peers.pause(attempt, failure.peer.after))) return "give up";
    // Meanwhile the other side may have come to it, or have forgotten the key.
    const mayBeDone = failure.mutated === "maybe" || this.book.isDoubtful(act.step);
    return isForward && mayBeDone ? this.settle(act, failure) : "again";
  }

  /** What is known of an effect that may have been executed. Throws Undecided where that is nothing. */
  private async settle(act: Act, failure: SystemFault): Promise<"again" | "happened"> {
    const resolution = await this.resolve(act.step, act);
    if (resolution === "happened") return "happened";
    if (typeof resolution === "object") {
      if ("unknown" in resolution) throw new Undecided(`${failure.message}; ${resolution.unknown}`, failure);
      act.answer = resolution.gave;
      return "happened";
    }
    this.book.mayHaveHappened(act.step, resolution === "again");
    return "again";
  }

  /** What is decided is told again until it is heard; anything else is read and judged again by its register. */
  private async afterDecision(act: Act, failure: SystemFault, attempt: number): Promise<"again" | "give up"> {
    if (act.decided !== true || failure.peer?.retry !== true) return "give up";
    return (await this.book.work.tools.remotes.peers.pause(attempt, failure.peer.after)) ? "again" : "give up";
  }

  private async resolve(step: Todo, act: Act): Promise<Resolution> {
    const { tools, run } = this.book.work;
    const kind = kindOf(tools.kinds, step.register.kind);
    try {
      const resolution = await kind.resolve?.(step.register, {
        reader: tools.reader,
        key: act.key ?? "",
        sentAt: run.steps.get(step.n)?.sentAt,
        mark: run.steps.get(step.n)?.mark,
        now: tools.system.clock.now(),
      });
      return resolution ?? { unknown: "no reading tells whether it happened" };
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      return { unknown: `and it cannot be asked whether it happened: ${thrown.message}` };
    }
  }

  /** Whether a register is to be read and judged once more: the other side's answer left open what it is now. */
  async mayJudgeAgain(act: Act, failure: SystemFault): Promise<boolean> {
    const { work } = this.book;
    const { register, n } = act.step;
    if (act.decided === true || failure.peer?.retry !== true || isEffect(kindOf(work.tools.kinds, register.kind), register)) return false;
    const times = (this.judged.get(n) ?? 0) + 1;
    this.judged.set(n, times);
    if (times >= JUDGED) return false;
    // Somebody else was faster: what there is now is asked at once.
    if (failure.code === "precondition") return true;
    return work.tools.remotes.peers.pause(times, failure.peer.after);
  }
}
