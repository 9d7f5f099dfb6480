import type { JsonObject } from "./json.ts";
import type { Digest } from "./names.ts";
import type { Finding, HttpResponse, KeyedMessage, Network, PlaceData, RequestData, Sought, SqlResult, StoredValue } from "./network.ts";
import type { Command, SqlStatement } from "./operation.ts";
import type { Contents, PathSight } from "./sight.ts";

/** What lstat tells. Times in ms since 1970 with a fraction; `mode` is the permission bits only. */
export interface FileStat {
  readonly type: "file" | "directory" | "symlink" | "fifo" | "socket" | "block device" | "character device";
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  /** Allocated units of 512 bytes; fewer than size / 512 means holes. */
  readonly blocks: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly type: FileStat["type"];
}

/**
 * The POSIX calls that setpoint uses, one method a call, so that everything above runs on a simulation too.
 * Descriptors are numbers. All throw an error with an errno name in `code`, but for `lstat`, which answers undefined
 * for ENOENT and ENOTDIR. Nothing follows a symlink at the last step of a path, but `realpath`.
 */
export interface Files {
  openRead(path: string): number;
  openDirectory(path: string): number;
  /** O_WRONLY|O_CREAT|O_EXCL. */
  createNew(path: string, mode: number): number;
  /** O_RDWR|O_APPEND; created with 0600 where `create`. */
  openAppend(path: string, create: boolean): number;
  /** O_RDWR|O_CREAT 0600, for a lock. */
  openLock(path: string): number;
  /** O_RDWR on an existing file. */
  openWrite(path: string): number;
  close(fd: number): void;
  /** Reads at most `length` bytes at `position` (null: where the descriptor stands); 0 at the end. */
  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number;
  /** Writes all of the bytes at the descriptor's place; a short write goes on, one of 0 bytes is ENOSPC. */
  writeAll(fd: number, bytes: Uint8Array): void;
  /** The same at a place of its own. */
  writeAt(fd: number, bytes: Uint8Array, position: number): void;
  truncate(fd: number, size: number): void;
  fstat(fd: number): FileStat;
  lstat(path: string): FileStat | undefined;
  readDirectory(path: string): readonly DirectoryEntry[];
  readLink(path: string): string;
  realpath(path: string): string;
  makeDirectory(path: string, mode: number): void;
  removeDirectory(path: string): void;
  unlink(path: string): void;
  rename(from: string, to: string): void;
  link(existing: string, path: string): void;
  symlink(to: string, path: string): void;
  chmod(fd: number, mode: number): void;
  chown(fd: number, uid: number, gid: number): void;
  /** lchown: of a symlink itself, which no descriptor can stand for. */
  chownLink(path: string, uid: number, gid: number): void;
  /** fsync; never retried (W5). */
  sync(fd: number): void;
  syncData(fd: number): void;
  /** Many at once; rejects with the first failure after all have ended. */
  syncAll(fds: readonly number[]): Promise<void>;
  /** syncfs of the file system that holds an open directory; false where there is no such call. */
  syncFileSystem(directory: number): Promise<boolean>;
  /** Shares the blocks of one file with a new one; false where the file system cannot. */
  clone(from: string, to: string): boolean;
  freeSpace(path: string): { readonly bytes: number; readonly files: number; readonly fileSystem: number };
  /** Extended attributes by path, then by name, values in hex; a path without any has no entry. */
  xattrs(paths: readonly string[]): ReadonlyMap<string, { readonly [name: string]: string }>;
  setXattrs(path: string, attributes: { readonly [name: string]: string }): void;
}

