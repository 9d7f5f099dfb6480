import { type Digest, isRunId, type Plan, type RunId, type System, SystemFault } from "../core/index.ts";
import { fault, readWhole } from "../system/index.ts";
import { readBase } from "./base.ts";
import { Blobs } from "./blobs.ts";
import { makeDirectories, syncDirectory, syncWay, writeDurably } from "./durable.ts";
import { type Keys, keysFrom } from "./keys.ts";
import { Ledger, readLedger, writeLedger } from "./ledger.ts";
import { lockHolder } from "./lock-holder.ts";
import { recordUnreadable } from "./record-run.ts";
import { RunFolder } from "./run-folder.ts";
import { readJournal, strangeRecord } from "./run-journal.ts";
import { runState } from "./run-state.ts";
import { type ToldRun, takeNews } from "./turns.ts";

/** statfs types of file systems whose locks or syncs do not hold: NFS, CIFS, SMB2, 9p, FUSE. */
const WEAK: ReadonlySet<number> = new Set([0x6969, 0xff534d42, 0xfe534d42, 0x517b, 0x01021997, 0x65735546]);

const FORMAT = 1;

/** The folder of journals, contents and ledger. This face only reads; `lock` gives the one that writes. */
export class StateDirectory {
  readonly path: string;
  protected readonly system: System;
  private keysRead: Keys | undefined;
  private readonly readers = new Map<RunId, RunFolder>();
  readonly blobs: Blobs;

  constructor(system: System, path: string) {
    this.system = system;
    this.path = path;
    this.blobs = new Blobs(system.files, `${path}/blobs`, () => this.keys());
  }

  exists(): boolean {
    return this.system.files.lstat(this.path) !== undefined;
  }

  /** Refuses a layout of a newer version. */
  checkFormat(): void {
    const found = this.format();
    if (found && found.format > FORMAT)
      throw new SystemFault(
        "newer-state",
        `${this.path} has the layout ${found.format} of a newer setpoint; this version knows ${FORMAT}: use the version that wrote it`,
      );
  }

  private format(): Format | undefined {
    const text = readWhole(this.system.files, `${this.path}/format`)?.toString("utf8");
    if (text === undefined) return undefined;
    const found = readFormat(text);
    if (found === undefined)
      throw new SystemFault(
        "damaged-state",
        `${this.path}/format is damaged: restore it from a backup; or remove it, and the next apply writes it anew`,
      );
    return found;
  }

  /** The keys; throws SystemFault where there are none. */
  keys(): Keys {
    if (!this.keysRead) {
      const secret = readWhole(this.system.files, `${this.path}/keys`);
      if (!secret) throw new SystemFault("no-keys", `${this.path}/keys is missing: sensitive contents of earlier runs cannot be read`);
      const keys = keysFrom(secret);
      const mark = this.format()?.keys;
      // Other keys would find no temporary file of a killed run, and take every sensitive content for another.
      if (secret.length !== 32 || (mark !== undefined && mark !== markOf(keys)))
        throw new SystemFault(
          "damaged-keys",
          `${this.path}/keys is not what ${this.path}/format says of it: one of them is damaged. Restore them from a backup; or remove both, and new ones are made, but the sensitive contents of earlier runs are lost`,
        );
      this.keysRead = keys;
    }
    return this.keysRead;
  }

  hasKeys(): boolean {
    return this.system.files.lstat(`${this.path}/keys`) !== undefined;
  }

  runFolder(run: RunId): RunFolder {
    return new RunFolder(this.system.files, `${this.path}/runs/${run}`, run);
  }

  /** All runs that have a journal, oldest first. */
  runs(): readonly RunId[] {
    const folder = `${this.path}/runs`;
    if (!this.system.files.lstat(folder)) return [];
    const names = this.system.files.readDirectory(folder).filter((entry) => entry.type === "directory" && isRunId(entry.name));
    return names
      .map((entry) => entry.name as RunId)
      .filter((run) => this.system.files.lstat(`${folder}/${run}/journal`))
      .sort();
  }

  /**
   * The ledger with the news of all journals that are longer than it knows: a run that is under way or was killed.
   * Without a ledger it is rebuilt. A run whose journal or plan cannot be read is in it as an open one.
   */
  ledger(): Ledger {
    const path = `${this.path}/ledger`;
    return this.system.files.lstat(path) ? this.replay(readLedger(this.system.files, path)) : this.rebuiltLedger();
  }

  /** The ledger from what `gc` kept of the journals that are gone and from the journals that are there, whatever the ledger says. */
  rebuiltLedger(): Ledger {
    return this.replay(readBase(this.system.files, this.path) ?? new Ledger());
  }

