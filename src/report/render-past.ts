import type { State } from "../core/index.ts";
import { stateText } from "./field-changes.ts";
import type { TimeText } from "./render-rows.ts";
import { safeLine } from "./safe.ts";
import { painterOf, type Style } from "./style.ts";
import { type Cell, table } from "./table.ts";

/** A register as it was. */
export interface PastRow {
  readonly register: string;
  /** Left out where the runs that would tell are gone. */
  readonly state?: State;
  /** It may as well have been this. */
  readonly doubt?: State;
  readonly how?: "set" | "found" | "undone";
  readonly run?: string;
  readonly at?: number;
  readonly owners: readonly string[];
  /** A run that is gone came after what is told, and may have set it. */
  readonly uncertain?: boolean;
  readonly later?: { readonly run: string; readonly found: State };
}

/** What was managed at a moment: a block for each register. `before`: of runs up to then nothing is known. */
export function renderPast(rows: readonly PastRow[], at: number, before: number | undefined, style: Style, time: TimeText): string {
  const paint = painterOf(style);
  const lines = [paint.bold(`As of ${safeLine(time(at))}`)];
  if (before !== undefined)
    lines.push(paint.yellow(`What runs did until ${safeLine(time(before))} is not known, where no later run tells it: gc gave them up.`));
  if (rows.length === 0) lines.push("Nothing is known to have been managed then.");
  const named = (text: string): Cell => ({ text, paint: paint.dim });
  for (const { register, state, doubt, how, run, at: since, owners, uncertain, later } of rows) {
    const facts: Cell[][] = [];
    if (state === undefined) facts.push([named("state"), "not known: the runs that set it are gone"]);
    else facts.push([named(doubt === undefined ? "state" : "one of"), stateText(state)]);
    if (doubt) facts.push([named(""), stateText(doubt)]);
    if (run !== undefined && since !== undefined) facts.push([named(`${how} by`), `${safeLine(run)}  ${safeLine(time(since))}`]);
    if (owners.length > 0) facts.push([named("owned by"), `stack ${owners.map(safeLine).join(", ")}`]);
    if (uncertain === true) facts.push([named("perhaps"), "a run that gc gave up came after that, and may have set it"]);
    if (later) facts.push([named("after that"), `changed by somebody else: run ${safeLine(later.run)} found ${stateText(later.found)}`]);
    lines.push("", paint.bold(safeLine(register)), ...table(facts, "  "));
  }
  return `${lines.join("\n")}\n`;
}
