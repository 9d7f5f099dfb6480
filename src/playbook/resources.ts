import { nearest } from "../core/index.ts";
import { commonKeyNames } from "./common-keys.ts";
import type { ExpandContext, Expanded } from "./expanded.ts";
import { Expansion } from "./expansion.ts";
import { codeOf } from "./source.ts";
import { type Entry, kindOf, type MapNode, type Node } from "./tree.ts";
import type { Report } from "./turns.ts";

/** Expands one entry of `resources`: its for_each, its `when`, its names. Reports all that is wrong with it. */
export function expandResource(node: Node, context: ExpandContext): readonly Expanded[] {
  const report = (summary: string, detail: string, offset: number): void =>
    context.reports.add({ code: codeOf(summary), summary, detail }, context.source, offset);
  if (node.is !== "map" || node.entries.length === 0) {
    report(
      "wrong type",
      `a resource is a map whose first key is its type, such as \`file: /etc/motd\`, not ${node.is === "map" ? "an empty map" : kindOf(node)}`,
      node.start,
    );
    return [];
  }
  const [head] = node.entries as readonly [Entry];
  const type = context.types.get(head.key);
  if (type === undefined) {
    reportUnknownType(node, head, context, report);
    return [];
  }
  return new Expansion(node, head, type, context, report).run();
}

function reportUnknownType(node: MapNode, head: Entry, context: ExpandContext, report: Report): void {
  if (head.key === "use" || head.key === "include") {
    context.reports.add(
      {
        code: "not-supported",
        summary: "not supported yet by this version",
        detail: `\`${head.key}\` (modules) comes with a later version`,
      },
      context.source,
      head.keyStart,
    );
    return;
  }
  const later = node.entries.find((entry) => context.types.has(entry.key) && !commonKeyNames.includes(entry.key));
  const near = nearest(head.key, [...context.types.keys()]);
  if (
    later !== undefined &&
    (commonKeyNames.includes(head.key) || near === undefined || Object.hasOwn(context.types.get(later.key)?.fields ?? {}, head.key))
  ) {
    report("type not first", `the type must come first: put \`${later.key}\` before \`${head.key}\``, later.keyStart);
    return;
  }
  const known = [...context.types.keys()].sort();
  const detail =
    near === undefined
      ? `; the first key of a resource is its type, one of ${known.slice(0, 20).join(", ")}${known.length > 20 ? ", …" : ""}`
      : `; did you mean \`${near}\`?`;
  report("unknown type", `there is no type \`${head.key}\`${detail}`, head.keyStart);
}
