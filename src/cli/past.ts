import { resolve } from "node:path";
import { isKeyed, isRunId, type Json, type Problem, type RegisterId, type RunId, type State } from "../core/index.ts";
import { type Known, knownAt, type Moment, upTo } from "../engine/index.ts";
import { Ledger, type RunLine, readBase, type StateDirectory, type ToldRun, takeNews } from "../journal/index.ts";
import { kinds } from "../registers/index.ts";
import { type PastRow, renderPast } from "../report/index.ts";
import { type Context, EXIT, localTime, print, printJson, readState, refuse, UsageError } from "./context.ts";

interface PastOptions {
  readonly stack?: string;
  readonly limit?: string;
  readonly content?: string;
}

/** Everything that is known of a moment. */
interface Past {
  readonly at: number;
  /** The run that the moment is right after, where one was named. */
  readonly run?: RunId;
  readonly known: ReadonlyMap<RegisterId, Known>;
  /** Who owned what then; also of registers whose state is not known. */
  readonly ledger: Ledger;
  /** The runs that began by then and that gc gave up. */
  readonly gone: readonly RunLine[];
  /** When the newest of them ended. */
  readonly unknownBefore?: number;
  /** Runs whose journal or plan cannot be read. */
  readonly unreadable: readonly RunId[];
}

/** `history --at`: in which state everything was, or the content that one register had. */
export function showPast(context: Context, when: string, options: PastOptions): number {
  if (options.limit !== undefined) throw new UsageError("--limit is for the list of runs, and --at shows registers");
  const state = readState(context);
  const found = pastOf(context, state, when);
  if ("problem" in found) return refuse(context, [found.problem], EXIT.failed);
  const rows = rowsOf(found, options.stack);
  if (options.content !== undefined) return writeContent(context, state, rows, options.content);
  const unreadable = found.unreadable.map(unreadableProblem);
  if (context.json)
    printJson(context, {
      format: 1,
      at: found.at,
      ...(found.run !== undefined && { run: found.run }),
      ...(found.unknownBefore !== undefined && { unknown_before: found.unknownBefore }),
      registers: rows.map((row) => rowJson(state, row)),
      unreadable: [...found.unreadable],
    });
  else {
    print(context, renderPast(rows, found.at, found.unknownBefore, context.outStyle, localTime));
    for (const { detail } of unreadable) context.err.write(`${detail}\n`);
  }
  return 0;
}

function unreadableProblem(run: RunId): Problem {
  return {
    code: "unreadable-run",
    severity: "warning",
    summary: "a run that cannot be read",
    detail: `what run ${run} set is not known: its journal or plan is damaged; \`setpoint doctor\` says why`,
  };
}

function pastOf(context: Context, state: StateDirectory, when: string): Past | { readonly problem: Problem } {
  const unreadable: RunId[] = [];
  const runs = state.toldRuns(unreadable);
  const lines = [...state.ledger().runs.values()];
  const there = new Set(state.runs());
  const gone = lines.filter(({ run }) => !there.has(run));
  const named = namedRun(when, lines);
  if (named !== undefined && !runs.some(({ run }) => run === named)) {
    const why = there.has(named) ? "its journal or plan cannot be read: `setpoint doctor` says why" : "`setpoint gc` gave it up";
    return {
      problem: { code: "gone-run", severity: "error", summary: "a run of which nothing is known", detail: `run ${named} is gone: ${why}` },
    };
  }
  const moment: Moment = named === undefined ? { at: timeOf(when) } : { after: named };
  const told = upTo(runs, moment);
  const at = "at" in moment ? moment.at : lastRecord(told, moment.after);
  const missing = gone.filter(({ began }) => began <= at);
  const known = knownAt(runs, moment);
  const ledger = ledgerOf(context, state, missing);
  takeNews(ledger, told);
  const ends = missing.map(({ ended }) => ended);
  return {
    at,
    ...(named && { run: named }),
    known,
    ledger,
    gone: missing,
    ...(ends.length > 0 && { unknownBefore: Math.max(...ends) }),
    unreadable,
  };
}

/** What gc kept of the ownership of runs that are gone. */
function ledgerOf({ system }: Context, state: StateDirectory, missing: readonly RunLine[]): Ledger {
  const ledger = new Ledger();
  const base = missing.length === 0 ? undefined : readBase(system.files, state.path);
  const gone = new Set(missing.map(({ run }) => run));
  for (const stack of base?.stacks() ?? []) {
    for (const id of base?.registersOf(stack) ?? []) {
      const owned = base?.ownedBy(stack, id).filter(({ run }) => run !== undefined && gone.has(run)) ?? [];
      if (owned.length > 0) ledger.setOwned(stack, id, owned);
    }
  }
  return ledger;
}

