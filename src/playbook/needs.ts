import { nearest } from "../core/index.ts";
import { addressMatcher, isGlob } from "./address.ts";
import type { Expanded } from "./expanded.ts";
import type { Reports, Source } from "./source.ts";
import { entryOf, type Node } from "./tree.ts";

/** Finds the resources that address texts mean. */
export class Directory {
  readonly #all: readonly Expanded[];
  readonly #exact = new Map<string, Expanded[]>();
  readonly #found = new Map<string, readonly Expanded[]>();

  constructor(all: readonly Expanded[]) {
    this.#all = all;
    for (const one of all) {
      for (const name of one.names) this.#add(name, one);
    }
  }

  get all(): readonly Expanded[] {
    return this.#all;
  }

  /** All resources that an address or glob means, also those left out by their `when`. */
  find(pattern: string): readonly Expanded[] {
    let found = this.#found.get(pattern);
    if (found === undefined) {
      found = this.#exact.get(pattern) ?? (isGlob(pattern) ? this.#matching(pattern) : []);
      this.#found.set(pattern, found);
    }
    return found;
  }

  /** Whether a resource whose name is not known could be meant. */
  mayBeUnknown(pattern: string): boolean {
    const type = pattern.slice(0, pattern.indexOf(":"));
    return this.#all.some((one) => one.address === undefined && (one.type === type || isGlob(type)));
  }

  /** The nearest address to a text that means none, as a hint. */
  hint(pattern: string): string {
    const near = nearest(pattern, [...this.#exact.keys()]);
    if (near !== undefined) return `; did you mean \`${near}\`?`;
    const type = pattern.slice(0, pattern.indexOf(":") + 1);
    const same = [...this.#exact.keys()].filter((address) => address.startsWith(type));
    if (type !== "" && same.length > 0) return `; there are ${same.slice(0, 6).join(", ")}${same.length > 6 ? ", …" : ""}`;
    return pattern.includes(":") ? "" : "; an address is a type and a name, such as file:/etc/motd";
  }

  #add(name: string, one: Expanded): void {
    const list = this.#exact.get(name);
    if (list === undefined) this.#exact.set(name, [one]);
    else if (list.at(-1) !== one) list.push(one);
  }

  #matching(pattern: string): readonly Expanded[] {
    const matches = addressMatcher(pattern);
    return this.#all.filter((one) => one.names.some(matches));
  }
}

/** Reports two equal addresses, naming both places. */
export function checkDuplicates(all: readonly Expanded[], source: Source, reports: Reports): void {
  const first = new Map<string, Expanded>();
  for (const one of all) {
    if (one.address === undefined || one.leftOut) continue;
    const other = first.get(one.address);
    if (other === undefined) {
      first.set(one.address, one);
      continue;
    }
    const at = source.place(other.offset);
    const same = other.node === one.node;
    const how =
      same && one.repeated
        ? ": each turn of its for_each needs a name or id that differs"
        : same
          ? ": a name stands twice in the list"
          : `, the other one in line ${at.line}, column ${at.column}; give one of them an \`id\``;
    reports.add(
      { code: "duplicate-address", summary: "two resources with one address", detail: `\`${one.address}\` is declared twice${how}` },
      source,
      one.offset,
    );
  }
}

/** Checks that all `needs` name something and that they make no circle; gives what each resource needs. */
export function checkNeeds(
  all: readonly Expanded[],
  directory: Directory,
  source: Source,
  reports: Reports,
): ReadonlyMap<Expanded, readonly Expanded[]> {
  const needs = new Map<Expanded, readonly Expanded[]>();
  for (const one of all) {
    const needed = new Set<Expanded>();
    for (const [index, pattern] of (one.common.needs ?? []).entries()) {
      const found = directory.find(pattern);
      if (found.length === 0 && !directory.mayBeUnknown(pattern)) {
        reports.add(
          { code: "unknown-address", summary: "unknown address", detail: `no resource is \`${pattern}\`${directory.hint(pattern)}` },
          source,
          placeOf(one, "needs", index),
        );
      }
      for (const other of found) if (other !== one || !isGlob(pattern)) needed.add(other);
    }
    needs.set(one, [...needed]);
  }
  for (const circle of circles(all, needs)) {
    const [head] = circle;
    if (head === undefined) continue;
    const shown = [...circle, head].map((one) => `${one.address ?? one.type} (line ${source.place(one.offset).line})`).join(" → ");
    reports.add(
      { code: "circular-needs", summary: "needs in a circle", detail: `${shown}: none of them can be set first` },
      source,
      placeOf(head, "needs", 0),
    );
  }
  return needs;
}

/** Checks fields that hold lists of addresses (`restart_when` and the like), for lint: the types check them while planning. */
export function checkReactions(
  all: readonly Expanded[],
  directory: Directory,
  source: Source,
  reports: Reports,
  patternsOf: (node: Node) => readonly { readonly text: string; readonly offset: number }[],
): void {
  for (const node of new Set(all.map((one) => one.node))) {
    for (const entry of node.entries) {
      if (!entry.key.endsWith("_when")) continue;
      for (const { text, offset } of patternsOf(entry.value)) {
        if (directory.find(text).length > 0 || directory.mayBeUnknown(text)) continue;
        reports.add(
          { code: "unknown-address", summary: "unknown address", detail: `no resource is \`${text}\`${directory.hint(text)}` },
          source,
          offset,
        );
      }
    }
  }
}

function placeOf(one: Expanded, key: string, index: number): number {
  const value = entryOf(one.node, key)?.value;
  return (value?.is === "list" ? value.items[index]?.start : value?.start) ?? one.offset;
}

/** One circle for each group of resources that need each other, begun at the one listed first. */
function circles(all: readonly Expanded[], needs: ReadonlyMap<Expanded, readonly Expanded[]>): readonly (readonly Expanded[])[] {
  const found: Expanded[][] = [];
  const done = new Set<Expanded>();
  for (const start of all) {
    if (done.has(start) || (needs.get(start)?.length ?? 0) === 0) continue;
    // A walk in depth with its own stack: a chain of needs may be as long as the playbook.
    const path: Expanded[] = [start];
    const onPath = new Map<Expanded, number>([[start, 0]]);
    const next: number[] = [0];
    while (path.length > 0) {
      const top = path.at(-1) as Expanded;
      const turn = next.at(-1) as number;
      const needed = needs.get(top)?.[turn];
      if (needed === undefined) {
        done.add(top);
        onPath.delete(top);
        path.pop();
        next.pop();
        continue;
      }
      next[next.length - 1] = turn + 1;
      const since = onPath.get(needed);
      if (since !== undefined) found.push(path.slice(since));
      else if (!done.has(needed)) {
        onPath.set(needed, path.length);
        path.push(needed);
        next.push(0);
      }
    }
  }
  return found;
}
