import type { Problem } from "../core/index.ts";
import { columnsOf, expandTabs, safeLine, safeText } from "./safe.ts";
import { glyphsOf, painterOf, type Style } from "./style.ts";
import { count, placeText } from "./words.ts";

/** An excerpt that is longer is cut round the caret: minified JSON is one line. */
const longest = 160;

/** Problems by place; those without one come last. Equal places keep their order. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => {
    if (!a.at || !b.at) return a.at ? -1 : b.at ? 1 : 0;
    if (a.at.file !== b.at.file) return a.at.file < b.at.file ? -1 : 1;
    return a.at.line - b.at.line || a.at.column - b.at.column;
  });
}

/** Problems as compilers show them: what, where, the line with a caret, why and what to do; their number at the end. Empty for none. */
export function renderProblems(problems: readonly Problem[], style: Style): string {
  if (problems.length === 0) return "";
  const blocks = sortProblems(problems).map((problem) => renderProblem(problem, style));
  return `${blocks.join("\n\n")}\n\n${problemCounts(problems)}\n`;
}

/** `2 errors, 1 warning`. */
export function problemCounts(problems: readonly Problem[]): string {
  return (["error", "warning", "note"] as const)
    .map((severity) => [problems.filter((problem) => problem.severity === severity).length, severity] as const)
    .filter(([amount]) => amount > 0)
    .map(([amount, severity]) => count(amount, severity))
    .join(", ");
}

function renderProblem({ code, severity, summary, detail, at, address, excerpt, more }: Problem, style: Style): string {
  const paint = painterOf(style);
  const tint = severity === "error" ? paint.red : severity === "warning" ? paint.yellow : paint.cyan;
  const lines = [`${tint.bold(`${severity}[${safeLine(code)}]`)}${paint.bold(`: ${safeLine(summary)}`)}`];
  const gutter = " ".repeat(at ? String(at.line).length : 0);
  if (at) lines.push(`${gutter}${paint.blue("-->")} ${placeText(at)}${address === undefined ? "" : `  ${paint.dim(safeLine(address))}`}`);
  else if (address !== undefined) lines.push(`${paint.blue("-->")} ${safeLine(address)}`);
  if (at && excerpt !== undefined) {
    const { text, caret } = cutAround(excerpt, at.column, glyphsOf(style).more);
    const bar = paint.blue("|");
    lines.push(`${gutter} ${bar}`, `${paint.blue(String(at.line))} ${bar} ${text}`, `${gutter} ${bar} ${" ".repeat(caret)}${tint("^")}`);
  }
  if (detail !== "") lines.push(...indented(detail, "  "));
  if (more !== undefined && more !== "") lines.push(...indented(more, "    "));
  return lines.join("\n");
}

/** The excerpt, safe, and the column (from 0) under which the caret stands. */
function cutAround(excerpt: string, column: number, more: string): { readonly text: string; readonly caret: number } {
  const line = (excerpt.split("\n", 1)[0] ?? "").replace(/\r$/, "");
  const at = Math.min(Math.max(0, column - 1), line.length);
  const safe = (text: string): string => safeLine(expandTabs(text));
  if (line.length <= longest) return { text: safe(line), caret: columnsOf(safe(line.slice(0, at))) };
  const from = Math.max(0, at - longest / 2);
  const before = `${from > 0 ? more : ""}${safe(line.slice(from, at))}`;
  return { text: `${before}${safe(line.slice(at, from + longest))}${from + longest < line.length ? more : ""}`, caret: columnsOf(before) };
}

function indented(text: string, by: string): string[] {
  return safeText(text.replace(/\n+$/, ""))
    .split("\n")
    .map((line) => (line === "" ? "" : by + line));
}
