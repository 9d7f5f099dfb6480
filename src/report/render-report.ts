import { type Action, type ActionResult, type ActionStatus, type RunReport, type State, verificationOf } from "../core/index.ts";
import { differingFields, stateText } from "./field-changes.ts";
import { renderProblems } from "./render-problems.ts";
import { safeLine, safeText } from "./safe.ts";
import { type Glyphs, glyphsOf, type Painter, paintAction, painterOf, type Style } from "./style.ts";
import { table } from "./table.ts";
import { count, listed, number } from "./words.ts";

/** Of each status so many actions are named; `--full` names all. Conflicts, failures and doubts are always named. */
const namedEach = 20;

/** The end of a run for people: counts, conflicts with their three states, what is left, and the command that leads on. */
export function renderReport(report: RunReport, style: Style): string {
  const paint = painterOf(style);
  const lines = [headline(report, paint)];
  const conflicts = report.actions.filter((action) => action.status === "conflict");
  if (conflicts.length > 0) {
    lines.push(
      "",
      `${count(conflicts.length, "conflict")}: the system is neither as planned from nor as planned to; nothing was overwritten.`,
    );
    for (const conflict of conflicts) lines.push(...conflictLines(conflict, paint));
  }
  for (const [status, words] of leftovers) lines.push(...leftLines(report.actions, status, words, style));
  if (report.problems.length > 0) lines.push("", renderProblems(report.problems, style).trimEnd());
  if (report.run !== undefined && report.exit !== 0) lines.push("", paint.dim(`Run ${safeLine(report.run)}`));
  if (report.next !== undefined)
    lines.push(`${report.run !== undefined && report.exit !== 0 ? "" : "\n"}${paint.bold("Next:")} ${safeLine(report.next)}`);
  return `${lines.join("\n")}\n`;
}

const leftovers: readonly (readonly [ActionStatus, (amount: number) => string])[] = [
  ["failed", (amount) => `${number(amount)} failed:`],
  ["unknown", (amount) => `${number(amount)} in doubt: it is not known whether ${amount === 1 ? "it" : "they"} happened.`],
  ["blocked", (amount) => `${number(amount)} blocked by what failed:`],
  ["skipped", (amount) => `${number(amount)} skipped:`],
  ["pending", (amount) => `${number(amount)} not begun:`],
];

function headline(report: RunReport, paint: Painter): string {
  const { kind, status, summary } = report;
  if (status === "in-sync") return paint.green("Nothing to do: everything is in sync.");
  const done = status === "applied" || status === "reverted";
  const counts = listed(
    `${number(summary.changed)} changed`,
    `${number(summary.already)} already`,
    count(summary.conflicts, "conflict"),
    summary.failed > 0 && `${number(summary.failed)} failed`,
    summary.in_doubt > 0 && `${number(summary.in_doubt)} in doubt`,
    done && (summary.verified ? "verified" : status === "applied" && (verificationOf(report) === "diverged" ? "DIVERGED" : "NOT verified")),
  );
  const word = {
    applied: "Applied",
    reverted: "Reverted",
    halted: "Halted",
    interrupted: "Interrupted",
    "revert-halted": "Revert halted",
    superseded: "Superseded",
    abandoned: "Abandoned",
    applying: "Applying",
    reverting: "Reverting",
  }[status];
  const clean = summary.conflicts === 0 && summary.failed === 0 && summary.in_doubt === 0;
  const tint = !done || !clean ? paint.red : status === "applied" && !summary.verified ? paint.yellow : paint.green;
  return `${tint.bold(`${word}${kind === "resume" && done ? " (resumed)" : ""}:`)} ${counts}.`;
}

function conflictLines({ register, detail, before, after, found }: ActionResult, paint: Painter): string[] {
  const ends: readonly (readonly [string, State | undefined])[] = [
    ["before", before],
    ["after", after],
    ["found", found],
  ];
  const known = ends.filter((end): end is readonly [string, State] => end[1] !== undefined);
  const fields = differingFields(known.map(([, state]) => state));
  return [
    `  ${paint.red("conflict")}  ${paint.bold(safeLine(register))}`,
    ...(detail === undefined ? [] : detailLines(detail)),
    ...table(
      known.map(([name, state]) => [{ text: name, paint: name === "found" ? paint.red : paint.dim }, stateText(state, fields)]),
      "      ",
    ),
  ];
}

function leftLines(actions: readonly ActionResult[], status: ActionStatus, words: (amount: number) => string, style: Style): string[] {
  const of = actions.filter((action) => action.status === status);
  if (of.length === 0) return [];
  const paint = painterOf(style);
  const loud = status === "failed" || status === "unknown";
  const named = style.full || loud ? of : of.slice(0, namedEach);
  const lines = ["", loud ? paint.red(words(of.length)) : words(of.length)];
  for (const { register, detail } of named) {
    lines.push(`  ${safeLine(register)}`);
    if (detail !== undefined) lines.push(...detailLines(detail));
  }
  if (of.length > named.length) lines.push(`  ${glyphsOf(style).more} ${number(of.length - named.length)} more (--full shows all)`);
  return lines;
}

function detailLines(detail: string): string[] {
  return safeText(detail.replace(/\n+$/, ""))
    .split("\n")
    .map((line) => `      ${line}`);
}

/** Which action a result was, from its states; `update` where they do not say. */
export function actionOfResult({ before, after }: ActionResult): Action {
  if (before?.is === "absent" && after !== undefined && after.is !== "absent") return "create";
  if (after?.is === "absent" && before !== undefined && before.is !== "absent") return "delete";
  return "update";
}

/** One finished action in one line; undefined where there is nothing to tell (it already was so, or has not begun). */
export function resultLine(
  result: ActionResult,
  paint: Painter,
  glyphs: Glyphs,
  action: Action = actionOfResult(result),
): string | undefined {
  const name = safeLine(result.register);
  const detail = result.detail === undefined ? "" : `: ${safeLine(result.detail.replace(/\n+$/, "").replaceAll("\n", " / "))}`;
  switch (result.status) {
    case "set":
    case "found":
      return `${paintAction(paint, action, glyphs.mark[action])} ${name}`;
    case "restored":
    case "compensated":
      return `${paint.yellow(glyphs.back)} ${name}  ${paint.dim(result.status)}`;
    case "conflict":
      return `${paint.red(glyphs.bad)} ${name}  ${paint.red("conflict")}${detail}`;
    case "failed":
      return `${paint.red(glyphs.bad)} ${name}  ${paint.red("failed")}${detail}`;
    case "unknown":
      return `${paint.red("?")} ${name}  ${paint.red("in doubt")}${detail}`;
    case "already":
    case "skipped":
    case "blocked":
    case "pending":
      return undefined;
  }
}
