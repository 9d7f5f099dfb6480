import type { Json, JsonObject } from "./json.ts";
import type { Digest, RegisterId } from "./names.ts";
import type { Mail, MessageData, PlaceData, RequestData } from "./network.ts";

/** Metadata of a path that an operation sets; left out: as the performer's table says (kept, or the system's default). */
export interface Attributes {
  /** Permission bits, 0 to 0o7777. */
  readonly mode?: number;
  /** By name; by number only where the system knows no name. */
  readonly owner?: string;
  readonly group?: string;
  /** Extended attributes by name, values in hex; ACLs are among them. */
  readonly xattrs?: { readonly [name: string]: string };
}

/**
 * One effect as data. Their performers in `src/system` are the only code that changes anything.
 *
 * | operation | what must hold before | left-out attributes |
 * | --- | --- | --- |
 * | replaceFile | `over`: what stands there now | those of the file it replaces; for a new one 0644 and the process's own |
 * | setAttributes | a file or directory stands there | kept |
 * | remove | that type of thing stands there; a directory is empty | |
 * | makeDirectory, makeLink, makeHardLink | as `over` says | 0755 and the process's own |
 * | sync | nothing is changed, what is there becomes durable | |
 * | run, http, sql, publish, mail, store | | |
 */
export type Operation =
  | ({
      readonly do: "replaceFile";
      readonly path: string;
      readonly content: Digest;
      readonly over: Standing;
      readonly breaks?: true;
    } & Attributes)
  | ({ readonly do: "writeInPlace"; readonly path: string; readonly content: Digest } & Attributes)
  | ({ readonly do: "setAttributes"; readonly path: string; readonly is: "file" | "directory" } & Attributes)
  | { readonly do: "remove"; readonly path: string; readonly is: "file" | "directory" | "symlink" }
  | ({ readonly do: "makeDirectory"; readonly path: string } & Attributes)
  | ({ readonly do: "makeLink"; readonly path: string; readonly to: string; readonly over: Standing } & Pick<Attributes, "owner" | "group">)
  | { readonly do: "makeHardLink"; readonly path: string; readonly to: string; readonly over: Standing }
  | { readonly do: "sync"; readonly path: string; readonly is: "file" | "directory" | "symlink" | "absent" }
  | ({ readonly do: "run" } & Command)
  | HttpOperation
  | SqlOperation
  | PublishOperation
  | MailOperation
  | StoreOperation
  | { readonly do: "record"; readonly register: RegisterId };

/** A request that changes something at its URL. */
export interface HttpOperation {
  readonly do: "http";
  readonly request: RequestData;
  /** Statuses that mean success besides 2xx. */
  readonly ok?: readonly number[];
  readonly condition?: { readonly if_match?: string; readonly if_none_match?: "*" };
  /** Sent with the effect's key: as it is, or as a structured string (RFC 8941). */
  readonly keyed?: "raw" | "sf";
  /** It takes an effect back, and has a key of its own. */
  readonly undo?: true;
  readonly poll?: PollData;
  /** It only prepares, as a participant of a two-phase transaction: one of these ends it. */
  readonly ends?: TryEnds;
}

/** What ends a Try of Try-Confirm/Cancel. `{key}`, `{location}` and `{answer.…}` stand for the Try's key and parts of its answer. */
export type TryEnds = { readonly confirm: RequestData; readonly cancel: RequestData };

/** One transaction of a database, together with its receipt. */
export interface SqlOperation {
  readonly do: "sql";
  /** With credentials. */
  readonly url: string;
  /** Transactions of one name wait for each other's end. */
  readonly lock: string;
  /** What must be there, to the letter, read under a lock: else somebody else was faster. */
  readonly compare?: SqlStatement & { readonly rows: readonly JsonObject[] };
  /** Questions that must find nothing: they keep what would be lost. */
  readonly guards?: readonly (SqlStatement & { readonly url?: string; readonly found: string })[];
  readonly statements: readonly SqlStatement[];
  /**
   * `effect`: done once under the effect's key; `action`: the receipt only tells whether this action's transaction was
   * committed; `none`: statements that are no part of a transaction, and are read back.
   */
  readonly receipt: "effect" | "action" | "none";
  /** It takes an effect back, and has a key of its own. */
  readonly undo?: true;
  /** ms for each statement; left out: 60,000. */
  readonly timeout?: number;
}

/** A statement and its parameters: no value is part of its text. */
export type SqlStatement = {
  readonly text: string;
  readonly values?: readonly Json[];
  /** Rows that it must change. */
  readonly affects?: number;
  /** A content that is put behind the text as a literal: for what takes no parameters and must not be shown, a password's hash. */
  readonly literal?: Digest;
};

/** A message to a broker, under the effect's key. */
export interface PublishOperation {
  readonly do: "publish";
  readonly broker: PlaceData;
  readonly message: MessageData;
  /** It takes an effect back, and has a key of its own. */
  readonly undo?: true;
}

/** A mail, whose Message-ID is made of the effect's key. */
export interface MailOperation {
  readonly do: "mail";
  readonly mail: Omit<Mail, "id">;
}

/** Sets or removes what a store has under a key, if it is still at a revision. */
export interface StoreOperation {
  readonly do: "store";
  readonly store: PlaceData;
  readonly key: string;
  /** Left out: the key is removed. */
  readonly put?: { readonly content: Digest; readonly ttl?: number; readonly type?: string };
  /** Left out: there must be nothing. */
  readonly revision?: string;
}

/** How to wait for what a 202 promised. */
export type PollData = {
  /** Where to ask, if the answer has no Location. */
  readonly url?: string;
  /** ms between questions. */
  readonly every: number;
  /** ms in all. */
  readonly within: number;
  /** Fields of the answer that say that it is done. */
  readonly until?: { readonly [field: string]: Json };
};

/** What stands at a path that an operation takes the place of in one rename. */
export type Standing = "absent" | "file" | "symlink";

/** A program to run: an argv list, never a shell string. */
export interface Command {
  readonly argv: readonly string[];
  readonly cwd?: string;
  /** Added to what setpoint was started with. */
  readonly env?: { readonly [name: string]: string };
  readonly stdin?: string;
  readonly user?: string;
  /** Milliseconds; then the whole process group is ended. */
  readonly timeout?: number;
  /** Exit codes that mean success; left out: 0. */
  readonly ok?: readonly number[];
}
