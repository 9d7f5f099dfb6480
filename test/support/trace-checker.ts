import { type Change, type HttpRequest, type KeyedMessage, type Plan, type RunId, sha256, type TryEnds } from "../../src/core/index.ts";
import { type JournalRecord, type Keys, keysFrom, parseJournal, type RunState, runState } from "../../src/journal/index.ts";
import type { Disk, Inode, SimulatedFiles } from "../../src/system/simulated/index.ts";
import { durableAt, durableNames } from "./durable-view.ts";
import type { Call, Watcher } from "./mortal-system.ts";

const TEMP = /^(\.[a-z2-7]{16})-(\d+)-(\d+)(\.\d+)?$/;
/** Statements that leave something behind, other than the table in which receipts stand. */
const CHANGES = /^\s*(?!BEGIN|ROLLBACK|START|SAVEPOINT|PRAGMA|CREATE TABLE IF NOT EXISTS setpoint_)/i;
const STASH = /^(\.[a-z2-7]{16})-(\d+)-stash$/;

/** Whether a name is one that setpoint uses for a file on its way to its place; a stash is none. */
export function isTemp(name: string): boolean {
  return TEMP.test(name);
}

export function isStash(name: string): boolean {
  return STASH.test(name);
}

/** A run as a power cut at this moment would leave it, and as its process sees it. */
interface DurableRun {
  readonly run: RunId;
  readonly folder: Inode;
  readonly prefix: string;
  readonly plan: Plan;
  readonly records: readonly JournalRecord[];
  /** Written and not durable yet. */
  readonly later: readonly JournalRecord[];
}

/**
 * Looks on at each mutating call of a process and holds it against what is durable at that moment, as the bytes of the
 * simulated disk tell it:
 *
 * - I8: nothing outside the state directory is changed without a durable intent that names it and, where a content goes,
 *   a durable before-image; a temp file stands only where recovery of a durable run will look for it.
 *   A request to another machine leaves only once that is durably recorded.
 * - I17: what failed to sync is never synced again, and after a failed sync nothing outside is changed any more.
 */
export class TraceChecker implements Watcher {
  readonly violations: string[] = [];
  /** Calls that changed something outside the state directory. */
  outside = 0;
  private readonly disk: Disk;
  private readonly files: SimulatedFiles;
  private readonly state: string;
  private readonly failedSyncs = new Set<string>();
  private syncFailed = "";

  constructor(disk: Disk, files: SimulatedFiles, state: string) {
    this.disk = disk;
    this.files = files;
    this.state = state;
  }

  before(call: Call): void {
    const { name, given } = call;
    if (name.startsWith("sync")) {
      for (const path of this.synced(call)) if (this.failedSyncs.has(path)) this.object(`I17: ${path} is synced again after that failed`);
      return;
    }
    if (name === "run") {
      if (given[1] !== undefined) this.checkProgram(this.files.nameOf(given[1] as number));
      return;
    }
    if (name === "request" || name === "publish" || name === "query") {
      if (name === "query" && !CHANGES.test(given[0] as string)) return;
      this.outside += 1;
      if (this.syncFailed !== "") this.object(`I17: a ${name} after a failed sync (${this.syncFailed})`);
      if (name === "request") this.checkRequest(given[0] as HttpRequest);
      else if (name === "publish") this.checkMessage(given[0] as KeyedMessage);
      else this.checkStatement(given[0] as string);
      return;
    }
    for (const path of this.changed(call)) {
      if (this.isInside(path)) continue;
      this.outside += 1;
      this.check(call, path);
    }
  }

  failed(call: Call): void {
    if (!call.name.startsWith("sync")) return;
    for (const path of this.synced(call)) this.failedSyncs.add(path);
    this.syncFailed = `${call.name} of ${[...this.failedSyncs].join(", ")}`;
  }

  private object(text: string): void {
    this.violations.push(text);
  }

  private isInside(path: string): boolean {
    return path === this.state || path.startsWith(`${this.state}/`);
  }

  private synced({ name, given }: Call): readonly string[] {
    if (name === "syncFileSystem") return [];
    const fds = name === "syncAll" ? (given[0] as readonly number[]) : [given[0] as number];
    return fds.map((fd) => this.files.nameOf(fd));
  }

  /** The paths whose names, content or attributes a call changes. */
  private changed({ name, given }: Call): readonly string[] {
    switch (name) {
      case "writeAll":
      case "writeAt":
      case "truncate":
      case "chmod":
      case "chown":
        return [this.files.nameOf(given[0] as number)];
      case "rename":
        return [this.files.unpinned(given[0] as string), this.files.unpinned(given[1] as string)];
      case "link":
      case "symlink":
      case "clone":
        return [this.files.unpinned(given[1] as string)];
      default:
        return [this.files.unpinned(given[0] as string)];
    }
  }

