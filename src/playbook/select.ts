import { nearest } from "../core/index.ts";
import type { Expanded } from "./expanded.ts";
import type { Directory } from "./needs.ts";
import type { Reports } from "./source.ts";

/** What --only, --exclude, --tags and --skip-tags say. */
export interface Selection {
  readonly only: readonly string[];
  readonly exclude: readonly string[];
  readonly tags: readonly string[];
  readonly skipTags: readonly string[];
}

/** The resources that a selection takes; undefined where it takes all. `only` takes along what it needs. */
export function select(
  all: readonly Expanded[],
  directory: Directory,
  needs: ReadonlyMap<Expanded, readonly Expanded[]>,
  selection: Selection,
  reports: Reports,
): ReadonlySet<Expanded> | undefined {
  const { only, exclude, tags, skipTags } = selection;
  if (only.length + exclude.length + tags.length + skipTags.length === 0) return undefined;
  let chosen = new Set(
    only.length === 0
      ? all
      : withNeeds(
          only.flatMap((pattern) => named(pattern, "--only", directory, reports)),
          needs,
        ),
  );
  if (tags.length > 0) chosen = new Set([...chosen].filter((one) => one.common.tags?.some((tag) => tags.includes(tag))));
  for (const one of exclude.flatMap((pattern) => named(pattern, "--exclude", directory, reports))) chosen.delete(one);
  if (skipTags.length > 0) chosen = new Set([...chosen].filter((one) => !one.common.tags?.some((tag) => skipTags.includes(tag))));
  checkTags(all, [...tags, ...skipTags], reports);
  return chosen;
}

function named(pattern: string, option: string, directory: Directory, reports: Reports): readonly Expanded[] {
  const found = directory.find(pattern);
  if (found.length === 0)
    reports.add({
      code: "unknown-address",
      summary: "unknown address",
      detail: `${option} ${pattern}: no resource is that${directory.hint(pattern)}`,
    });
  return found;
}

function withNeeds(start: readonly Expanded[], needs: ReadonlyMap<Expanded, readonly Expanded[]>): Iterable<Expanded> {
  const taken = new Set(start);
  // A set's iteration also reaches what is added meanwhile.
  for (const one of taken) for (const needed of needs.get(one) ?? []) taken.add(needed);
  return taken;
}

function checkTags(all: readonly Expanded[], tags: readonly string[], reports: Reports): void {
  const known = [...new Set(all.flatMap((one) => one.common.tags ?? []))];
  for (const tag of tags) {
    if (known.includes(tag)) continue;
    const near = nearest(tag, known);
    reports.add({
      code: "unknown-tag",
      summary: "unknown tag",
      severity: "warning",
      detail: `no resource has the tag \`${tag}\`${near === undefined ? "" : `; did you mean \`${near}\`?`}`,
    });
  }
}
