import {
  type Address,
  type Digest,
  isKeyed,
  type Plan,
  type Register,
  type RegisterId,
  type RunId,
  registerId,
  type State,
  SystemFault,
} from "../../core/index.ts";
import { readAll } from "../../engine/index.ts";
import { readJournal, runState } from "../../journal/index.ts";
import { kinds } from "../../registers/index.ts";
import { renderWhy, safeLine, stateDiff, type WhyReport } from "../../report/index.ts";
import { readWhole } from "../../system/index.ts";
import { type Context, localTime, print, printJson, readState, shown } from "../context.ts";
import { lookOf } from "../look.ts";
import { type Reading, startReading, vaultFor } from "../stack.ts";
import type { CommandModule } from "./command.ts";

/** Everything that is known about one register: who declares it, which runs set it, and what it was before. */
export const why: CommandModule = {
  define(command) {
    command
      .description("tell who declares a thing, which runs set it, and what it was before")
      .argument("<register>", "a path, a register such as path:/etc/motd, or a resource's address")
      .addHelpText(
        "after",
        `
Examples:
  setpoint why /etc/motd
  setpoint why path:/etc/motd
  setpoint why 'line:/etc/hosts'
  setpoint why 'command:make the database'`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[]): Promise<number> {
    const [named = ""] = args;
    const reading = startReading(context, readState(context), { commands: false });
    const plans = new Plans(context, reading);
    const registers = meant(context, reading, plans, named);
    const reports = [];
    for (const register of registers) reports.push(await reportOn(context, reading, plans, register));
    if (context.json) printJson(context, { format: 1, registers: reports.map(({ report, was }) => ({ ...report, was })) });
    else print(context, reports.map(({ text }) => text).join("\n"));
    return 0;
  },
};

/** The frozen plans of all runs, newest first; each is read only where its text names what is asked for. */
class Plans {
  private readonly context: Context;
  private readonly reading: Reading;

  constructor(context: Context, reading: Reading) {
    this.context = context;
    this.reading = reading;
  }

  *naming(text: string): Generator<{ readonly run: RunId; readonly plan: Plan }> {
    const part = JSON.stringify(text).slice(1, -1);
    for (const run of this.reading.state.runs().toReversed()) {
      const folder = this.reading.state.runFolder(run);
      if (!readWhole(this.context.system.files, `${folder.path}/plan.json`)?.toString("utf8").includes(part)) continue;
      try {
        yield { run, plan: folder.plan() };
      } catch (thrown) {
        if (!(thrown instanceof SystemFault)) throw thrown;
        this.context.err.write(shown(this.context, `${safeLine(thrown.message)}\n`));
      }
    }
  }
}

/** The registers that a text means: itself one, those of an address, or a path's. */
function meant(context: Context, reading: Reading, plans: Plans, named: string): readonly RegisterId[] {
  const colon = named.indexOf(":");
  if (colon > 0 && kinds.has(named.slice(0, colon))) return [named as RegisterId];
  if (/^[a-z_]+:/.test(named)) {
    const found = registersAt(plans, named);
    if (found.length > 0) return found;
  }
  return [`path:${absolute(context, reading, named)}` as RegisterId];
}

/** Of the newest run that has the address; `type:name` alone means all of that name. */
function registersAt(plans: Plans, address: string): readonly RegisterId[] {
  for (const { plan } of plans.naming(address)) {
    const isMeant = (one: Address | undefined) => one === address || one?.startsWith(`${address}#`) === true;
    const found = plan.settings.filter((setting) => !setting.implied && isMeant(plan.resources[setting.by]?.address));
    if (found.length > 0) return [...new Set(found.map(({ register }) => registerId(register)))];
  }
  return [];
}

function absolute(context: Context, reading: Reading, named: string): string {
  const { cwd, home } = context.system.host;
  const whole = named.startsWith("/") ? named : /^~(\/|$)/.test(named) ? `${home}${named.slice(1)}` : `${cwd}/${named}`;
  const parts: string[] = [];
  for (const part of whole.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const path = `/${parts.join("/")}`;
  try {
    return reading.reader.resolve(path);
  } catch (thrown) {
    if (thrown instanceof SystemFault) return path; // what cannot be looked at now may still have been set once
    throw thrown;
  }
}

interface Found {
  readonly report: WhyReport;
  readonly text: string;
  /** Per stack, the state before it first set the register. */
  readonly was: readonly { readonly stack: string; readonly state: State }[];
}

async function reportOn(context: Context, reading: Reading, plans: Plans, id: RegisterId): Promise<Found> {
  const { ledger, state } = reading;
  const colon = id.indexOf(":");
  const owners = ledger.ownersOf(id).map((stack) => ({ stack, owned: ledger.ownedBy(stack, id) }));
  const declared: { address: Address; at: Plan["resources"][number]["at"]; aspects: readonly string[] }[] = [];
  const sets: { run: RunId; stack: string; at: number; before: State; after: State }[] = [];
  const told = new Set<string>();
  const newestOf = new Map<string, RunId>();
  for (const { run, stack } of ledger.runs.values()) if (run > (newestOf.get(stack) ?? "")) newestOf.set(stack, run);
  let register: Register | undefined;
  for (const { run, plan } of plans.naming(id.slice(colon + 1))) {
    const settings = plan.settings.filter((setting) => registerId(setting.register) === id);
    if (settings.length === 0 && !plan.changes.some((change) => registerId(change.register) === id)) continue;
    register ??= settings[0]?.register;
    // Only the newest word of a stack counts, and only while it still owns a part or its newest run still names it.
    const holds = newestOf.get(plan.stack) === run || ledger.aspectsOf(plan.stack, id) !== undefined;
    if (!told.has(plan.stack) && settings.length > 0) {
      told.add(plan.stack);
      for (const setting of holds ? settings : []) {
        const resource = plan.resources[setting.by];
        if (resource && !setting.implied) declared.push({ address: resource.address, at: resource.at, aspects: setting.aspects });
      }
    }
    sets.push(...setsOf(context, reading, run, plan, id));
  }
  const now = await currentState(context, reading, register ?? { kind: id.slice(0, colon), key: id.slice(colon + 1) }, sets);
  const report: WhyReport = {
    register: id,
    ...(now && { current: now }),
    declared,
    owners: owners.map(({ stack, owned }) => ({ stack, aspects: owned.flatMap(({ aspects }) => aspects) })),
    sets,
  };
  const [newest] = sets;
  const contents = reading.contents;
  contents.addSource((digest) => (isKeyed(digest) ? undefined : state.content(digest, state.runs())));
  const diff = newest && (await stateDiff(newest.before, newest.after, lookOf(contents, vaultFor(context, reading, []))));
  const lines = diff === undefined || diff === "" ? "" : `\n  what run ${newest?.run} did:\n${diff.replace(/^/gm, "    ")}\n`;
  const was = owners.flatMap(({ stack, owned }) => (owned[0] ? [{ stack, state: owned[0].was }] : []));
  return { report, text: `${renderWhy(report, context.outStyle, localTime)}${lines}`, was };
}

/** What a run did to a register, newest first: its undoing, then its setting. */
function setsOf(
  context: Context,
  reading: Reading,
  run: RunId,
  plan: Plan,
  id: RegisterId,
): WhyReport["sets"] & { before: State; after: State }[] {
  const folder = reading.state.runFolder(run);
  const parsed = readJournal(context.system.files, folder.path, run);
  const state = parsed && runState(parsed.records);
  if (!state) return [];
  return [...plan.changes, ...plan.steady]
    .filter((step) => registerId(step.register) === id)
    .reverse()
    .flatMap((step) => {
      const own = state.steps.get(step.n);
      if (own?.acted !== true || (own.status !== "done" && own.status !== "undone" && own.status !== "kept")) return [];
      const before = own.before ?? step.before;
      const after = own.after ?? ("after" in step ? (step.after as State) : step.before);
      const set = { run, stack: plan.stack, at: state.began, before, after };
      return own.status === "undone" && own.outcome !== "skipped"
        ? [{ ...set, at: state.ended, before: after, after: before }, set]
        : [set];
    });
}

/** What the register is now. A content that may not be seen by others, or was once hidden, stands as its fingerprint. */
async function currentState(
  context: Context,
  reading: Reading,
  register: Register,
  sets: readonly { readonly before: State; readonly after: State }[],
): Promise<State | undefined> {
  const kind = kinds.get(register.kind);
  if (!kind || (register.kind === "receipt" && register.about === undefined)) return undefined;
  try {
    const [now] = await readAll([register], kinds, reading.reader);
    if (now === undefined) return undefined;
    const contentsIn = (state: State): readonly Digest[] => kind.contents?.(state) ?? [];
    const wasHidden = sets.some(({ before, after }) => [before, after].some((state) => contentsIn(state).some(isKeyed)));
    if (!wasHidden && !reading.ledger.sensitive.has(registerId(register)) && kind.private?.(now) !== true) return now;
    const vault = vaultFor(context, reading, []);
    for (const digest of contentsIn(now)) vault.hide(digest);
    return vault.seal(now);
  } catch (thrown) {
    if (!(thrown instanceof SystemFault)) throw thrown;
    context.err.write(shown(context, `${safeLine(`${registerId(register)} cannot be read now: ${thrown.message}`)}\n`));
    return undefined;
  }
}
