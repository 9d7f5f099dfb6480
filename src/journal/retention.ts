import { type Digest, isKeyed, isRunId, type RegisterId, type RunId, type State, type System } from "../core/index.ts";
import { fault, readWhole } from "../system/index.ts";
import { writeBase } from "./base.ts";
import { syncDirectory } from "./durable.ts";
import { EventNotes, sentKey } from "./event-notes.ts";
import type { Ledger, RunLine } from "./ledger.ts";
import { isOpen } from "./run-state.ts";
import { removeStashes } from "./stashes.ts";
import { type LockedDirectory, removeTree, type StateDirectory } from "./state-directory.ts";

/** Which runs stay, besides the open ones and the newest of each stack: so many, or those of so many days, whichever is more. */
export interface RetentionRule {
  readonly keep: number;
  readonly days: number;
}

/** What retention gives up. */
export interface Retention {
  readonly runs: readonly RunId[];
  readonly blobs: readonly { readonly digest: Digest; readonly path: string; readonly size: number }[];
  /** Bytes of both. */
  readonly bytes: number;
}

/** How the kinds of registers say which contents a state names. */
export type ContentsOf = (register: RegisterId, state: State) => readonly Digest[];

const DAY = 24 * 60 * 60 * 1000;
/** A blob is made before what names it is written, so young ones are left alone. */
const YOUNG = 60 * 60 * 1000;
/** A run that is given up has this in front of its name until it is gone. */
const GOING = ".gc-";

/** What would be given up now; changes nothing. A run whose journal is damaged is never given up. */
export function judgeRetention(system: System, state: StateDirectory, ledger: Ledger, rule: RetentionRule): Retention {
  const runs = oldRuns(system, state, ledger, rule);
  const blobs = looseBlobs(system, state, ledger, new Set(runs));
  const inRuns = [...runs.map((run) => `${state.path}/runs/${run}`), ...goingFolders(system, state)].map((path) => sizeOf(system, path));
  const inBlobs = blobs.map(({ size }) => size);
  return { runs, blobs, bytes: [...inRuns, ...inBlobs].reduce((sum, size) => sum + size, 0) };
}

/**
 * Gives up old runs and the contents that nobody names any more: reliability.md §3, Retention. Killed anywhere, it can be
 * run again. Throws SystemFault.
 */
export function retain(system: System, state: LockedDirectory, rule: RetentionRule, contentsOf: ContentsOf): Retention {
  const { files } = system;
  const folder = `${state.path}/runs`;
  for (const path of goingFolders(system, state)) removeTree(system, path);
  state.sweep();
  const ledger = state.ledger();
  const judged = judgeRetention(system, state, ledger, rule);
  if (judged.runs.length > 0) {
    keepWhatIsOwned(state, ledger, new Set(judged.runs), contentsOf);
    // Both know what the journals say before the first of them goes.
    writeBase(files, system.clock, state.path, ledger);
    state.writeLedger(ledger);
    try {
      for (const run of judged.runs) {
        if (ledger.runs.get(run)?.stashes) removeStashes(files, state.runFolder(run).plan(), state.keys().tempPrefix(run), () => true);
      }
      for (const run of judged.runs) files.rename(`${folder}/${run}`, `${folder}/${GOING}${run}`);
      syncDirectory(files, folder);
    } catch (thrown) {
      throw fault(thrown, "putting old runs aside");
    }
    for (const run of judged.runs) removeTree(system, `${folder}/${GOING}${run}`);
  }
  for (const { path } of judged.blobs) files.unlink(path);
  removeStaleTemps(system, state);
  return judged;
}

function oldRuns(system: System, state: StateDirectory, ledger: Ledger, rule: RetentionRule): readonly RunId[] {
  const newestFirst = state.runs().toReversed();
  const since = system.clock.now() - rule.days * DAY;
  const stacks = new Set<string>();
  const sent = new EventNotes(system.files, state.path).sent();
  return newestFirst.filter((run, index) => {
    const line = ledger.runs.get(run);
    if (line === undefined) return false; // damaged: what it did is known to nobody else
    if (line.emits && line.status !== "abandoned" && !sent.has(sentKey({ run, as: line.status === "reverted" ? "failed" : "done" })))
      return false;
    const isNewest = !stacks.has(line.stack);
    stacks.add(line.stack);
    const size = system.files.lstat(`${state.path}/runs/${run}/journal`)?.size;
    return !isNewest && !isOpen(line.status) && !mayBeReverted(line) && index >= rule.keep && line.ended < since && line.size === size;
  });
}

