/** Branded strings: a plain string does not pass for one by accident. */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** An absolute path without `.`, `..`, double or trailing slashes. Bytes that are no UTF-8 stand as U+DC80 to U+DCFF. */
export type AbsolutePath = Branded<"AbsolutePath">;
/** A content's name: sha256 in 64 hex digits, or `keyed:` and an HMAC under the state directory's key where it is sensitive. */
export type Digest = Branded<"Digest">;
/** `type:name`, with what tells apart resources of one name behind `#`. */
export type Address = Branded<"Address">;
/** `kind:key`, the identity of a register. */
export type RegisterId = Branded<"RegisterId">;
/** A run's name: its start as YYYYMMDDTHHMMSS.mmmZ and some chance, so that names sort by time. */
export type RunId = Branded<"RunId">;

/**
 * Makes a run id from wall time in ms since 1970 and 3 or more random bytes. It comes after `last` in order whatever the
 * clock says, so that the newest run is the one that came last.
 */
export function runId(now: number, chance: Uint8Array, last?: RunId): RunId {
  const at = last === undefined ? now : Math.max(now, timeOf(last) + 1);
  const time = new Date(at).toISOString().replaceAll("-", "").replaceAll(":", "");
  return `${time.replace(".", "").slice(0, -1)}-${Buffer.from(chance.subarray(0, 3)).toString("hex")}` as RunId;
}

/** The wall time in a run's name. */
function timeOf(run: RunId): number {
  return Date.parse(run.replace(/^(....)(..)(..)T(..)(..)(..)(...)-.*$/, "$1-$2-$3T$4:$5:$6.$7Z"));
}

const RUN_ID = /^\d{8}T\d{9}-[0-9a-f]{6}$/;

/** Whether a text has the form of a run id; what has not is never used as a part of a path. */
export function isRunId(text: string): text is RunId {
  return RUN_ID.test(text);
}
