import { type ActionResult, type Change, type Orphan, type Plan, pivotsOf, type RunReport, registerId } from "../core/index.ts";
import { contentChange, isSensitive, needsDiffer } from "./content-change.ts";
import { differingFields, fieldChanges, stateText } from "./field-changes.ts";
import { type Differ, loadDiffer } from "./line-diff.ts";
import { Budget, fenced, inlineCode } from "./markdown-text.ts";
import { blastRadius, commandOf, countsText, inSync, radiusText, saysRegister, tentativeText } from "./plan-facts.ts";
import { diffText } from "./render-plan.ts";
import { safeLine } from "./safe.ts";
import { glyphsOf, type Look, painterOf, plainStyle } from "./style.ts";
import { count, number } from "./words.ts";

/** Bytes that a comment on a pull request may hold, less something for its sender. */
const limit = 65_000;
/** Room that every list leaves for the notes behind it that say what was cut. */
const notes = 2_000;
/** Lines of one diff; a longer one is for the terminal. */
const diffLines = 200;
/** Diffs are worked out for so many changes at most; the rest would not fit anyhow. */
const diffsTried = 400;
/** After so many that did not fit, the rest is not worked out. */
const diffsRefused = 20;
const resourcesNamed = 3;

const words = { create: "create", update: "update", delete: "**delete**", run: "run" } as const;

/**
 * A plan, and the run of it where there was one, for a pull request: counts first, then what is destroyed or cannot be undone,
 * then all changes, then their diffs, folded. Always under 65,536 bytes: diffs are cut first, then lists, and it says how many.
 * Nothing of a stranger's text can become markup, HTML, a mention or the end of a code block.
 */
export async function markdownReport(plan: Plan, report: RunReport | undefined, look: Look): Promise<string> {
  const out = new Budget(limit);
  addHead(out, plan, look);
  if (report) addRunCounts(out, report);
  const loud = plan.changes.filter((change) => change.action === "delete" || change.label === "irreversible");
  const pivots = pivotsOf(plan);
  addTable(out, "Deletes and irreversible changes", loud, pivots, report ? limit / 3 : notes);
  if (report) addRunLists(out, report);
  addTable(out, "Changes", plan.changes, pivots, notes);
  addOrphans(out, plan);
  await addDiffs(out, plan, look);
  return out.text();
}

function addHead(out: Budget, plan: Plan, look: Look): void {
  out.add(`## setpoint: ${inlineCode(plan.stack)}\n\n`);
  if (plan.changes.length === 0) {
    out.add(`Nothing to do: ${count(plan.summary.resources, "resource")} in sync.\n`);
    return;
  }
  out.add(`**Plan: ${countsText(plan)}.** ${number(inSync(plan))} in sync.\n`);
  const radius = blastRadius(plan, look);
  const text = radiusText(radius);
  if (text !== undefined) out.add(`${text}\n`);
  for (const { stack, registers } of radius.foreign.slice(0, 10))
    out.add(`Changes ${count(registers, "register")} that stack ${inlineCode(stack)} set last.\n`);
}

function addRunCounts(out: Budget, { status, kind, summary, next, run }: RunReport): void {
  const counts = [
    `${number(summary.changed)} changed`,
    `${number(summary.already)} already`,
    count(summary.conflicts, "conflict"),
    `${number(summary.failed)} failed`,
    `${number(summary.in_doubt)} in doubt`,
    ...(status === "applied" || status === "reverted" ? [summary.verified ? "verified" : "not verified"] : []),
  ];
  out.add(`\n**${kind}: ${status}.** ${counts.join(", ")}.${run === undefined ? "" : ` Run ${inlineCode(run)}.`}\n`);
  if (next !== undefined) out.add(`Next: ${inlineCode(next)}\n`);
}

function addRunLists(out: Budget, { actions, problems }: RunReport): void {
  const bad = actions.filter(({ status: one }) => one === "conflict" || one === "failed" || one === "unknown" || one === "blocked");
  addList(out, "Left", bad, resultItem, "more");
  addList(
    out,
    "Problems",
    problems,
    ({ severity, code, summary: what, detail, at }) =>
      `- ${severity} ${inlineCode(`[${code}] ${what}`)}${at ? ` at ${inlineCode(`${at.file}:${at.line}:${at.column}`)}` : ""}: ${inlineCode(detail, 500)}\n`,
    "more",
  );
}

function resultItem({ register, status, detail, before, after, found }: ActionResult): string {
  const states = [before, after, found].filter((state) => state !== undefined);
  const fields = differingFields(states);
  const ends =
    status === "conflict"
      ? (
          [
            ["before", before],
            ["after", after],
            ["found", found],
          ] as const
        )
          .map(([name, state]) => (state ? `  - ${name} ${inlineCode(stateText(state, fields), 500)}\n` : ""))
          .join("")
      : "";
  return `- ${status === "unknown" ? "in doubt" : status} ${inlineCode(register)}${detail === undefined ? "" : `: ${inlineCode(detail, 500)}`}\n${ends}`;
}