/** How a child process ended. */
export interface Ran {
  /** Undefined where a signal ended it or it could not be started. */
  readonly code?: number;
  readonly signal?: string;
  readonly timedOut?: true;
  /** Why it could not be started, an errno name. */
  readonly failed?: string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Processes {
  /**
   * Runs a program in its own process group and waits for it. `live`: a descriptor that the child keeps open as its
   * descriptor 3. Output over 1 MiB a stream is cut in the middle.
   */
  run(command: Command, live?: number): Promise<Ran>;
  /** The same, while nothing else happens; for input sources. */
  runNow(command: Command): Ran;
  /** Takes the flock of an open descriptor without waiting. */
  lock(fd: number): "locked" | "held";
  /** Whether a program of that name or path can be run. */
  has(program: string): boolean;
  /** Ends all running children and their groups. */
  endAll(): void;
}

export interface Clock {
  /** Wall time in ms since 1970: information, never a reason. */
  now(): number;
  /** ms since boot, not set back by anyone. */
  mono(): number;
  bootId(): string;
  sleep(ms: number): Promise<void>;
}

export interface Chance {
  bytes(count: number): Uint8Array;
}

/** Who runs setpoint and where. */
export interface Host {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly home: string;
  readonly cwd: string;
  /** As setpoint was started with; children get it. */
  readonly umask: number;
  readonly env: { readonly [name: string]: string | undefined };
  readonly platform: string;
  /** As uname -m says, such as x86_64. */
  readonly arch: string;
}

/** All effects. Handed to whoever acts. */
export interface System {
  readonly files: Files;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly host: Host;
  readonly network: Network;
}

/** What may only look. Handed to kinds and types. */
export interface Reader {
  readonly contents: Contents;
  /**
   * What stands at each path, in the same order; regular files are read whole for their digest.
   * Throws SystemFault where a path cannot be judged (no permission, I/O error). `again`: a path whose device, inode,
   * size and times are as at this process's last look is not read again.
   */
  lookAt(paths: readonly string[], options?: { readonly again?: boolean }): readonly PathSight[];
  /** The entries of a directory sorted by name; undefined where there is no directory. */
  list(path: string): readonly DirectoryEntry[] | undefined;
  /** The path with its parent's symlinks resolved; the last step is left as it is. */
  resolve(path: string): string;
  /** The digest and metadata of a source file; undefined where there is none. Symlinks are followed. */
  source(path: string): { readonly content: Digest; readonly mode: number; readonly size: number } | undefined;
  /** Whether two paths are names of one file. */
  sameFile(a: string, b: string): boolean;
  /** The device that holds what stands at a path; undefined where nothing does. */
  device(path: string): number | undefined;
  xattrs(paths: readonly string[]): ReadonlyMap<string, { readonly [name: string]: string }>;
  /** Runs a program that must only look; an exit code outside `answers` throws SystemFault. */
  ask(command: Command, answers: readonly number[] | "any"): Promise<Ran>;
  /** What the ledger holds under a receipt's key. */
  receipt(key: string): Receipt | undefined;
  /** What may only look at other machines. */
  readonly remote: Remote;
  /** The name of an owner or group as states have it: a number with a name becomes the name. */
  ownerName(owner: string): string;
  groupName(group: string): string;
  /** False under --no-commands: guards stay unknown. */
  readonly mayAsk: boolean;
}

/** Questions to other machines, which change nothing there; sent again while that may help. They throw SystemFault. */
export interface Remote {
  /** 2xx, 404 and 410 are answers; anything else is a fault. */
  http(request: RequestData & { readonly method: "GET" | "HEAD" | "OPTIONS" }): Promise<HttpResponse>;
  /** What can be found out about a message that may or may not have been sent. */
  message(broker: PlaceData, message: KeyedMessage, sought: Sought): Promise<Finding>;
  /** What a store has under a key. */
  stored(store: PlaceData, key: string): Promise<StoredValue | undefined>;
  /**
   * The rows of a question to a database, in a transaction that can only read; undefined where the database does not exist
   * (a server that does not answer is a fault). `after`: the name of a lock; what another transaction under it began must have ended.
   */
  sql(question: SqlQuestion): Promise<SqlResult["rows"] | undefined>;
}

export type SqlQuestion = SqlStatement & {
  readonly url: string;
  readonly after?: string;
  readonly timeout?: number;
};

/** That something was done, and when it was done for what. */
export interface Receipt {
  readonly run: string;
  /** Wall ms. */
  readonly at: number;
  /** Fingerprint of what was sent. */
  readonly payload?: string;
  /** The other side's answer, a content that is always sensitive. */
  readonly answer?: Digest;
  /** Nobody knows whether it happened: nothing is sent until that is answered. `sentAt`: wall ms; `mark` as in Doubt. */
  readonly doubt?: { readonly sentAt?: number; readonly mark?: JsonObject };
  /** For a debt: the digest and set count of each watched register at that time. */
  readonly watched?: { readonly [register: string]: string };
}
