import { errnoOf, SystemFault } from "../../core/index.ts";

/** What a connection fails with before anything of a statement can have been sent. */
const NOT_SENT: ReadonlySet<string> = new Set(["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOENT"]);

/** SQLSTATEs after which the same transaction may succeed: reliability.md §8.2. */
const AGAIN: ReadonlySet<string> = new Set(["40001", "40P01", "55P03", "57014", "53300", "57P01", "57P02", "57P03"]);

/** A database that is not there: of what is in it can be said that it is absent. */
export const NO_DATABASE = "3D000";

/**
 * A database's refusal, or the loss of its connection, as a fault. `mutated: "maybe"` only where a statement was sent and
 * nobody knows what became of it; within a transaction that is the performer's to judge.
 */
export function sqlFault(place: string, state: string | undefined, thrown: unknown, sent: boolean): SystemFault {
  const cause = thrown as Error;
  const code = state ?? errnoOf(thrown) ?? "EIO";
  const lost = state === undefined || state.startsWith("08");
  const notSent = !sent || NOT_SENT.has(code);
  const counts = lost || state?.startsWith("57P") === true;
  return new SystemFault(code, `${place}: ${cause.message === "" ? code : cause.message}`, {
    mutated: lost && !notSent ? "maybe" : "no",
    peer: { retry: lost || AGAIN.has(code), counts },
    cause: thrown,
  });
}

/** ms for a connection to end in order; a server that does not answer must not keep anybody waiting. */
const FAREWELL = 1000;

/** Waits for the end of a connection, and not for long. */
export async function inTime(ending: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((done) => {
    timer = setTimeout(done, FAREWELL);
  });
  await Promise.race([ending.catch(() => undefined), late]);
  clearTimeout(timer);
}