  private check(call: Call, path: string): void {
    const base = path.slice(path.lastIndexOf("/") + 1);
    const own = TEMP.exec(base) ?? STASH.exec(base);
    const what = `${call.name} ${path}`;
    if (this.syncFailed !== "" && !(own && call.name === "unlink")) this.object(`I17: ${what} after a failed sync (${this.syncFailed})`);
    const runs = this.runs();
    if (own) {
      const run = runs.find(({ prefix }) => prefix === own[1]);
      if (!run) this.object(`I8: ${what}: a temp file of a run that is not durable`);
      else if (!pathsOf(run.plan).folders.has(path.slice(0, path.lastIndexOf("/")) || "/"))
        this.object(`I8: ${what}: a temp file where recovery does not look`);
      return;
    }
    const named = runs.some((run) => (pathsOf(run.plan).steps.get(path) ?? []).some((n) => isUnderWay(run, n)));
    if (!named) this.object(`I8: ${what}: no durable intent names it`);
    this.checkBeforeImage(call, path, runs, what);
  }

  /** W1: what a call takes away can be had again after a power cut. */
  private checkBeforeImage({ name, given }: Call, path: string, runs: readonly DurableRun[], what: string): void {
    if (!["rename", "unlink", "truncate"].includes(name)) return;
    const standing = this.inodeAt(path);
    if (standing?.type !== "file") return;
    if (name === "rename") {
      const source = this.inodeAt(this.files.unpinned(given[0] as string));
      if (source === standing || source?.durableData.equals(standing.data)) return;
    }
    if (runs.some((run) => keeps(this.disk, run, standing.data)) || this.hasBlob(standing.data)) return;
    if (name !== "truncate" && standing.durableData.equals(standing.data) && durableNames(this.disk, standing.ino) > 1) return;
    if (runs.some((run) => run.plan.changes.some((change) => change.register.key === path && change.manner?.undo === "none"))) return;
    this.object(`I8: ${what}: its content (${standing.data.length} bytes) is kept nowhere`);
  }

  private checkProgram(live: string): void {
    const place = /\/runs\/([^/]+)\/live\/(\d+)$/.exec(live);
    if (this.syncFailed !== "") this.object(`I17: a program was started after a failed sync (${this.syncFailed})`);
    const run = this.runs().find((one) => one.run === place?.[1]);
    if (!run || !isUnderWay(run, Number(place?.[2]))) this.object(`I8: a program was started without a durable intent (${live})`);
  }

  /** What another machine is told is recorded first: an effect under its key, an object by the intent of its register. */
  private checkRequest({ method, url, headers }: HttpRequest): void {
    const what = `${method} ${url}`;
    const key = headers?.["idempotency-key"]?.replaceAll('"', "");
    const runs = this.runs();
    const isTold =
      key === undefined
        ? runs.some((run) =>
            run.plan.changes.some(
              (change) =>
                (change.register.kind === "http" && change.register.key === url && isUnderWay(run, change.n)) ||
                mayEnd(run, change, { method, url }),
            ),
          )
        : runs.some(({ records }) => tellsOf(records, key));
    if (!isTold) this.object(`I8: ${what}: no durable record says that it leaves`);
  }

  private checkMessage({ to, key }: KeyedMessage): void {
    const isTold = this.runs().some(({ records }) => tellsOf(records, key));
    if (!isTold) this.object(`I8: a message to ${to}: no durable record says that it leaves`);
  }

  private checkStatement(text: string): void {
    const isTold = this.runs().some((run) => run.plan.changes.some(({ n, register }) => register.kind !== "path" && isUnderWay(run, n)));
    if (!isTold) this.object(`I8: ${text}: no durable intent is about anything in a database`);
  }

  private inodeAt(path: string): Inode | undefined {
    let inode = this.disk.root;
    for (const name of path.split("/").filter((part) => part !== "")) {
      const next = inode.entries.get(name);
      if (next === undefined) return undefined;
      inode = this.disk.inode(next);
    }
    return inode;
  }

  private keys(): Keys | undefined {
    const inode = durableAt(this.disk, `${this.state}/keys`);
    return inode?.durableData.length === 32 ? keysOf(inode.durableData) : undefined;
  }

  private hasBlob(bytes: Buffer): boolean {
    const keys = this.keys();
    const digest = sha256(bytes);
    if (durableAt(this.disk, `${this.state}/blobs/${digest.slice(0, 2)}/${digest}`)?.durableData.equals(bytes)) return true;
    const print = keys?.fingerprint(bytes).slice("keyed:".length) ?? "";
    const sealed = durableAt(this.disk, `${this.state}/blobs/${print.slice(0, 2)}/k-${print}`);
    try {
      return sealed !== undefined && keys?.open(sealed.durableData).equals(bytes) === true;
    } catch {
      return false; // half of a blob is durable, which is as good as none
    }
  }

  /** The runs whose journal, plan and names are durable. */
  private runs(): readonly DurableRun[] {
    const keys = this.keys();
    const folder = durableAt(this.disk, `${this.state}/runs`);
    if (!folder || !keys) return [];
    const found: DurableRun[] = [];
    for (const [name] of folder.durableEntries) {
      const path = `${this.state}/runs/${name}`;
      const journal = durableAt(this.disk, `${path}/journal`);
      const plan = planOf(durableAt(this.disk, `${path}/plan.json`)?.durableData ?? Buffer.alloc(0));
      const inner = durableAt(this.disk, path);
      if (!journal || !plan || !inner) continue;
      const records = recordsOf(journal.durableData, name);
      if (records.length === 0) continue;
      found.push({
        run: name as RunId,
        folder: inner,
        prefix: keys.tempPrefix(name),
        plan,
        records,
        later: recordsOf(journal.data, name).slice(records.length),
      });
    }
    return found;
  }
}

