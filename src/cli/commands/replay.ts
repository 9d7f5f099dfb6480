import { isKeyed, type Json, type Plan, type RunId, SystemFault } from "../../core/index.ts";
import { type Replayed, replayPlan } from "../../engine/index.ts";
import { inTurn, Ledger, type StateDirectory, type ToldRun, takeNews, turnsOf } from "../../journal/index.ts";
import { goals, kinds } from "../../registers/index.ts";
import { jsonText, safeLine } from "../../report/index.ts";
import { ContentStore } from "../../system/index.ts";
import { type Context, EXIT, print, printJson, readState, UsageError } from "../context.ts";
import { collect } from "../options.ts";
import { secretsOf } from "../secrets.ts";
import { type Reading, startReading, vaultFor } from "../stack.ts";
import { chooseRun } from "../tools.ts";
import type { CommandModule } from "./command.ts";

interface ReplayOptions {
  readonly all?: boolean;
  readonly stack?: string;
  readonly var?: readonly string[];
}

/** One run's replay, or why it has none. */
interface Outcome {
  readonly run: RunId;
  /** The version that made the plan. */
  readonly made: string;
  readonly result: Replayed;
}

/** Decides runs once more from what they recorded, and says where this version would decide otherwise. */
export const replay: CommandModule = {
  define(command) {
    command
      .description("decide a run's plan once more from what it recorded, and say where it would come out otherwise")
      .argument("[run...]", "runs by their id or its beginning; left out, the newest", [])
      .option("--all", "all runs that are there")
      .option("--stack <name>", "the newest run of this stack")
      .option("--var <name=value>", "a secret that the run was given (repeatable)", collect)
      .addHelpText(
        "after",
        `
A plan follows from its settings and the states that were read: the same settings and states give the same plan. replay folds
them again, with this version of setpoint and without looking at the machine, and compares each step with the frozen plan. After
an upgrade it shows whether the new version would have decided the same.

What is not at hand is named and left out: steps that need a secret that is not given, a content that is no longer kept, or a
state that was not recorded; reasons and orphans where gc gave up what was before the run, or where the plan was saved earlier.
What tentative steps were folded to during the run is not decided anew.

Exit codes: 0 the same, 2 something differs.

Examples:
  setpoint replay
  setpoint replay --all --json | jq '.runs[] | select(.same | not)'
  setpoint replay 20260801T101112000-1a2b3c --var token=…`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: ReplayOptions): Promise<number> {
    const named = args.filter((one): one is string => one !== undefined);
    if (options.all && named.length > 0) throw new UsageError("name runs, or say --all");
    const state = readState(context);
    const reading = startReading(context, state, { commands: false });
    const unreadable: RunId[] = [];
    const told = state.toldRuns(unreadable);
    const chosen = options.all
      ? told.map(({ run }) => run)
      : (named.length > 0 ? named : [undefined]).map((one) => chooseRun(context, reading, one, options.stack, () => true));
    const outcomes: Outcome[] = [];
    for (const run of chosen) outcomes.push(await replayRun(context, reading, told, run, options));
    return tell(context, outcomes, options.all ? unreadable : []);
  },
};

async function replayRun(
  context: Context,
  reading: Reading,
  told: readonly ToldRun[],
  run: RunId,
  options: ReplayOptions,
): Promise<Outcome> {
  const { state } = reading;
  const one = told.find((other) => other.run === run);
  if (one === undefined)
    throw new SystemFault(
      "no-replay",
      state.runs().includes(run)
        ? `run ${run} cannot be replayed: its journal is damaged, or its plan is not the one it began with; \`setpoint doctor\` says which`
        : `run ${run} cannot be replayed: \`setpoint gc\` gave up its plan`,
    );
  const plan = one.plan();
  const contents = keptContents(state, run);
  const vault = vaultFor(context, { ...reading, contents }, await secretsOf(context, plan, options));
  const result = await replayPlan(plan, { kinds, goals, contents, vault, ledger: ledgerBefore(reading, told, one, plan) });
  return { run, made: plan.setpoint, result };
}

/** Contents of the run itself, then of all others; nothing of the machine. */
function keptContents(state: StateDirectory, run: RunId): ContentStore {
  const contents = new ContentStore(() => undefined);
  const runs = [run, ...state.runs().filter((other) => other !== run)];
  contents.addSource((digest) => (isKeyed(digest) && !state.hasKeys() ? undefined : state.content(digest, runs)));
  return contents;
}

/** The ledger as it was when a run was planned; undefined where that is not known: gc gave up earlier runs, or the plan was saved. */
function ledgerBefore({ ledger, state }: Reading, told: readonly ToldRun[], run: ToldRun, plan: Plan): Ledger | undefined {
  const turns = inTurn(told.flatMap(turnsOf));
  const before = turns.slice(
    0,
    turns.findIndex((turn) => turn.run === run.run),
  );
  const last = run.records[0]?.turn ?? 0;
  const there = new Set(told.map((one) => one.run));
  const isGone = [...ledger.runs.values()].some(({ run: other, turn = 0 }) => !there.has(other) && turn <= last);
  if (isGone || plan.contents !== undefined || state.runs().some((other) => !there.has(other))) return undefined;
  const counts = new Map<RunId, number>();
  for (const turn of before) counts.set(turn.run, (counts.get(turn.run) ?? 0) + turn.records.length);
  const then = new Ledger();
  takeNews(
    then,
    told.flatMap((one) => {
      const count = counts.get(one.run) ?? 0;
      return count === 0 ? [] : [{ ...one, records: one.records.slice(0, count), ends: one.ends.slice(0, count) }];
    }),
  );
  return then;
}

function tell(context: Context, outcomes: readonly Outcome[], unreadable: readonly RunId[]): number {
  const exit = outcomes.some(({ result }) => result.differences.length > 0) ? EXIT.changes : 0;
  if (context.json)
    printJson(context, {
      format: 1,
      by: context.version,
      runs: outcomes.map(({ run, made, result }) => ({
        run,
        setpoint: made,
        same: result.differences.length === 0,
        replayed: result.replayed,
        differences: result.differences.map((one) => ({ ...one })),
        not_replayed: result.notReplayed.map((one) => ({ ...one })),
        notes: [...result.notes],
      })),
      unreadable: [...unreadable],
    });
  else for (const outcome of outcomes) print(context, textOf(context, outcome));
  for (const run of unreadable) if (!context.json) context.err.write(`run ${run} cannot be read, and is not replayed\n`);
  return exit;
}

function textOf(context: Context, { run, made, result }: Outcome): string {
  const { replayed, differences, notReplayed, notes } = result;
  const steps = `${replayed} ${replayed === 1 ? "step" : "steps"}`;
  const lines = [
    differences.length === 0
      ? `Run ${run}, planned by setpoint ${made}: setpoint ${context.version} decides the same, in ${steps}.`
      : `Run ${run}, planned by setpoint ${made}: setpoint ${context.version} decides otherwise.`,
    ...differences.flatMap(({ register, what, frozen, now }) => [
      `  ${safeLine(register ?? "the plan")}: ${what}`,
      ...(frozen === undefined ? [] : [`    was  ${shownJson(frozen)}`]),
      ...(now === undefined ? [] : [`    now  ${shownJson(now)}`]),
    ]),
    ...notReplayed.map(({ register, why }) => `  not replayed: ${safeLine(register)}: ${safeLine(why)}`),
    ...notes.map((note) => `  note: ${note}`),
  ];
  return `${lines.join("\n")}\n`;
}

function shownJson(value: Json): string {
  return safeLine(jsonText(value));
}
