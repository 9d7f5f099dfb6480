import { type Plan, type Register, type RegisterId, type RunId, registerId, type State, SystemFault } from "../../core/index.ts";
import { inDoubt, matches, prepareGoals, readAll } from "../../engine/index.ts";
import {
  isOpen,
  type JournalRecord,
  type RunFolder,
  type RunLine,
  type RunState,
  readJournal,
  runState,
  type StateDirectory,
} from "../../journal/index.ts";
import { goals, kinds } from "../../registers/index.ts";
import { type OpenBreaker, renderStatus, type StackStatus, type Unconfirmed } from "../../report/index.ts";
import { type Context, EXIT, localTime, print, printJson, readState, refuse } from "../context.ts";
import { awaitedNow, historyRow } from "../history-row.ts";
import { type PlaybookOptions, playbookOptions } from "../options.ts";
import { nextOf } from "../outcomes.ts";
import { preparedIn } from "../prepared.ts";
import { planStack, type Reading, readPlaybook, readText, startReading, vaultFor } from "../stack.ts";
import type { CommandModule } from "./command.ts";

/** What is pending, in doubt, owed and orphaned, for each stack. */
export const status: CommandModule = {
  define(command) {
    playbookOptions(command)
      .description("show what is pending, interrupted, in doubt or owed, for each stack")
      .argument("[playbook...]", "with a playbook, also what its stack owns and no longer declares", [])
      .addHelpText(
        "after",
        `
Examples:
  setpoint status
  setpoint status site.yaml          also the orphans
  setpoint status --json`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: PlaybookOptions): Promise<number> {
    const reading = startReading(context, readState(context), { commands: false });
    const orphans = new Map<string, StackStatus["orphans"]>();
    for (const file of args.filter((one): one is string => one !== undefined)) {
      const loaded = await readPlaybook(context, file, readText(context, file), options);
      if (!loaded.ok) return refuse(context, loaded.problems, EXIT.invalid);
      const planned = await planStack(context, loaded.value, startReading(context, readState(context), options), options);
      if (!planned.ok) return refuse(context, planned.problems, EXIT.invalid);
      const { plan } = planned.value;
      orphans.set(plan.stack, plan.orphans);
    }
    const names = new Set([...reading.ledger.stacks(), ...[...reading.ledger.runs.values()].map(({ stack }) => stack), ...orphans.keys()]);
    const stacks: StackStatus[] = [];
    for (const stack of [...names].sort()) stacks.push(await statusOf(context, reading, stack, orphans.get(stack)));
    const breakers = openBreakers(reading, context);
    if (context.json) printJson(context, { format: 1, stacks, breakers });
    else print(context, renderStatus(stacks, context.outStyle, localTime, breakers));
    return 0;
  },
};

/** The machines that failed several times in a row, and when they are tried again. */
function openBreakers({ ledger, remotes }: Reading, { system }: Context): readonly OpenBreaker[] {
  return [...ledger.breakers].sort().map(([origin, { failures }]) => {
    const wait = remotes.peers.waitOf(origin);
    return { origin, failures, ...(wait > 0 && { until: system.clock.now() + wait }) };
  });
}

async function statusOf(
  context: Context,
  reading: Reading,
  stack: string,
  orphans: StackStatus["orphans"] | undefined,
): Promise<StackStatus> {
  const lines = [...reading.ledger.runs.values()].filter((line) => line.stack === stack).sort((a, b) => (a.run < b.run ? 1 : -1));
  const [last] = lines;
  const line = lines.find((one) => isOpen(one.status));
  const { clock } = context.system;
  const unconfirmed = lines.find((one) => awaitedNow(one, clock) !== undefined);
  const opened = line && openedRun(context, reading.state, line.run);
  return {
    stack,
    owned: [...reading.ledger.registersOf(stack)].length,
    ...(last && { last: historyRow(last, clock) }),
    ...(line && { open: openOf(line, reading.state, opened === undefined) }),
    ...(unconfirmed && { confirm: confirmOf(unconfirmed.run, awaitedNow(unconfirmed, clock)) }),
    inDoubt: opened ? doubtsOf(opened) : [],
    prepared: opened ? preparedIn(opened.plan, opened.records) : [],
    debts: await debtsOf(context, reading, lines),
    orphans: (orphans ?? []).map(({ address, register }) => ({ address, register })),
  };
}

function confirmOf(run: RunId, { until }: Unconfirmed = {}): NonNullable<StackStatus["confirm"]> {
  return { run, ...(until === undefined ? { next: "setpoint confirm --overdue" } : { until, next: `setpoint confirm ${run}` }) };
}

interface Opened {
  readonly plan: Plan;
  readonly run: RunState;
  readonly records: readonly JournalRecord[];
}

/** The plan and state of a run; undefined where its journal or plan is damaged. */
function openedRun(context: Context, state: StateDirectory, run: RunId): Opened | undefined {
  const folder = state.runFolder(run);
  const parsed = readJournal(context.system.files, folder.path, run);
  if (parsed === undefined || parsed.rest === "damaged") return undefined;
  const found = runState(parsed.records);
  const plan = planOf(folder);
  return found && plan && { plan, run: found, records: parsed.records };
}

function planOf(folder: RunFolder): Plan | undefined {
  try {
    return folder.plan();
  } catch (thrown) {
    if (thrown instanceof SystemFault) return undefined; // told as damage where the run is open, and by doctor
    throw thrown;
  }
}

/** A run without an end is interrupted, unless a process is at work on it. */
function openOf({ run, status, kind, left }: RunLine, state: StateDirectory, damaged: boolean): NonNullable<StackStatus["open"]> {
  if (damaged) return { run, status, left, next: `its records are damaged: setpoint abandon ${run}` };
  if (status === "interrupted" && state.holder() !== "")
    return { run, status: kind === "revert" ? "reverting" : "applying", left, next: "a process is at work on it" };
  return { run, status, left, next: nextOf({ run, status, kind }) ?? "" };
}

function doubtsOf({ plan, run }: Opened): StackStatus["inDoubt"] {
  return inDoubt(plan, run, kinds).map((change) => {
    const address = change.resources[0]?.address ?? registerId(change.register);
    return { address, next: `setpoint answer '${address.replaceAll("'", "'\\''")}' happened|not` };
  });
}

/** The commands that wait for a change of what they watch and are due now, by the newest plan of the stack. Runs no guard. */
async function debtsOf(context: Context, reading: Reading, newestFirst: readonly RunLine[]): Promise<StackStatus["debts"]> {
  const line = newestFirst.find(({ run }) => context.system.files.lstat(`${reading.state.path}/runs/${run}/plan.json`));
  const plan = line && planOf(reading.state.runFolder(line.run));
  const watching = plan?.settings.filter((setting) => setting.register.kind === "receipt" && (setting.reads ?? []).length > 0) ?? [];
  if (plan === undefined || watching.length === 0) return [];
  await prepareGoals(watching, goals);
  const known = new Map<RegisterId, Register>(plan.settings.map(({ register }) => [registerId(register), register]));
  const watched = new Set(watching.flatMap((setting) => [registerId(setting.register), ...(setting.reads ?? [])]));
  const registers = [...watched].flatMap((id) => known.get(id) ?? []);
  const read = await readAll(registers, kinds, reading.reader);
  const states = new Map(registers.map((register, index) => [registerId(register), read[index] as State]));
  const vault = vaultFor(context, reading, []);
  const fingerprint = vault.fingerprint.bind(vault);
  const view = {
    contents: reading.contents,
    fingerprint,
    state: (id: RegisterId) => states.get(id) ?? { is: "absent" as const },
    sets: (id: RegisterId) => reading.ledger.sets.get(id) ?? 0,
  };
  return watching.flatMap((setting) => {
    const id = registerId(setting.register);
    const now = states.get(id);
    const goal = goals.get(`${setting.register.kind} ${setting.goal}`);
    if (now === undefined || goal === undefined) return [];
    if (matches(now, goal.converge(now, setting.want, view), fingerprint)) return [];
    return [{ register: id, why: "what it watches has changed since it last ran" }];
  });
}
