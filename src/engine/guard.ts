import {
  type Change,
  error,
  type Plan,
  type Problem,
  type Reader,
  type Register,
  type RegisterKind,
  registerId,
  type State,
  type Step,
  type System,
} from "../core/index.ts";
import { type Fingerprint, matches } from "./compare.ts";
import { readAll } from "./read.ts";

/** A register that is no longer as the plan found it. */
export interface Moved {
  readonly step: Step;
  readonly found: State;
  readonly resources: Change["resources"];
}

/**
 * What moved since a plan was made, changes and steady registers alike; tentative steps are judged at their turn.
 * Throws SystemFault where something cannot be read.
 */
export async function movedSince(
  plan: Plan,
  kinds: ReadonlyMap<string, RegisterKind>,
  reader: Reader,
  fingerprint: Fingerprint,
): Promise<readonly Moved[]> {
  const steps = firstSteps(plan);
  const found = await readAll(
    steps.map(({ register }) => register),
    kinds,
    reader,
  );
  const changes = new Map(plan.changes.map((change) => [change.n, change]));
  return steps.flatMap((step, index) => {
    const state = found[index] as State;
    // Fields that only removal needs are not part of a plain reading.
    if (matches(state, withoutExtras(step.before, state), fingerprint)) return [];
    return [{ step, found: state, resources: changes.get(step.n)?.resources ?? placesOf(plan, step) }];
  });
}

/** A register's first step; later ones begin where the plan itself leads. */
function firstSteps(plan: Plan): readonly Step[] {
  const seen = new Set<string>();
  return [...plan.changes, ...plan.steady]
    .sort((a, b) => a.n - b.n)
    .filter((step) => {
      const id = registerId(step.register);
      if (seen.has(id)) return false;
      seen.add(id);
      return step.tentative === undefined;
    });
}

/** A state without the fields that a plain reading does not give (`enrich`). */
export function withoutExtras(expected: State, found: State): State {
  if (expected.xattrs === undefined || found.xattrs !== undefined) return expected;
  const { xattrs: _, ...rest } = expected;
  return rest as State;
}

function placesOf(plan: Plan, step: Step): Change["resources"] {
  const [first] = step.settings;
  const resource = plan.resources[plan.settings[first ?? -1]?.by ?? -1];
  return resource ? [{ address: resource.address, at: resource.at }] : [];
}

/** Changes that cannot be undone and that nobody allowed. */
export function irreversibleProblems(plan: Plan, allowed: boolean): readonly Problem[] {
  if (allowed) return [];
  return plan.changes
    .filter((change) => change.label === "irreversible" && change.manner?.undo !== "none")
    .map((change) => {
      const [first] = change.resources;
      return error(
        "irreversible",
        "a change that cannot be undone",
        `${change.register.key} has no \`undo\`: give it one, say \`undo: none\` on the resource, or use --allow-irreversible`,
        first?.at,
        first?.address,
      );
    });
}

/** Bytes kept free besides what is known to be needed. */
const MARGIN = 4 << 20;

/**
 * Whether the file systems have room for new contents, the old ones and the journal. `sizeOf` gives a content's bytes.
 * Throws nothing: a file system that cannot be asked is judged when it is written to.
 */
export function roomProblems(
  plan: Plan,
  system: System,
  stateDirectory: string,
  kinds: ReadonlyMap<string, RegisterKind>,
  sizeOf: (digest: string) => number,
): readonly Problem[] {
  const needed = new Map<number, { path: string; bytes: number; files: number }>();
  const add = (path: string, bytes: number, files: number) => {
    const place = nearestExisting(system, path);
    const device = place === undefined ? undefined : system.files.lstat(place)?.dev;
    if (place === undefined || device === undefined) return;
    const known = needed.get(device);
    if (known) {
      known.bytes += bytes;
      known.files += files;
    } else needed.set(device, { path: place, bytes, files });
  };
  const cache = new Map<string, string>();
  const folderOf = (register: Register) => {
    const folder = register.key.slice(0, register.key.lastIndexOf("/")) || "/";
    const known = cache.get(folder);
    if (known !== undefined) return known;
    const place = nearestExisting(system, folder) ?? "/";
    cache.set(folder, place);
    return place;
  };
  const perFolder = new Map<string, { bytes: number; files: number }>();
  let state = 2 << 20;
  for (const change of plan.changes) {
    const kind = kinds.get(change.register.kind);
    if (change.register.kind !== "path" || !kind?.contents) continue;
    const bytes = kind.contents(change.after).reduce((sum, digest) => sum + sizeOf(digest), 0);
    state += bytes + kind.contents(change.before).reduce((sum, digest) => sum + sizeOf(digest), 0) + 1024;
    const folder = folderOf(change.register);
    const known = perFolder.get(folder);
    const files = change.before.is === "absent" ? 1 : 0;
    if (known) {
      known.bytes += bytes;
      known.files += files;
    } else perFolder.set(folder, { bytes, files });
  }
  for (const [folder, { bytes, files }] of perFolder) add(folder, bytes, files);
  add(stateDirectory, state, 8);
  const found: Problem[] = [];
  for (const { path, bytes, files } of needed.values()) {
    const free = system.files.freeSpace(path);
    if (free.bytes < bytes + MARGIN)
      found.push(
        error(
          "no-room",
          "not enough room",
          `the file system of ${path} has ${free.bytes} bytes free, and ${bytes + MARGIN} are needed for the new contents, the old ones and the journal`,
        ),
      );
    if (free.files < files + 16)
      found.push(
        error("no-room", "not enough room", `the file system of ${path} can take ${free.files} more files, and ${files + 16} are needed`),
      );
  }
  return found;
}

function nearestExisting(system: System, path: string): string | undefined {
  let place = path;
  for (;;) {
    if (system.files.lstat(place)) return place;
    if (place === "/" || place === "") return undefined;
    place = place.slice(0, place.lastIndexOf("/")) || "/";
  }
}
