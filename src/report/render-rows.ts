import type { ActionResult, Address, Place, RegisterId, RunId, RunKind, RunStatus, State } from "../core/index.ts";
import { stateText } from "./field-changes.ts";
import { actionOfResult } from "./render-report.ts";
import { safeLine } from "./safe.ts";
import { glyphsOf, paintAction, painterOf, type Style } from "./style.ts";
import { type Cell, table } from "./table.ts";
import { count, number, placeText, span } from "./words.ts";

/** Shows a time in ms since 1970 in the user's own zone, such as `2026-08-01 10:11:12`. */
export type TimeText = (at: number) => string;

/** A past or open run in a list. */
export interface HistoryRow {
  readonly run: RunId;
  readonly stack: string;
  readonly kind: RunKind;
  readonly status: RunStatus;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly changed: number;
  readonly conflicts?: number;
  readonly failed?: number;
  /** Who or what started it. */
  readonly by?: string;
  readonly confirm?: Unconfirmed;
}

/** That a run is reverted unless it is confirmed. */
export interface Unconfirmed {
  /** Milliseconds since 1970; left out where that is over. */
  readonly until?: number;
}

/** What one stack has pending. */
export interface StackStatus {
  readonly stack: string;
  /** Registers of which it owns something. */
  readonly owned: number;
  readonly last?: HistoryRow;
  /** A run that is not ended, and the command that leads on. */
  readonly open?: { readonly run: RunId; readonly status: RunStatus; readonly left: number; readonly next: string };
  /** A run that is reverted unless it is confirmed, and the command that does either. */
  readonly confirm?: Unconfirmed & { readonly run: RunId; readonly next: string };
  readonly inDoubt: readonly { readonly address: string; readonly next: string }[];
  /** What other machines may keep prepared, with its locks, for the run that is open. */
  readonly prepared: readonly PreparedRow[];
  /** Restarts and commands that are due. */
  readonly debts: readonly { readonly register: RegisterId; readonly why?: string }[];
  readonly orphans: readonly { readonly address: Address; readonly register: RegisterId }[];
}

