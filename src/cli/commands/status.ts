import { type Register, type RegisterId, registerId, type State } from "../../core/index.ts";
import { inDoubt, matches, prepareGoals, readAll } from "../../engine/index.ts";
import { isOpen, type RunLine, readJournal, runState } from "../../journal/index.ts";
import { goals, kinds } from "../../registers/index.ts";
import { renderStatus, type StackStatus } from "../../report/index.ts";
import { type Context, EXIT, localTime, print, printJson, readState, refuse } from "../context.ts";
import { historyRow } from "../history-row.ts";
import { type PlaybookOptions, playbookOptions } from "../options.ts";
import { nextOf } from "../outcomes.ts";
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
    if (context.json) printJson(context, { format: 1, stacks } as never);
    else print(context, renderStatus(stacks, context.outStyle, localTime));
    return 0;
  },
};

async function statusOf(
  context: Context,
  reading: Reading,
  stack: string,
  orphans: StackStatus["orphans"] | undefined,
): Promise<StackStatus> {
  const lines = [...reading.ledger.runs.values()].filter((line) => line.stack === stack).sort((a, b) => (a.run < b.run ? 1 : -1));
  const [last] = lines;
  const open = lines.find((line) => isOpen(line.status));
  return {
    stack,
    owned: [...reading.ledger.registersOf(stack)].length,
    ...(last && { last: historyRow(last) }),
    ...(open && { open: openOf(open) }),
    inDoubt: open ? doubtsOf(context, reading, open) : [],
    debts: await debtsOf(context, reading, lines),
    orphans: (orphans ?? []).map(({ address, register }) => ({ address, register })),
  };
}

function openOf(line: RunLine): NonNullable<StackStatus["open"]> {
  return { run: line.run, status: line.status, left: line.left, next: nextOf(line) ?? "" };
}

function doubtsOf(context: Context, reading: Reading, { run }: RunLine): StackStatus["inDoubt"] {
  const folder = reading.state.runFolder(run);
  const parsed = readJournal(context.system.files, folder.path, run);
  const state = parsed && runState(parsed.records);
  if (!state) return [];
  return inDoubt(folder.plan(), state, kinds).map((change) => {
    const address = change.resources[0]?.address ?? registerId(change.register);
    return { address, next: `setpoint answer '${address.replaceAll("'", "'\\''")}' happened|not` };
  });
}

/** The commands that wait for a change of what they watch and are due now, by the newest plan of the stack. Runs no guard. */
async function debtsOf(context: Context, reading: Reading, newestFirst: readonly RunLine[]): Promise<StackStatus["debts"]> {
  const line = newestFirst.find(({ run }) => context.system.files.lstat(`${reading.state.path}/runs/${run}/plan.json`));
  if (line === undefined) return [];
  const plan = reading.state.runFolder(line.run).plan();
  const watching = plan.settings.filter((setting) => setting.register.kind === "receipt" && (setting.reads ?? []).length > 0);
  if (watching.length === 0) return [];
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