function lastRecord(told: readonly ToldRun[], run: RunId): number {
  return told.find((one) => one.run === run)?.records.at(-1)?.at ?? 0;
}

/** The run that is meant; undefined where it is a time. */
function namedRun(when: string, lines: readonly RunLine[]): RunId | undefined {
  if (!/^\d{8}(T|$)/.test(when)) return undefined;
  const found = lines.filter(({ run }) => run.startsWith(when));
  if (found.length === 1 && found[0]) return found[0].run;
  if (found.length > 1) throw new UsageError(`${when} is the beginning of ${found.length} runs; give more of it`);
  throw new UsageError(isRunId(when) ? `there is no run ${when}; \`setpoint history\` lists them` : badTime(when));
}

const badTime = (when: string) =>
  `--at takes a time such as '2026-08-01 10:15' or 2026-08-01T08:15:00Z, or a run's id, not ${JSON.stringify(when)}`;

/** Local time, unless it says an offset. A date alone is its first moment. */
function timeOf(when: string): number {
  const parts = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:?\d\d)?)?$/.exec(when);
  const time = parts === null ? Number.NaN : Date.parse(`${parts[1]}T${parts[2] ?? "00:00"}${parts[3] ?? ""}`);
  if (Number.isNaN(time)) throw new UsageError(badTime(when));
  return time;
}

function rowsOf({ known, ledger, gone }: Past, stack: string | undefined): readonly PastRow[] {
  const ids = new Set<RegisterId>(known.keys());
  for (const owner of ledger.stacks()) for (const id of ledger.registersOf(owner)) ids.add(id);
  return [...ids].sort().flatMap((id): readonly PastRow[] => {
    const owners = ledger.ownersOf(id);
    const one = known.get(id);
    if (stack !== undefined && one?.stack !== stack && !owners.includes(stack)) return [];
    if (one === undefined) return [{ register: id, owners }];
    const { state, doubt, how, run, at, later } = one;
    const isUncertain = gone.some((line) => mayHaveSet(line, one));
    return [
      {
        register: id,
        state,
        how,
        run,
        at,
        owners,
        ...(isUncertain && { uncertain: true }),
        ...(doubt && { doubt }),
        ...(later && { later }),
      },
    ];
  });
}

/** Whether a run that is gone came after what is known of a register, and may have set it. */
export function mayHaveSet({ run, turn = 0 }: Pick<RunLine, "run" | "turn">, known: Known): boolean {
  return turn > known.turn || (turn === known.turn && run > known.run);
}

function contentsIn(register: string, state: State | undefined): readonly string[] {
  return state === undefined ? [] : (kinds.get(register.slice(0, register.indexOf(":")))?.contents?.(state) ?? []);
}

function rowJson(state: StateDirectory, { register, at, later, ...row }: PastRow): Json {
  const contents = contentsIn(register, row.state).map((digest) => {
    const sensitive = isKeyed(digest);
    return { digest, sensitive, at_hand: !sensitive && state.content(digest as never, state.runs()) !== undefined };
  });
  return {
    register,
    ...row,
    owners: [...row.owners],
    ...(at !== undefined && { since: at }),
    ...(later && { later: { ...later } }),
    contents,
  } as Json;
}

/** The bytes of a register's content, as they were. */
function writeContent(context: Context, state: StateDirectory, rows: readonly PastRow[], named: string): number {
  const colon = named.indexOf(":");
  const id = colon > 0 && kinds.has(named.slice(0, colon)) ? named : `path:${resolve(context.system.host.cwd, named)}`;
  const row = rows.find(({ register }) => register === id);
  const no = (code: string, summary: string, detail: string) =>
    refuse(context, [{ code, severity: "error", summary, detail }], EXIT.failed);
  if (row === undefined) return no("not-managed", "a register that was not managed", `${id} was not managed then, as far as is known`);
  if (row.state === undefined)
    return no("unknown-state", "a state that is not known", `the runs that set ${id} are gone: \`gc\` gave them up`);
  const [digest] = contentsIn(id, row.state);
  if (digest === undefined) return no("no-content", "a register without a content", `${id} was ${row.state.is} then: it had no content`);
  if (isKeyed(digest))
    return no("sensitive-content", "a content that is not shown", `the content of ${id} was sensitive: it is never written out`);
  const bytes = state.content(digest as never, state.runs());
  if (bytes === undefined)
    return no("content-gone", "a content that is not kept", `the content of ${id} had the digest ${digest}, and no run or blob keeps it`);
  if (context.json) {
    printJson(context, { format: 1, register: id, digest, base64: bytes.toString("base64") });
    return 0;
  }
  const text = bytes.toString("utf8");
  if (!Buffer.from(text).equals(bytes))
    return no("not-text", "a content that is no text", `the content of ${id} is no UTF-8: --json has it as base64`);
  context.out.write(text);
  return 0;
}