  private replay(ledger: Ledger): Ledger {
    const news: ToldRun[] = [];
    for (const run of this.runs()) {
      const known = ledger.runs.get(run);
      const size = this.system.files.lstat(`${this.path}/runs/${run}/journal`)?.size ?? 0;
      if (known?.size === size) continue;
      const folder = this.runFolder(run);
      const parsed = readJournal(this.system.files, folder.path, run);
      if (!parsed) continue;
      const state = runState(parsed.records);
      // What the ledger took in was durable: a journal with less is damaged.
      const isDamaged = parsed.rest === "damaged" || parsed.length < (known?.size ?? 0);
      if (!state || isDamaged || strangeRecord(parsed.records) !== undefined) {
        recordUnreadable(ledger, run, state?.stack ?? known?.stack ?? stackOf(folder), state, "interrupted");
        continue;
      }
      this.settle(folder);
      news.push({ run, records: parsed.records, ends: parsed.ends, plan: () => folder.plan() });
    }
    takeNews(ledger, news);
    return ledger;
  }

  /** All runs whose journal and plan can be read, oldest first; the others are named in `unreadable`. */
  toldRuns(unreadable: RunId[]): readonly ToldRun[] {
    return this.runs().flatMap((run) => {
      const folder = this.runFolder(run);
      const parsed = readJournal(this.system.files, folder.path, run);
      try {
        if (
          parsed !== undefined &&
          parsed.records[0]?.t === "begin" &&
          parsed.rest !== "damaged" &&
          folder.plan().digest === parsed.records[0].plan
        )
          return [{ run, records: parsed.records, ends: parsed.ends, plan: () => folder.plan() }];
      } catch (thrown) {
        if (!(thrown instanceof SystemFault)) throw thrown;
      }
      unreadable.push(run);
      return [];
    });
  }

  /** What a journal tells goes into the ledger now. Who only reads has nothing to do for that. */
  protected settle(_run: RunFolder): void {}

  /** A content that a run or a blob keeps. */
  content(digest: Digest, runs: readonly RunId[]): Buffer | undefined {
    for (const run of runs) {
      const folder = this.readers.get(run) ?? this.runFolder(run);
      // Kept, as each folder reads through its packs once; what a pack got since then is looked for where it lacks something.
      this.readers.set(run, folder);
      const bytes = folder.content(digest);
      if (bytes) return bytes;
    }
    return this.blobs.get(digest);
  }

  /** Who holds the lock, for a message; empty where nobody does or the system does not tell. */
  holder(): string {
    const pid = lockHolder(this.system, `${this.path}/lock`);
    return pid === undefined ? "" : `process ${pid}`;
  }
}

/** The same directory with its lock held: what may write. */
export class LockedDirectory extends StateDirectory {
  private readonly fd: number;

  private constructor(system: System, path: string, fd: number) {
    super(system, path);
    this.fd = fd;
  }

  /**
   * Makes the directory if it is missing, checks that nobody else can write to it, and takes its lock. Undefined where
   * another process holds it for longer than `patience` ms.
   */
  static async lock(
    system: System,
    path: string,
    options: { readonly patience: number; readonly weak: boolean },
  ): Promise<LockedDirectory | undefined> {
    const { files, host } = system;
    try {
      makeDirectories(files, path, 0o700);
    } catch (thrown) {
      throw fault(thrown, `making the state directory ${path}`);
    }
    const stat = files.lstat(path);
    if (stat?.type !== "directory")
      throw new SystemFault(
        "bad-state-directory",
        `${path} is ${stat?.type === "symlink" ? "a symlink" : "no directory"}: the state directory must be a real one`,
      );
    if (stat.uid !== host.uid)
      throw new SystemFault(
        "bad-state-directory",
        `${path} belongs to the account ${stat.uid} and setpoint runs as ${host.uid}: another account could change what a resume or a revert does`,
      );
    if ((stat.mode & 0o022) !== 0) throw new SystemFault("bad-state-directory", `others can write to ${path}: chmod 0700 it`);
    if (!options.weak && WEAK.has(files.freeSpace(path).fileSystem)) {
      throw new SystemFault(
        "weak-state-directory",
        `${path} is on a network or user-space file system, whose locks and syncs may not hold; use --state-dir on a local one, or --allow-weak-state-dir`,
      );
    }
    let fd: number;
    try {
      fd = files.openLock(`${path}/lock`);
    } catch (thrown) {
      throw fault(thrown, `opening ${path}/lock`);
    }
    const until = system.clock.mono() + options.patience;
    while (system.processes.lock(fd) === "held") {
      if (system.clock.mono() >= until) {
        files.close(fd);
        return undefined;
      }
      await system.clock.sleep(100);
    }
    const directory = new LockedDirectory(system, path, fd);
    directory.begin();
    return directory;
  }