/** A member of a two-phase transaction that was begun at another machine, and has not been told how it ends. */
export interface PreparedRow {
  readonly transaction: string;
  /** `none`: it was not decided, so it will be taken back. */
  readonly decision: "commit" | "abort" | "none";
  readonly address: string;
  readonly register: RegisterId;
  readonly server: string;
  /** Under which the server knows it. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** Another machine that is not asked for the time being. */
export interface OpenBreaker {
  readonly origin: string;
  /** Failures in a row. */
  readonly failures: number;
  /** When it is tried again, in ms since 1970; left out where that may be now. */
  readonly until?: number;
}

/** All that is known about one register. */
export interface WhyReport {
  readonly register: RegisterId;
  readonly current?: State;
  readonly declared: readonly { readonly address: Address; readonly at: Place; readonly aspects?: readonly string[] }[];
  readonly owners: readonly { readonly stack: string; readonly aspects: readonly string[] }[];
  /** Newest first. */
  readonly sets: readonly {
    readonly run: RunId;
    readonly stack: string;
    readonly at: number;
    readonly before?: State;
    readonly after?: State;
  }[];
}

/** One run in full. */
export interface RunDetail extends HistoryRow {
  readonly endedAt?: number;
  readonly actions: readonly ActionResult[];
  readonly playbooks?: readonly string[];
  readonly next?: string;
}

/** Past runs, in the order given. */
export function renderHistory(rows: readonly HistoryRow[], style: Style, time: TimeText): string {
  if (rows.length === 0) return "No runs yet.\n";
  const { dim } = painterOf(style);
  const heads = ["run", "stack", "kind", "status", "at", "changed", "left"].map((text): Cell => ({ text, paint: dim }));
  return finish(
    table([
      heads,
      ...rows.map((row) => [
        safeLine(row.run),
        safeLine(row.stack),
        row.kind,
        statusCell(row.status, style),
        safeLine(time(row.at)),
        number(row.changed),
        [awaitedText(row.confirm, time), leftText(row)].filter((text) => text !== "").join(", "),
      ]),
    ]),
  );
}

/** What is pending, in doubt and owed, a block for each stack. */
export function renderStatus(stacks: readonly StackStatus[], style: Style, time: TimeText, breakers: readonly OpenBreaker[] = []): string {
  if (stacks.length === 0 && breakers.length === 0) return "No stack has been applied yet.\n";
  const paint = painterOf(style);
  const lines: string[] = [];
  for (const { stack, owned, last, open, confirm, inDoubt, prepared, debts, orphans } of stacks) {
    if (lines.length > 0) lines.push("");
    lines.push(`${paint.bold(safeLine(stack))}  ${paint.dim(`owns ${count(owned, "register")}`)}`);
    const rows: Cell[][] = [];
    if (last) rows.push(["last run", safeLine(last.run), `${last.status}  ${safeLine(time(last.at))}  ${number(last.changed)} changed`]);
    if (open)
      rows.push([
        { text: "open", paint: paint.red },
        safeLine(open.run),
        `${open.status}, ${number(open.left)} left; ${safeLine(open.next)}`,
      ]);
    if (confirm)
      rows.push([
        { text: "unconfirmed", paint: paint.yellow },
        safeLine(confirm.run),
        `${awaitedText(confirm, time)}; ${safeLine(confirm.next)}`,
      ]);
    for (const { address, next } of inDoubt) rows.push([{ text: "in doubt", paint: paint.red }, safeLine(address), safeLine(next)]);
    for (const row of prepared)
      rows.push([{ text: "prepared", paint: paint.red }, safeLine(row.address), safeLine(preparedText(row, time))]);
    for (const { register, why = "" } of debts) rows.push([{ text: "owed", paint: paint.yellow }, safeLine(register), safeLine(why)]);
    for (const { address, register } of orphans)
      rows.push([{ text: "orphan", paint: paint.yellow }, safeLine(address), safeLine(register)]);
    lines.push(...table(rows, "  "));
    if (!open && !confirm && inDoubt.length === 0 && debts.length === 0 && orphans.length === 0)
      lines.push(paint.green("  nothing is pending"));
  }
  if (breakers.length === 0) return finish(lines);
  if (lines.length > 0) lines.push("");
  const rows = breakers.map(({ origin, failures, until }): Cell[] => [
    { text: "not asked", paint: paint.yellow },
    safeLine(origin),
    `${count(failures, "failure")} in a row; ${until === undefined ? "tried again by the next run" : `tried again from ${safeLine(time(until))}`}`,
  ]);
  lines.push(...table(rows, ""));
  return finish(lines);
}

/** What one that is prepared waits for, where and since when. */
export function preparedText({ transaction, decision, server, since, name }: Omit<PreparedRow, "address">, time: TimeText): string {
  const waits = {
    commit: "is decided, and it is still to be told to commit",
    abort: "was dropped, and it is still to be told",
    none: "was not decided, so it will be taken back",
  }[decision];
  return `transaction ${transaction} ${waits}; it may hold locks at ${server} since ${time(since)}, as ${name}`;
}

/** Who declares a register, where, which runs set it, and what it was before. */
export function renderWhy(why: WhyReport, style: Style, time: TimeText): string {
  const paint = painterOf(style);
  const glyphs = glyphsOf(style);
  const named = (text: string): Cell => ({ text, paint: paint.dim });
  const list = (aspects: readonly string[] = []): string => aspects.map(safeLine).join(", ");
  const facts: Cell[][] = [
    ...why.declared.map(({ address, at, aspects }) => [
      named("declared by"),
      safeLine(address),
      [placeText(at), list(aspects)].filter((text) => text !== "").join("  "),
    ]),
    ...why.owners.map(({ stack, aspects }) => [named("owned by"), `stack ${safeLine(stack)}`, list(aspects)]),
  ];
  const lines = [
    paint.bold(safeLine(why.register)),
    ...(why.current ? [`  ${paint.dim("now".padEnd(11))}  ${stateText(why.current)}`] : []),
    ...table(facts, "  "),
  ];
  if (facts.length === 0 && why.sets.length === 0) lines.push("  no playbook declares it, and no run has set it");
  for (const { run, stack, at, before, after } of why.sets) {
    lines.push(`  ${paint.dim("set by".padEnd(11))}  ${safeLine(run)}  stack ${safeLine(stack)}  ${safeLine(time(at))}`);
    if (before && after) lines.push(`      ${stateText(before)} ${glyphs.arrow} ${stateText(after)}`);
    else if (before) lines.push(`      before: ${stateText(before)}`);
    else if (after) lines.push(`      after: ${stateText(after)}`);
  }
  return finish(lines);
}

/** One run with its actions. */
export function renderRun(run: RunDetail, style: Style, time: TimeText): string {
  const paint = painterOf(style);
  const lasted = run.endedAt === undefined ? "" : ` (${span(run.endedAt - run.at)})`;
  const facts: Cell[][] = [
    ["run", safeLine(run.run)],
    ["stack", safeLine(run.stack)],
    ["kind", run.kind],
    ["status", statusCell(run.status, style)],
    ["at", `${safeLine(time(run.at))}${lasted}`],
    ...(run.by === undefined ? [] : [["by", safeLine(run.by)]]),
    ...(run.playbooks ?? []).map((file) => ["playbook", safeLine(file)]),
    ...(run.confirm === undefined ? [] : [["confirm", awaitedText(run.confirm, time)]]),
    ...(run.next === undefined ? [] : [["next", safeLine(run.next)]]),
  ];
  const actions = run.actions.map((result): Cell[] => {
    const action = actionOfResult(result);
    return [
      { text: glyphsOf(style).mark[action], paint: (text) => paintAction(paint, action, text) },
      { text: result.status, paint: bad.has(result.status) ? paint.red : paint.dim },
      safeLine(result.register),
      result.detail === undefined ? "" : safeLine(result.detail.replaceAll("\n", " / ")),
    ];
  });
  return finish([...table(facts), ...(actions.length > 0 ? [""] : []), ...table(actions)]);
}

const bad: ReadonlySet<string> = new Set(["conflict", "failed", "unknown", "blocked"]);

function statusCell(status: RunStatus, style: Style): Cell {
  const paint = painterOf(style);
  switch (status) {
    case "applied":
    case "reverted":
      return { text: status, paint: paint.green };
    case "superseded":
    case "abandoned":
      return { text: status, paint: paint.dim };
    case "applying":
    case "reverting":
    case "halted":
    case "interrupted":
    case "revert-halted":
      return { text: status, paint: paint.red };
  }
}

function awaitedText(confirm: Unconfirmed | undefined, time: TimeText): string {
  if (confirm === undefined) return "";
  return confirm.until === undefined ? "not confirmed in time: to be reverted" : `awaits confirm until ${safeLine(time(confirm.until))}`;
}

function leftText({ conflicts = 0, failed = 0 }: HistoryRow): string {
  return [conflicts > 0 ? count(conflicts, "conflict") : "", failed > 0 ? `${number(failed)} failed` : ""]
    .filter((text) => text !== "")
    .join(", ");
}

function finish(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}
