import { safeLine } from "./safe.ts";
import { painterOf, type Style } from "./style.ts";
import { type Cell, table } from "./table.ts";
import { count, number } from "./words.ts";

/** What was tried at the boundaries of one name. */
export interface TrialRow {
  readonly boundary: string;
  readonly points: number;
  readonly kills: number;
  /** Points from which a resume, a revert, held. */
  readonly resumed: number;
  readonly reverted: number;
  readonly violations: number;
}

export interface Trials {
  readonly rows: readonly TrialRow[];
  /** Points that there are, and those that were tried. */
  readonly points: number;
  readonly tried: number;
  readonly seed: string;
}

/** A table of what was killed where, and what became of it. */
export function renderTrials({ rows, points, tried, seed }: Trials, style: Style): string {
  const paint = painterOf(style);
  const heads = ["killed", "points", "kills", "resumed", "reverted", "violations"].map((text): Cell => ({ text, paint: paint.dim }));
  const cells = rows.map((row): Cell[] => [
    safeLine(row.boundary),
    number(row.points),
    number(row.kills),
    number(row.resumed),
    number(row.reverted),
    row.violations > 0 ? { text: number(row.violations), paint: paint.red } : "0",
  ]);
  const kills = rows.reduce((sum, row) => sum + row.kills, 0);
  const broken = rows.reduce((sum, row) => sum + row.violations, 0);
  const verdict = broken === 0 ? paint.green("no promise was broken") : paint.red(count(broken, "violation"));
  return `${table([heads, ...cells]).join("\n")}\n\n${count(tried, "point")} of ${number(points)} tried, ${count(kills, "kill")}, seed ${safeLine(seed)}: ${verdict}.\n`;
}