const parsed = new WeakMap<Buffer, readonly JournalRecord[]>();
const folds = new WeakMap<readonly JournalRecord[], RunState>();
const plans = new WeakMap<Buffer, Plan>();
const keysKnown = new WeakMap<Buffer, Keys>();
const packs = new WeakMap<Buffer, ReadonlySet<string>>();

function keysOf(bytes: Buffer): Keys {
  const known = keysKnown.get(bytes) ?? keysFrom(bytes);
  keysKnown.set(bytes, known);
  return known;
}

function recordsOf(bytes: Buffer, run: string): readonly JournalRecord[] {
  const known = parsed.get(bytes) ?? parseJournal(bytes, run).records;
  parsed.set(bytes, known);
  return known;
}

function foldOf(records: readonly JournalRecord[]): RunState | undefined {
  const known = folds.get(records) ?? runState(records);
  if (known) folds.set(records, known);
  return known;
}

/** Undefined where what is durable of it is no plan. */
function planOf(bytes: Buffer): Plan | undefined {
  const known = plans.get(bytes);
  if (known) return known;
  try {
    const plan = JSON.parse(bytes.toString("utf8")) as Plan;
    plans.set(bytes, plan);
    return plan;
  } catch {
    return undefined; // cut off: a power cut now would leave a run that can neither be resumed nor reverted
  }
}

/** The paths that a plan is about, with the numbers of their steps, and the folders in which recovery looks for temp files. */
interface Paths {
  readonly steps: ReadonlyMap<string, readonly number[]>;
  readonly folders: ReadonlySet<string>;
}

const paths = new WeakMap<Plan, Paths>();

function pathsOf(plan: Plan): Paths {
  const known = paths.get(plan);
  if (known) return known;
  const steps = new Map<string, number[]>();
  const folders = new Set<string>();
  for (const { n, register } of [...plan.changes, ...plan.steady]) {
    if (register.kind !== "path") continue;
    steps.set(register.key, [...(steps.get(register.key) ?? []), n]);
    folders.add(register.key.slice(0, register.key.lastIndexOf("/")) || "/");
  }
  const found = { steps, folders };
  paths.set(plan, found);
  return found;
}

/** Whether the last that is said of an action is an intent, or an undo, and that is durable. */
function isUnderWay({ records, later }: DurableRun, n: number): boolean {
  if (later.some((record) => names(record, n))) return false;
  const status = foldOf(records)?.steps.get(n)?.status;
  return status === "intended" || status === "undoing";
}

function names(record: JournalRecord, n: number): boolean {
  if ("action" in record) return record.action === n;
  if (!("n" in record)) return false;
  return record.n.some((from, place) => place % 2 === 0 && from <= n && n <= (record.n[place + 1] as number));
}

/** Whether a record says that something leaves under a key. */
function tellsOf(records: readonly JournalRecord[], key: string): boolean {
  return records.some((record) => "key" in record && record.key === key);
}

/** Whether one of the run's packs has a content, durable with its bytes and its name. */
function keeps(disk: Disk, { folder }: DurableRun, bytes: Buffer): boolean {
  const digest = sha256(bytes);
  return ["before.pack", "after.pack"].some((name) => {
    const ino = folder.durableEntries.get(name);
    return ino !== undefined && contentsOf(disk.inode(ino).durableData).has(digest);
  });
}

function contentsOf(bytes: Buffer): ReadonlySet<string> {
  const known = packs.get(bytes);
  if (known) return known;
  const found = new Set<string>();
  for (let at = 0; at + 74 <= bytes.length; ) {
    const [digest, size] = bytes.toString("latin1", at, at + 73).split(" ") as [string, string];
    const from = at + 74;
    const content = bytes.subarray(from, from + Number.parseInt(size, 16));
    if (sha256(content) === digest) found.add(digest);
    at = from + content.length + 1;
  }
  packs.set(bytes, found);
  return found;
}

/** Whether a request ends a participant of a two-phase transaction as the durable records allow: it is confirmed once that is decided. */
function mayEnd(run: DurableRun, { n, register, transaction }: Change, { method, url }: Pick<HttpRequest, "method" | "url">): boolean {
  const { ends } = (register.about?.effect ?? {}) as { readonly ends?: TryEnds };
  const fits = (end: TryEnds["confirm"] | undefined) =>
    end?.method === method &&
    new RegExp(
      `^${end.url
        .split(/\{[\w.]+\}/)
        .map(literally)
        .join(".+")}$`,
    ).test(url);
  const isDecided = run.records.some((record) => record.t === "decide" && record.transaction === transaction && record.to === "commit");
  return foldOf(run.records)?.steps.get(n)?.acted === true && (isDecided ? fits(ends?.confirm) : fits(ends?.cancel));
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