  private begin(): void {
    const { files } = this.system;
    this.checkFormat();
    const made = this.hasKeys() ? undefined : this.system.chance.bytes(32);
    if (made) writeDurably(files, `${this.path}/keys`, made);
    if (made || !files.lstat(`${this.path}/format`)) {
      const keys = markOf(made ? keysFrom(made) : this.keys());
      writeDurably(files, `${this.path}/format`, `${JSON.stringify({ format: FORMAT, min: 1, keys })}\n`);
    }
    if (!files.lstat(`${this.path}/runs`)) makeDirectories(files, `${this.path}/runs`, 0o700);
    if (!files.lstat(`${this.path}/blobs`)) makeDirectories(files, `${this.path}/blobs`, 0o700);
  }

  /** W4: the ledger will be durable, so what a killed process left in memory alone must be before it. */
  protected override settle({ path }: RunFolder): void {
    const { files } = this.system;
    try {
      const fd = files.openAppend(`${path}/journal`, false);
      try {
        files.sync(fd);
      } finally {
        files.close(fd);
      }
    } catch (thrown) {
      throw fault(thrown, `making ${path}/journal durable`);
    }
  }

  /** A new run's folder with its plan and contents, durable before anything names them. */
  createRun(run: RunId, plan: string): RunFolder {
    const { files } = this.system;
    const path = `${this.path}/runs/${run}`;
    try {
      // A run that has a journal proves that what it stands in is durable. Before the first one nothing does.
      if (this.runs().length === 0) syncWay(files, this.path);
      files.makeDirectory(path, 0o700);
      files.makeDirectory(`${path}/live`, 0o700);
      writeDurably(files, `${path}/plan.json`, plan);
      syncDirectory(files, `${this.path}/runs`);
    } catch (thrown) {
      throw fault(thrown, `making the run's folder ${path}`);
    }
    return this.runFolder(run);
  }

  /** Takes a run's news into the ledger and writes it. `plan`: as it was frozen, to the letter. */
  record(ledger: Ledger, plan: Plan, run: RunFolder): void {
    const parsed = readJournal(this.system.files, run.path, run.run);
    if (!parsed) return;
    takeNews(ledger, [{ run: run.run, records: parsed.records, ends: parsed.ends, plan: () => plan }]);
    this.writeLedger(ledger);
  }

  writeLedger(ledger: Ledger): void {
    writeLedger(this.system.files, `${this.path}/ledger`, ledger);
  }

  /** Removes what began to be a run and has no journal. */
  sweep(): void {
    const { files } = this.system;
    for (const entry of files.readDirectory(`${this.path}/runs`)) {
      if (entry.type !== "directory" || !isRunId(entry.name)) continue;
      const path = `${this.path}/runs/${entry.name}`;
      if (!files.lstat(`${path}/journal`)) removeTree(this.system, path);
    }
  }

  unlock(): void {
    this.system.files.close(this.fd);
  }
}

/** Removes a folder of ours and all in it. */
export function removeTree(system: System, path: string): void {
  const { files } = system;
  for (const entry of files.readDirectory(path)) {
    const inner = `${path}/${entry.name}`;
    if (entry.type === "directory") removeTree(system, inner);
    else files.unlink(inner);
  }
  files.removeDirectory(path);
}

/** The stack of a run whose journal does not tell it. */
function stackOf(folder: RunFolder): string {
  try {
    return folder.plan().stack;
  } catch (thrown) {
    if (thrown instanceof SystemFault) return "unknown"; // nothing is left that would tell
    throw thrown;
  }
}

/** The layout's version, and by what the keys are known again. */
interface Format {
  readonly format: number;
  readonly keys?: string;
}

function markOf(keys: Keys): string {
  return keys.fingerprint("keys").slice("keyed:".length, "keyed:".length + 16);
}

function readFormat(text: string): Format | undefined {
  try {
    const { format, keys } = JSON.parse(text) as { format?: unknown; keys?: unknown };
    if (!Number.isInteger(format) || (format as number) < 1) return undefined;
    return { format: format as number, ...(typeof keys === "string" && { keys }) };
  } catch {
    return undefined; // not JSON: the caller says that the file is damaged
  }
}
