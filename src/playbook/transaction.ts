import { type CommonKeys, checkFields, type Declared, fields, type Json, type JsonObject } from "../core/index.ts";
import { commonKeys } from "./common-keys.ts";
import type { ExpandContext, Expanded } from "./expanded.ts";
import { unknown } from "./expression/reference.ts";
import { expandResource } from "./resources.ts";
import { codeOf } from "./source.ts";
import { entryOf, kindOf, type MapNode, type Node, offsetAt, setOwn } from "./tree.ts";
import { holds, type Report } from "./turns.ts";

/** The keys of a transaction, besides those that all resources have. */
export const transactionFields = {
  transaction: fields.path("A label."),
  mode: fields.choice(
    ["saga", "two_phase"],
    "`saga`: one after another, and if one fails those before it are taken back; `two_phase`: all are prepared, and then all are set or none.",
  ),
  resources: fields.listOf(fields.anything("A resource."), "What succeeds or is undone together; no transaction within."),
  check: fields.argv("A program that is run when all is set; if it fails, all is undone.").optional(),
};

/** Which of the keys that all resources have a transaction takes: they hold for each of its resources. */
export const transactionCommonKeys: readonly string[] = ["when", "needs", "tags", "on_failure"];

export function isTransaction(node: Node): node is MapNode {
  return node.is === "map" && node.entries[0]?.key === "transaction";
}

/** The resources of a transaction, each of which knows that it is one of its. Reports all that is wrong. */
export function expandTransaction(node: MapNode, context: ExpandContext): readonly Expanded[] {
  const report: Report = (summary, detail, offset) =>
    context.reports.add({ code: codeOf(summary), summary, detail }, context.source, offset);
  const values: { [key: string]: Json } = {};
  for (const entry of node.entries) {
    if (entry.key === "resources" || entry.key === "when") continue;
    const value = context.evaluator.value(entry.value, context.scope);
    if (value !== unknown) setOwn(values, entry.key, value);
  }
  const { resources: _, ...own } = transactionFields;
  const checked = checkFields(own, values, new Set(transactionCommonKeys));
  const given = commonKeys(values);
  for (const issue of [...(checked.ok ? [] : checked.issues), ...given.issues])
    report(issue.summary, issue.detail, offsetAt(node, issue.path, issue.summary === "unknown key"));
  const list = entryOf(node, "resources")?.value;
  if (list?.is !== "list") {
    report(
      list === undefined ? "missing key" : "wrong type",
      list === undefined
        ? "`resources` is needed: what succeeds or is undone together"
        : `\`resources\` must be a list, not ${kindOf(list)}`,
      list?.start ?? node.start,
    );
    return [];
  }
  const when = entryOf(node, "when");
  const leftOut = when !== undefined && holds(when, context.scope, context.evaluator, report) === false;
  const transaction = checked.ok ? transactionOf(checked.value, context.source.place(node.start)) : undefined;
  return list.items.flatMap((item) => {
    if (isTransaction(item)) {
      report(
        "a transaction within a transaction",
        "only the outer one can be undone as a whole: put its resources into that one",
        item.start,
      );
      return [];
    }
    return expandResource(item, context).map((one) => (leftOut ? withoutIt(one) : within(one, given.common, transaction)));
  });
}

function transactionOf(spec: JsonObject, at: NonNullable<Declared["transaction"]>["at"]): NonNullable<Declared["transaction"]> {
  const { transaction, mode, check } = spec;
  return {
    name: String(transaction),
    mode: mode as "saga" | "two_phase",
    ...(check !== undefined && { check: check as readonly string[] }),
    at,
  };
}

function withoutIt(one: Expanded): Expanded {
  return { ...one, leftOut: true, common: {}, declared: undefined };
}

function within(one: Expanded, shared: CommonKeys, transaction: Declared["transaction"]): Expanded {
  const { needs, tags, on_failure } = shared;
  const common: CommonKeys = {
    ...(on_failure !== undefined && { on_failure }),
    ...one.common,
    ...(needs !== undefined && { needs: [...(one.common.needs ?? []), ...needs] }),
    ...(tags !== undefined && { tags: [...(one.common.tags ?? []), ...tags] }),
  };
  return { ...one, common, declared: one.declared && { ...one.declared, common, ...(transaction && { transaction }) } };
}

/** Two transactions of one name could not be told apart. */
export function checkTransactionNames(nodes: readonly Node[], context: ExpandContext): void {
  const seen = new Set<string>();
  for (const node of nodes) {
    if (!isTransaction(node)) continue;
    const name = context.evaluator.quiet().value((node.entries[0] as MapNode["entries"][number]).value, context.scope);
    if (typeof name !== "string") continue;
    if (seen.has(name))
      context.reports.add(
        {
          code: "duplicate-transaction",
          summary: "two transactions of one name",
          detail: `\`${name}\` is declared twice: give one another label`,
        },
        context.source,
        node.start,
      );
    seen.add(name);
  }
}
