import { type Change, type Plan, pivotsOf, registerId } from "../core/index.ts";
import { contentChange, isSensitive, needsDiffer } from "./content-change.ts";
import { fieldChanges } from "./field-changes.ts";
import { type Differ, type DiffLine, differsInTabs, loadDiffer } from "./line-diff.ts";
import {
  blastRadius,
  commandOf,
  countsText,
  type Group,
  groupsOf,
  inSync,
  radiusText,
  reasonText,
  saysRegister,
  tentativeText,
} from "./plan-facts.ts";
import { safeContent, safeLine } from "./safe.ts";
import { type Glyphs, glyphsOf, type Look, type Painter, paintAction, painterOf, type Style } from "./style.ts";
import { count, lineText, number } from "./words.ts";

/** Lines of a diff before it is folded. */
const diffLines = 40;
/** A content that is new or gone is shown whole up to so many lines, and else only begun. */
const wholeLines = 6;
const begunLines = 3;
/** A plan with more changes is folded; so many are shown from its start. */
const manyChanges = 200;
const shownFirst = 50;
const shownOrphans = 20;

interface Sheet {
  readonly style: Style;
  readonly look: Look;
  readonly paint: Painter;
  readonly glyphs: Glyphs;
  readonly differ: Differ | undefined;
  readonly lines: string[];
  readonly pivots: ReadonlySet<number>;
}

/**
 * The plan for people: changes by resource with their diffs, then counts, reach and orphans. Nothing in it can steer a
 * terminal. Reads contents of the changes that it shows; never throws for one that cannot be read any more.
 */
export async function renderPlan(plan: Plan, look: Look, style: Style): Promise<string> {
  const { shown, folded } = fold(plan.changes, style);
  const differ = shown.some(needsDiffer) ? await loadDiffer() : undefined;
  const sheet: Sheet = { style, look, paint: painterOf(style), glyphs: glyphsOf(style), differ, lines: [], pivots: pivotsOf(plan) };
  // Where a plan is folded, its deletes and irreversible changes are all named, but only the first ones in detail.
  let detailed = plan.changes.length > manyChanges && !style.full ? shownFirst : Number.POSITIVE_INFINITY;
  for (const group of groupsOf(shown)) {
    showGroup(sheet, group, detailed > 0);
    detailed -= group.changes.length;
  }
  if (folded.length > 0) showFolded(sheet, folded);
  showEnd(sheet, plan);
  return `${sheet.lines.join("\n")}\n`;
}

function fold(changes: readonly Change[], style: Style): { readonly shown: readonly Change[]; readonly folded: readonly Change[] } {
  if (style.full || changes.length <= manyChanges) return { shown: changes, folded: [] };
  const shown: Change[] = [];
  const folded: Change[] = [];
  for (const change of changes) {
    const loud = change.action === "delete" || change.label === "irreversible";
    (loud || shown.length < shownFirst ? shown : folded).push(change);
  }
  return { shown, folded };
}

function showGroup(sheet: Sheet, { resources, changes }: Group, detailed: boolean): void {
  const { paint, lines } = sheet;
  const [first] = changes;
  const [owner] = resources;
  if (!first) return;
  if (changes.length === 1 && owner && resources.length === 1) {
    const register = saysRegister(owner.address, first) ? "" : `  ${paint.dim(safeLine(registerId(first.register)))}`;
    showChange(sheet, first, { name: `${safeLine(owner.address)}${register}`, place: lineText(owner.at), indent: "", detailed });
  } else if (resources.length === 1 && owner) {
    lines.push(`  ${paint.bold(safeLine(owner.address))}  ${paint.dim(lineText(owner.at))}`);
    for (const change of changes) showChange(sheet, change, { name: safeLine(registerId(change.register)), indent: "  ", detailed });
  } else {
    const by = resources.map(({ address, at }) => `    ${paint.dim("by")} ${safeLine(address)}  ${paint.dim(lineText(at))}`);
    showChange(sheet, first, { name: safeLine(registerId(first.register)), indent: "", detailed, by });
  }
  if (detailed) lines.push("");
}

interface Heading {
  readonly name: string;
  readonly place?: string;
  readonly by?: readonly string[];
  readonly indent: string;
  readonly detailed: boolean;
}

function showChange(sheet: Sheet, change: Change, { name, place, by = [], indent, detailed }: Heading): void {
  const { paint, lines, glyphs, pivots } = sheet;
  const notes = notesOf(change, paint, pivots);
  const head = [
    `${paintAction(paint, change.action, glyphs.mark[change.action])} ${paint.bold(name)}`,
    ...(place === undefined ? [] : [paint.dim(place)]),
    ...notes,
  ];
  lines.push(indent + head.join("  "), ...by);
  if (detailed) for (const line of detailsOf(sheet, change)) lines.push(`${indent}    ${line}`);
}

/** What must be known of a change besides its diff. `exact` is what one expects and is not said. */
function notesOf(change: Change, paint: Painter, pivots: ReadonlySet<number>): string[] {
  const notes: string[] = [];
  if (change.label === "irreversible") notes.push(paint.bold.red("IRREVERSIBLE"));
  if (change.label === "compensated") notes.push(paint.yellow("compensated"));
  if (change.transaction !== undefined)
    notes.push(
      pivots.has(change.n) ? paint.yellow(`pivot of ${safeLine(change.transaction)}`) : paint.dim(`in ${safeLine(change.transaction)}`),
    );
  if (change.note !== undefined) notes.push(paint.yellow(safeLine(change.note)));
  const tentative = tentativeText(change);
  if (tentative !== undefined) notes.push(paint.magenta(safeLine(tentative)));
  const reason = reasonText(change);
  if (reason !== undefined) notes.push(paint.dim(reason));
  if (change.foreign !== undefined) notes.push(paint.yellow(`last set by stack ${safeLine(change.foreign)}`));
  return notes;
}