function addList<T>(out: Budget, title: string, items: readonly T[], show: (item: T) => string, noun: string): void {
  if (items.length === 0 || !out.add(`\n### ${title}\n\n`, notes)) return;
  const cut = items.findIndex((item) => !out.add(show(item), notes));
  if (cut >= 0) out.add(`\n_${number(items.length - cut)} ${noun}, cut here._\n`);
}

/** `keep`: what must stay free for what comes behind. */
function addTable(out: Budget, title: string, changes: readonly Change[], pivots: ReadonlySet<number>, keep: number): void {
  if (changes.length === 0) return;
  const heads = `\n### ${title}\n\n| action | resource | declared at | notes |\n| --- | --- | --- | --- |\n`;
  if (!out.add(heads, keep)) {
    out.add(`\n_${title}: ${number(changes.length)}, cut here._\n`);
    return;
  }
  const cut = changes.findIndex((change) => !out.add(tableRow(change, pivots), keep));
  if (cut >= 0) out.add(`\n_${count(changes.length - cut, "more change")}, cut here._\n`);
}

function tableRow(change: Change, pivots: ReadonlySet<number>): string {
  const named = change.resources.slice(0, resourcesNamed);
  const more = change.resources.length > named.length ? ` and ${number(change.resources.length - named.length)} more` : "";
  const [only] = change.resources;
  const says = only !== undefined && change.resources.length === 1 && saysRegister(only.address, change);
  const who = `${named.map(({ address }) => inlineCode(address)).join(", ")}${more}${says ? "" : ` (${inlineCode(registerId(change.register))})`}`;
  const where = named.map(({ at }) => inlineCode(`${at.file}:${at.line}`)).join(", ");
  const tentative = tentativeText(change);
  const notes = [
    change.label === "irreversible" ? "**irreversible**" : change.label === "compensated" ? "compensated" : "",
    change.transaction === undefined ? "" : `${pivots.has(change.n) ? "pivot of" : "in"} ${inlineCode(change.transaction)}`,
    tentative === undefined ? "" : inlineCode(tentative),
    change.note ?? "",
    change.foreign === undefined ? "" : `last set by ${inlineCode(change.foreign)}`,
  ].filter((note) => note !== "");
  return `| ${words[change.action]} | ${who} | ${where} | ${notes.join(", ")} |\n`;
}

function addOrphans(out: Budget, { orphans }: Plan): void {
  const show = ({ address, register, kept }: Orphan): string =>
    `- ${inlineCode(address)} (${inlineCode(register)})${kept === undefined ? "" : `, stays: ${inlineCode(kept)}`}\n`;
  addList(out, "Orphans, which `--prune` lets go of", orphans, show, "more orphans");
}

async function addDiffs(out: Budget, plan: Plan, look: Look): Promise<void> {
  const tried = plan.changes.slice(0, diffsTried);
  let refused = 0;
  const differ = tried.some(needsDiffer) ? await loadDiffer() : undefined;
  let begun = false;
  let cut = plan.changes.length - tried.length;
  for (const change of tried) {
    const block = refused > diffsRefused ? "" : diffBlock(change, look, differ);
    if (block === undefined) continue;
    if (!begun) begun = out.add("\n### Diffs\n\n", notes);
    if (begun && block !== "" && out.add(block, notes)) continue;
    refused += 1;
    cut += 1;
  }
  if (cut > 0)
    out.add(`\n_The diffs of ${count(cut, "change")} were cut, as this report has a limit; \`setpoint plan --full\` shows all._\n`);
}

/** One change as a folded diff, whole in itself; undefined where there is nothing to show. */
function diffBlock(change: Change, look: Look, differ: Differ | undefined): string | undefined {
  if (change.unknown) return undefined;
  const lines: string[] = [];
  const command = change.action === "run" ? commandOf(change) : undefined;
  if (command !== undefined) lines.push(`$ ${safeLine(command)}`);
  if (change.action !== "run") {
    for (const { name, before, after } of fieldChanges(change, { hide: isSensitive(change, look), full: false })) {
      lines.push(...(before === undefined ? [] : [`-${name} ${before}`]), ...(after === undefined ? [] : [`+${name} ${after}`]));
    }
  }
  const content = contentChange(change, look, differ);
  if (content?.words !== undefined) lines.push(`# ${content.words}`);
  if (content) {
    lines.push(...diffText(content.lines.slice(0, diffLines), painterOf(plainStyle), glyphsOf(plainStyle)));
    if (content.lines.length > diffLines) lines.push(`# ${count(content.lines.length - diffLines, "more line")}, cut here`);
  }
  if (lines.length === 0) return undefined;
  const [only] = change.resources;
  const register = inlineCode(registerId(change.register));
  const name =
    only === undefined || change.resources.length > 1
      ? register
      : saysRegister(only.address, change)
        ? inlineCode(only.address)
        : `${inlineCode(only.address)} ${register}`;
  return `<details><summary>${change.action} ${name}</summary>\n\n${fenced(lines, "diff")}\n</details>\n\n`;
}
