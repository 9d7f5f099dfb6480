import { sha256 } from "../core/index.ts";
import type { Counted } from "../system/index.ts";
import { type ChaosPlace, differences, type Ended, type Snapshot } from "./chaos-place.ts";

/** A point at which a process is killed: as `mortal` takes it, and in words. */
export interface Point {
  readonly at: string;
  readonly boundary: string;
}

/** What must come out, as processes that nobody killed showed it. */
export interface Expected {
  readonly applied: Snapshot;
  readonly start: Snapshot;
  readonly reverted: Snapshot;
  readonly revertExit: number;
  /** Boundaries of an apply's journal, from which a second kill is chosen. */
  readonly boundaries: number;
}

/** What became of one kill. */
export interface Tried extends Point {
  /** 0 where the process ended before it came to the point. */
  readonly kills: number;
  readonly resumed: boolean;
  readonly reverted: boolean;
  readonly violations: readonly { readonly phase: "resume" | "revert"; readonly what: string }[];
}

/** Every boundary of the journal, before and after it, and in the middle of each record; with `calls` every call that changes something. */
export function pointsOf({ calls, journal }: Counted, everyCall: boolean): readonly Point[] {
  const points: Point[] = journal.flatMap((boundary, index) => [
    { at: `journal:${index + 1}`, boundary: `before ${boundary}` },
    ...(boundary.startsWith("append") ? [{ at: `journal:${index + 1}:torn`, boundary: `within ${boundary}` }] : []),
  ]);
  if (journal.length > 0) points.push({ at: `journal:${journal.length}:after`, boundary: "after the last" });
  return everyCall ? [...points, ...calls.map((call, index) => ({ at: `call:${index + 1}`, boundary: `before ${call}` }))] : points;
}

/** At most `limit` of the points, the same for the same seed, in their order. */
export function chosen(points: readonly Point[], limit: number, seed: string): readonly Point[] {
  if (points.length <= limit) return points;
  const rank = new Map(points.map((point) => [point, sha256(`${seed} ${point.at}`)]));
  const first = new Set([...points].sort((a, b) => ((rank.get(a) ?? "") < (rank.get(b) ?? "") ? -1 : 1)).slice(0, limit));
  return points.filter((point) => first.has(point));
}

/** A boundary for a second kill, the same for the same seed. */
function second(seed: string, point: Point, phase: string, boundaries: number): string {
  return `journal:${1 + (Number.parseInt(sha256(`${seed} ${point.at} ${phase}`).slice(0, 8), 16) % Math.max(1, boundaries))}`;
}

export interface TrialParts {
  readonly place: ChaosPlace;
  readonly expected: Expected;
  readonly apply: readonly string[];
  /** With it the resume and the revert are killed once, too, at a boundary that it chooses. */
  readonly twice: string | undefined;
  /** What a plan made now would still change; empty where nothing. */
  stillToChange(): Promise<readonly string[]>;
}

/** Kills an apply at a point; then, from what is left, resumes, and apart from that reverts. */
export async function tryPoint(point: Point, parts: TrialParts): Promise<Tried> {
  const { place, expected, apply, stillToChange } = parts;
  const violations: { phase: "resume" | "revert"; what: string }[] = [];
  await place.reset();
  const killed = await place.setpoint(apply, point.at);
  if (!killed.killed) return { ...point, kills: 0, resumed: false, reverted: false, violations };
  let kills = 1;
  const begun = place.hasBegun();
  await place.keep();

  const goOn = async (phase: "resume" | "revert", argv: readonly string[]): Promise<Ended> => {
    if (parts.twice !== undefined && begun) {
      const ended = await place.setpoint(argv, second(parts.twice, point, phase, expected.boundaries));
      if (!ended.killed) return ended;
      kills += 1;
    }
    return place.setpoint(argv);
  };
  const check = (phase: "resume" | "revert", ended: Ended | undefined, exit: number, wanted: Snapshot) => {
    if (ended && ended.exit !== exit)
      violations.push({ phase, what: `it ended with ${ended.exit ?? "a signal"} and not with ${exit}: ${sayOf(ended)}` });
    const found = differences(wanted, place.snapshot());
    if (found.length > 0) violations.push({ phase, what: few(found) });
  };

  check("resume", await goOn("resume", begun ? ["resume"] : apply), 0, expected.applied);
  const left = await stillToChange();
  if (left.length > 0) violations.push({ phase: "resume", what: `a second apply would change ${few(left)}` });
  const resumed = violations.length === 0;

  await place.restore();
  if (begun) check("revert", await goOn("revert", ["revert", "--yes"]), expected.revertExit, expected.reverted);
  else check("revert", undefined, 0, expected.start);
  return { ...point, kills, resumed, reverted: !violations.some(({ phase }) => phase === "revert"), violations };
}

/** What a process said was wrong. */
export function sayOf({ json, stderr }: Ended): string {
  const problems = Array.isArray(json.problems) ? (json.problems as { detail?: string }[]).map(({ detail = "" }) => detail) : [];
  return (problems.length > 0 ? problems.join("; ") : stderr.trim().split("\n").slice(-3).join("; ")) || "it said nothing";
}

/** The first of many. */
export function few(lines: readonly string[]): string {
  return `${lines.slice(0, 3).join("; ")}${lines.length > 3 ? `; and ${lines.length - 3} more` : ""}`;
}