function detailsOf(sheet: Sheet, change: Change): string[] {
  const { paint, glyphs, style, look } = sheet;
  if (change.unknown) return [];
  const details: string[] = [];
  const command = commandOf(change);
  if (command !== undefined && change.action === "run") details.push(`${paint.dim("$")} ${safeLine(command)}`);
  // What a run leaves behind is our own bookkeeping.
  if (change.action !== "run" || style.full) details.push(...attributeLines(sheet, change));
  const content = contentChange(change, look, sheet.differ);
  if (content?.words !== undefined) details.push(content.words);
  if (content && content.lines.length > 0) {
    const isDiff = content.words === undefined;
    const few = isDiff ? diffLines : content.lines.length <= wholeLines ? wholeLines : begunLines;
    const kept = style.full ? content.lines : content.lines.slice(0, few);
    // One by one: with --full, a large file has more lines than a call takes as arguments.
    for (const line of diffText(kept, paint, glyphs)) details.push(line);
    const left = content.lines.length - kept.length;
    if (left > 0) details.push(paint.dim(`${glyphs.more} ${count(left, "more line")} (--full shows all)`));
  }
  return details;
}

function attributeLines({ paint, glyphs, style, look }: Sheet, change: Change): string[] {
  const fields = fieldChanges(change, { hide: isSensitive(change, look), full: style.full });
  if (fields.length === 0) return [];
  if (change.action === "create") return [fields.map(({ name, after }) => `${paint.dim(name)} ${after ?? ""}`).join("  ")];
  if (change.action === "delete") return [fields.map(({ name, before }) => `${paint.dim(name)} ${before ?? ""}`).join("  ")];
  const none = "(unset)";
  return fields.map(
    ({ name, before = none, after = none }) => `${paint.dim(name)} ${paint.red(before)} ${glyphs.arrow} ${paint.green(after)}`,
  );
}

/** Lines of a diff, safe and coloured. Also used by itself to show what moved. */
export function diffText(lines: readonly DiffLine[], paint: Painter, glyphs: Glyphs): string[] {
  const tab = differsInTabs(lines) ? glyphs.tab : " ";
  return lines.map((line) => diffLineText(line, tab, paint));
}

function diffLineText({ is, text }: DiffLine, tab: string, paint: Painter): string {
  switch (is) {
    case "hunk":
      return paint.cyan(text);
    case "note":
      return paint.dim(text);
    case "add":
      return paint.green(`+${safeContent(text, tab)}`);
    case "drop":
      return paint.red(`-${safeContent(text, tab)}`);
    case "same":
      return ` ${safeContent(text, tab)}`;
  }
}

function showFolded({ lines, paint, glyphs }: Sheet, folded: readonly Change[]): void {
  const byResource = new Map<string, { create: number; update: number; delete: number; run: number }>();
  for (const change of folded) {
    const address = change.resources[0]?.address ?? registerId(change.register);
    const counts = byResource.get(address) ?? { create: 0, update: 0, delete: 0, run: 0 };
    counts[change.action] += 1;
    byResource.set(address, counts);
  }
  if (lines.at(-1) !== "") lines.push("");
  lines.push(paint.dim(`${glyphs.more} ${count(folded.length, "more change")} (--full shows all):`));
  const named = [...byResource].slice(0, shownFirst);
  for (const [address, counts] of named) {
    const said = (["create", "update", "delete", "run"] as const)
      .filter((action) => counts[action] > 0)
      .map((action) => `${number(counts[action])} to ${action}`);
    lines.push(`    ${safeLine(address)}  ${said.join(", ")}`);
  }
  if (byResource.size > named.length) lines.push(`    ${glyphs.more} ${count(byResource.size - named.length, "more resource")}`);
  lines.push("");
}

function showEnd({ lines, paint, glyphs, look }: Sheet, plan: Plan): void {
  if (plan.changes.length === 0) {
    const resources = plan.summary.resources;
    lines.push(
      paint.green(
        resources === 1 ? "Nothing to do: 1 resource is in sync." : `Nothing to do: ${count(resources, "resource")} are in sync.`,
      ),
    );
  } else {
    lines.push(`${paint.bold("Plan:")} ${countsText(plan)}. ${number(inSync(plan))} in sync.`);
    const radius = blastRadius(plan, look);
    const text = radiusText(radius);
    if (text !== undefined) lines.push(radius.irreversible > 0 ? paint.red(text) : paint.dim(text));
    for (const { stack, registers } of radius.foreign)
      lines.push(paint.yellow(`Changes ${count(registers, "register")} that stack ${safeLine(stack)} set last.`));
  }
  if (plan.orphans.length === 0) return;
  lines.push(
    "",
    `${count(plan.orphans.length, "orphan")} that the playbook no longer declares (--prune lets go of ${plan.orphans.length === 1 ? "it" : "them"}):`,
  );
  for (const { register, address, aspects, kept } of plan.orphans.slice(0, shownOrphans)) {
    const what = `${safeLine(register)}${aspects.length > 0 ? ` (${aspects.map(safeLine).join(", ")})` : ""}`;
    lines.push(
      `  ${glyphs.dash} ${safeLine(address)}  ${paint.dim(what)}${kept === undefined ? "" : `  ${paint.yellow(`stays: ${safeLine(kept)}`)}`}`,
    );
  }
  if (plan.orphans.length > shownOrphans) lines.push(`  ${glyphs.more} ${number(plan.orphans.length - shownOrphans)} more`);
}
