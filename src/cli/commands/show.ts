import { type Clock, type Digest, isKeyed, type Plan, type RunId, type RunKind, type RunStatus, SystemFault } from "../../core/index.ts";
import { looksLikePlan, readPlan } from "../../engine/index.ts";
import {
  type JournalRecord,
  type Parsed,
  parseJournal,
  type RunFolder,
  type RunLine,
  type RunState,
  readJournal,
  runState,
  type StateDirectory,
} from "../../journal/index.ts";
import { kinds } from "../../registers/index.ts";
import { jsonText, type Look, planJson, problemsJson, type RunDetail, renderPlan, renderRun, safeLine } from "../../report/index.ts";
import { ContentStore, readWhole } from "../../system/index.ts";
import { type Context, EXIT, localTime, print, printJson, readState, refuse, showProblems, UsageError } from "../context.ts";
import { awaitedNow, historyRow } from "../history-row.ts";
import { nextOf, outcomesOf } from "../outcomes.ts";
import type { CommandModule } from "./command.ts";

interface ShowOptions {
  readonly full?: boolean;
  readonly salvage?: boolean;
}

/** A saved plan, or a run with its plan and how each action ended. */
export const show: CommandModule = {
  define(command) {
    command
      .description("show a saved plan, or a run: its plan as a diff and how each action ended")
      .argument("<run|plan>", "a run's id or its beginning, or the file of a saved plan")
      .option("--full", "do not fold long diffs")
      .option("--salvage", "list the records of a run's journal that can be read, also of a damaged one")
      .addHelpText(
        "after",
        `
Examples:
  setpoint show site.plan
  setpoint show 20260801T101112000-1a2b3c
  setpoint show 20260801T101112000-1a2b3c --salvage`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: ShowOptions): Promise<number> {
    const [named = ""] = args;
    const path = named.startsWith("/") ? named : `${context.system.host.cwd}/${named}`;
    if (context.system.files.lstat(path)?.type === "file") return showPlanFile(context, path, named, options);
    const state = readState(context);
    const ledger = state.ledger();
    const run = runNamed(named, [...new Set([...ledger.runs.keys(), ...state.runs()])]);
    if (options.salvage) return salvage(context, state.runFolder(run));
    return showRun(context, state, run, ledger.runs.get(run), options);
  },
};

function runNamed(named: string, runs: readonly RunId[]): RunId {
  const found = runs.filter((run) => run === named || (named !== "" && run.startsWith(named)));
  const [one] = found;
  if (one === undefined) throw new UsageError(`there is neither a file nor a run ${named}; \`setpoint history\` lists the runs`);
  if (found.length > 1) throw new UsageError(`${named} is the beginning of ${found.length} runs; give more of it`);
  return one;
}

async function showPlanFile(context: Context, path: string, file: string, options: ShowOptions): Promise<number> {
  const text = readWhole(context.system.files, path)?.toString("utf8") ?? "";
  if (!looksLikePlan(text))
    throw new UsageError(
      `${file} is no plan that \`setpoint plan -o\` wrote; \`setpoint plan ${file}\` shows what a playbook would change`,
    );
  const read = readPlan(text, file);
  if (!read.ok) return refuse(context, read.problems, EXIT.invalid);
  const plan = read.value;
  const contents = new ContentStore((origin) => readWhole(context.system.files, origin));
  for (const bytes of Object.values(plan.contents ?? {})) contents.put(Buffer.from(bytes, "base64"));
  // What is too large for the plan may still stand there.
  for (const { register, before } of plan.changes) {
    if (register.kind !== "path" || typeof before.content !== "string" || isKeyed(before.content)) continue;
    const stat = context.system.files.lstat(register.key);
    if (stat?.type === "file") contents.note(before.content as Digest, register.key, stat.size);
  }
  if (context.json) printJson(context, planJson(plan));
  else print(context, await renderPlan(plan, { contents, sensitive: isKeyed }, { ...context.outStyle, full: options.full === true }));
  return 0;
}

async function showRun(
  context: Context,
  state: StateDirectory,
  id: RunId,
  line: RunLine | undefined,
  options: ShowOptions,
): Promise<number> {
  const folder = state.runFolder(id);
  const parsed = readJournal(context.system.files, folder.path, id);
  const run = parsed && runState(parsed.records);
  if (!parsed || !run) return showLine(context, id, line);
  const problems = parsed.rest === "damaged" ? [damageOf(folder, parsed)] : [];
  const plan = planOf(folder, problems);
  const detail = withKept(detailOf(run, plan, context.system.clock), state, folder);
  if (context.json) {
    const { actions, at: began, endedAt: ended, ...facts } = detail;
    printJson(context, {
      format: 1,
      ...facts,
      began,
      ...(ended !== undefined && { ended }),
      ...(run.exit !== undefined && { exit: run.exit }),
      actions: actions.map((action) => ({ ...action })),
      ...(plan && { plan: planJson(plan) }),
      problems: problemsJson(problems),
    });
  } else {
    print(context, renderRun(detail, context.outStyle, localTime));
    if (plan) print(context, `\n${await renderPlan(plan, lookInto(state, folder), { ...context.outStyle, full: options.full === true })}`);
    showProblems(context, problems);
  }
  return problems.length > 0 ? EXIT.failed : 0;
}

function planOf(folder: RunFolder, problems: ReturnType<typeof damageOf>[]): Plan | undefined {
  try {
    return folder.plan();
  } catch (thrown) {
    if (!(thrown instanceof SystemFault)) throw thrown;
    problems.push({ code: thrown.code, severity: "error", summary: "the run's plan cannot be read", detail: thrown.message });
    return undefined;
  }
}

function damageOf(folder: RunFolder, parsed: Parsed) {
  return {
    code: "damaged-journal",
    severity: "error" as const,
    summary: "the run's journal is damaged",
    detail: `${folder.path}/journal cannot be read from byte ${parsed.length} on: what is shown is what stands before it. \`setpoint show ${folder.run} --salvage\` lists all that can be read; \`setpoint abandon ${folder.run}\` gives the run up`,
  };
}

function detailOf(run: RunState, plan: Plan | undefined, clock: Clock): RunDetail {
  const actions = plan ? outcomesOf(plan, run) : [];
  const count = (status: string) => actions.filter((action) => action.status === status).length;
  const next = nextOf(run);
  const confirm = awaitedNow(run, clock);
  return {
    run: run.run,
    stack: run.stack,
    kind: run.kind as RunKind,
    status: run.status as RunStatus,
    at: run.began,
    ...(run.exit !== undefined && { endedAt: run.ended }),
    changed: count("set") + count("found"),
    conflicts: count("conflict"),
    failed: count("failed"),
    actions,
    ...(plan && { playbooks: plan.playbooks.map(({ file }) => file) }),
    ...(confirm && { confirm }),
    ...(next !== undefined && { next }),
  };
}

/** Where that is which somebody had made of a register and which was given up by name. */
function withKept(detail: RunDetail, state: StateDirectory, folder: RunFolder): RunDetail {
  const placeOf = (digest: Digest) => {
    const pack = [folder.before, folder.after].find((one) => one.has(digest));
    return pack?.path ?? (state.blobs.has(digest) ? state.blobs.pathOf(digest) : undefined);
  };
  return {
    ...detail,
    actions: detail.actions.map((action) => {
      const { found, register, status } = action;
      if (found === undefined || (status !== "set" && status !== "restored")) return action;
      const contents = kinds.get(register.slice(0, register.indexOf(":")))?.contents?.(found) ?? [];
      const kept = contents.flatMap((digest) => {
        const place = placeOf(digest);
        return place === undefined ? [] : [`its content is kept as ${digest} in ${place}`];
      });
      const was = found.is === "absent" ? "that somebody had removed it was given up" : "what somebody had made of it was given up";
      return { ...action, detail: [was, ...kept].join("; ") };
    }),
  };
}

/** What is left of a run whose folder is gone: its line of the ledger. */
function showLine(context: Context, id: RunId, line: RunLine | undefined): number {
  if (line === undefined)
    throw new SystemFault(
      "no-journal",
      `run ${id} has no journal that can be read: it never began, or it is damaged from its start; \`setpoint show ${id} --salvage\` lists what can be read`,
    );
  const { run, stack, kind, status, began, ended, exit, changed, left } = line;
  if (context.json) printJson(context, { format: 1, run, stack, kind, status, began, ended, exit, changed, left, actions: [], gone: true });
  else {
    print(context, renderRun({ ...historyRow(line, context.system.clock), endedAt: ended, actions: [] }, context.outStyle, localTime));
    print(context, "\nIts plan and journal are gone: `setpoint gc` gave them up. It can no longer be reverted.\n");
  }
  return 0;
}

/** Contents of the run's own packs, and blobs. */
function lookInto(state: StateDirectory, folder: RunFolder): Look {
  const contents = new ContentStore(() => undefined);
  contents.addSource((digest) => folder.content(digest) ?? (isKeyed(digest) ? undefined : state.blobs.get(digest)));
  return { contents, sensitive: isKeyed };
}

/** Every record that passes its own check, also behind the damage, and also of journals that were put aside. */
function salvage(context: Context, folder: RunFolder): number {
  const { files } = context.system;
  const names = files.lstat(folder.path)
    ? files
        .readDirectory(folder.path)
        .map(({ name }) => name)
        .filter((name) => name === "journal" || name.startsWith("journal.damaged-"))
        .sort()
    : [];
  if (names.length === 0) throw new SystemFault("no-journal", `run ${folder.run} has no journal`);
  const found = names.map((name) => ({ name, ...parseJournal(readWhole(files, `${folder.path}/${name}`) as Buffer, folder.run) }));
  if (context.json)
    printJson(context, {
      format: 1,
      run: folder.run,
      journals: found.map(({ name, rest, length, records, salvage: behind }) => ({ name, rest, length, records, salvage: behind })),
    });
  else
    for (const { name, rest, length, records, salvage: behind } of found) {
      const state = rest === "none" ? "whole" : `${rest} at byte ${length}`;
      print(context, `${folder.path}/${name}: ${state}, ${records.length} records before, ${behind.length} readable behind\n`);
      for (const record of records) print(context, recordLine(record, " "));
      for (const record of behind) print(context, recordLine(record, "?"));
    }
  return 0;
}

function recordLine({ seq, at, t, v: _v, mono: _mono, d: _d, ...body }: JournalRecord, sign: string): string {
  return safeLine(`${sign} ${String(seq).padStart(6)}  ${localTime(at)}  ${t.padEnd(8)} ${jsonText(body as never)}`).concat("\n");
}