/** Whether it may still have to be undone because nobody confirms it. */
function mayBeReverted({ confirm, kind, status }: RunLine): boolean {
  return confirm?.acted === true && confirm.confirmed === undefined && kind !== "revert" && status !== "abandoned";
}

/** What stands there of runs that an earlier, killed pass gave up. */
function goingFolders(system: System, state: StateDirectory): readonly string[] {
  const folder = `${state.path}/runs`;
  if (!system.files.lstat(folder)) return [];
  return system.files
    .readDirectory(folder)
    .filter(({ name, type }) => type === "directory" && name.startsWith(GOING) && isRunId(name.slice(GOING.length)))
    .map(({ name }) => `${folder}/${name}`);
}

/** The contents of what stood there before a stack first set it, which `--prune` puts back, move from packs to blobs. */
function keepWhatIsOwned(state: LockedDirectory, ledger: Ledger, going: ReadonlySet<RunId>, contentsOf: ContentsOf): void {
  for (const stack of ledger.stacks()) {
    for (const id of ledger.registersOf(stack)) {
      for (const { was, run } of ledger.ownedBy(stack, id)) {
        if (run === undefined || !going.has(run)) continue;
        for (const digest of contentsOf(id, was)) {
          if (isKeyed(digest) || state.blobs.hasDurably(digest)) continue;
          const bytes = state.runFolder(run).content(digest);
          if (bytes !== undefined) state.blobs.put(digest, bytes);
        }
      }
    }
  }
}

/**
 * Blobs that no kept run, no owned state and no receipt names, and that are not young. Whatever looks like a digest
 * counts as one that is named.
 */
function looseBlobs(system: System, state: StateDirectory, ledger: Ledger, going: ReadonlySet<RunId>): Retention["blobs"] {
  const all = state.blobs.list();
  if (all.length === 0) return [];
  const named = new Set<string>();
  const note = (text: string) => {
    for (const [digest] of text.matchAll(/\b[0-9a-f]{64}\b/g)) named.add(digest);
  };
  const scan = (path: string) => note(readWhole(system.files, path)?.toString("latin1") ?? "");
  note(ledger.toText());
  for (const run of keptFolders(system, state, going)) {
    scan(`${run}/plan.json`);
    for (const { name } of system.files.readDirectory(run)) if (name.startsWith("journal")) scan(`${run}/${name}`);
  }
  const old = system.clock.now() - YOUNG;
  return all.flatMap(({ digest, path }) => {
    const stat = system.files.lstat(path);
    const loose = stat !== undefined && stat.mtimeMs < old && !named.has(digest.replace(/^keyed:/, ""));
    return loose ? [{ digest, path, size: stat.size }] : [];
  });
}

function keptFolders(system: System, state: StateDirectory, going: ReadonlySet<RunId>): readonly string[] {
  const folder = `${state.path}/runs`;
  if (!system.files.lstat(folder)) return [];
  return system.files
    .readDirectory(folder)
    .filter(({ name, type }) => type === "directory" && isRunId(name) && !going.has(name))
    .map(({ name }) => `${folder}/${name}`);
}

/** Halves of blobs that a killed process left. */
function removeStaleTemps(system: System, state: LockedDirectory): void {
  const { files, clock } = system;
  const folder = `${state.path}/blobs`;
  for (const { name, type } of files.readDirectory(folder)) {
    if (type !== "directory") continue;
    for (const entry of files.readDirectory(`${folder}/${name}`)) {
      const path = `${folder}/${name}/${entry.name}`;
      if (entry.name.endsWith(".new") && (files.lstat(path)?.mtimeMs ?? 0) < clock.now() - YOUNG) files.unlink(path);
    }
  }
}

function sizeOf(system: System, path: string): number {
  const stat = system.files.lstat(path);
  if (stat?.type !== "directory") return stat?.size ?? 0;
  return system.files.readDirectory(path).reduce((sum, { name }) => sum + sizeOf(system, `${path}/${name}`), 0);
}
