import { type Cause, type Plan, type Problem, parseDuration, type RunReport, registerId } from "../../core/index.ts";
import {
  applyPlan,
  type FrozenPlan,
  hideSensitive,
  irreversibleProblems,
  looksLikePlan,
  type Moved,
  movedSince,
  openRuns,
  prepareGoals,
  readPlan,
  recoverRun,
  resumeRun,
  roomProblems,
  sealedPlan,
  type Tools,
  type Vault,
} from "../../engine/index.ts";
import { isOpen, type LockedDirectory } from "../../journal/index.ts";
import { goals, kinds } from "../../registers/index.ts";
import { markdownReport, renderPlan, renderReport, runJson } from "../../report/index.ts";
import { machineId } from "../../system/index.ts";
import { type Context, EXIT, print, printAnnotations, printJson, refuse, showProblems, UsageError } from "../context.ts";
import { eventNotes, sendEvents } from "../event-outbox.ts";
import { lookOf } from "../look.ts";
import { type LockOptions, lockOptions, type PlaybookOptions, playbookOptions } from "../options.ts";
import { writeReports } from "../output.ts";
import {
  awaited,
  awaitedProblem,
  awaitedText,
  confirmStatusIn,
  isArmed,
  restartReverter,
  revertOverdue,
  startReverter,
} from "../overdue.ts";
import { secretsOf } from "../secrets.ts";
import { planStack, type Reading, readPlaybook, readText, startReading, vaultFor } from "../stack.ts";
import { staleProblem } from "../stale.ts";
import { contentsOfPlan, locked, toolsFor, viewFor } from "../tools.ts";
import type { CommandModule } from "./command.ts";

interface ApplyOptions extends PlaybookOptions, LockOptions {
  readonly yes?: boolean;
  readonly confirmWithin?: string;
  readonly allowIrreversible?: boolean;
  readonly report?: readonly string[];
}

/** Plans, asks, applies, verifies. */
export const apply: CommandModule = {
  define(command) {
    lockOptions(playbookOptions(command))
      .description("bring the system to the declared state: plan, ask, apply, verify")
      .argument("[playbook|plan...]", "playbooks, one after another, or one saved plan", [])
      .option("-y, --yes", "do not ask")
      .option("--confirm-within <time>", "revert the run unless `setpoint confirm` comes within this time after its end, such as 120s")
      .option("--allow-irreversible", "make changes that a revert cannot take back")
      .option("--report <form=file>", "write a report besides: markdown=FILE (repeatable)", (value: string, all: string[] = []) => [
        ...all,
        value,
      ])
      .addHelpText(
        "after",
        `
Exit codes: 0 as declared, 1 failed and nothing changed, 3 invalid, 4 the plan is stale, 5 refused, 6 something is left
and a command leads on, 7 failed and reverted, 8 another setpoint is at work, 9 applied but not verified.

Examples:
  setpoint apply site.yaml
  setpoint apply site.yaml --yes --var domain=example.org
  setpoint apply site.plan                     exactly this plan, or nothing
  setpoint apply site.yaml --confirm-within 2m taken back unless \`setpoint confirm\` comes in time
  setpoint apply site.yaml --prune             take back what is no longer declared
  setpoint apply site.yaml --only 'file:/etc/motd'`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: ApplyOptions): Promise<number> {
    const files = args.filter((file): file is string => file !== undefined);
    const [first] = files;
    if (first === undefined) throw new UsageError("apply needs a playbook or a saved plan: setpoint apply site.yaml");
    const text = readText(context, first);
    patienceOf(options);
    return locked(context, options, async (state) => {
      if (looksLikePlan(text)) {
        if (files.length > 1) throw new UsageError("a saved plan is applied alone");
        return applySaved(context, state, first, text, options);
      }
      for (const file of files) {
        const exit = await applyPlaybook(context, state, file, options);
        if (exit !== 0) return exit;
      }
      return 0;
    });
  },
};

/** The ms of --confirm-within. */
function patienceOf({ confirmWithin }: ApplyOptions): number | undefined {
  if (confirmWithin === undefined) return undefined;
  const parsed = parseDuration(confirmWithin);
  if (!parsed.ok) throw new UsageError(`--confirm-within: ${parsed.detail}`);
  if (parsed.value === 0) throw new UsageError("--confirm-within takes a time above 0, such as 120s");
  return parsed.value;
}

/** Plans and applies one playbook, with what `apply` prints. `cause`: the event that makes it due. */
export async function applyPlaybook(
  context: Context,
  state: LockedDirectory,
  file: string,
  options: ApplyOptions & { readonly cause?: Cause },
): Promise<number> {
  let reading = startReading(context, state, options);
  const loaded = await readPlaybook(context, file, readText(context, file), options);
  if (!loaded.ok) return invalid(context, loaded.problems);
  if (await revertOverdue(context, state, reading.ledger)) reading = startReading(context, state, options);
  const open = openRuns(reading, loaded.value.stack);
  const awaitedRun = awaitedProblem(context, reading.ledger, loaded.value.stack);
  if (open.length > 0 && awaitedRun) return refuse(context, [awaitedRun], EXIT.left);
  if (open.length > 0) {
    const view = viewFor(context);
    const tools = toolsFor(context, state, reading, vaultFor(context, reading, loaded.value.secrets), view);
    for (const run of open) {
      await recoverRun(tools, state.runFolder(run));
      context.err.write(`run ${run} was interrupted: it is ended, and the plan is made from what is there now\n`);
    }
    reading = startReading(context, state, options);
  }
  const planned = await planStack(context, loaded.value, reading, options);
  if (!planned.ok) return invalid(context, planned.problems);
  const { plan, vault } = planned.value;
  showProblems(context, planned.value.problems);
  // Before there is a run: whoever ends this one after a crash knows by it that there may be something to send.
  if (plan.events) eventNotes(context, state).prepare();
  const { cause } = options;
  const frozen: FrozenPlan = { plan, sealed: () => sealedPlan(plan, { vault }), ...(cause && { cause }) };
  if (mayChange(plan) && awaitedRun) return refuse(context, [awaitedRun], EXIT.left);
  const refused = guard(context, plan, reading, options);
  if (refused.length > 0) {
    if (!context.json)
      print(context, await renderPlan(plan, lookOf(reading.contents, vault), { ...context.outStyle, full: options.full === true }));
    return refuse(context, refused, refused.some(({ code }) => code === "no-room") ? EXIT.failed : EXIT.refused);
  }
  const exit = await confirmAndApply(context, state, reading, vault, frozen, options);
  const isWhole = plan.resources.every(({ selected }) => selected !== false);
  if (exit === 0 && isWhole && !mayChange(plan)) await sendEvents(context, state, { ...options, inSync: plan.stack });
  return exit;
}

/** Whether there is anything that a run of the plan does or looks at again. */
function mayChange({ changes, steady }: Plan): boolean {
  return changes.length > 0 || steady.some(({ tentative }) => tentative !== undefined);
}

function invalid(context: Context, problems: readonly Problem[]): number {
  if (context.github && !context.json) printAnnotations(context, problems);
  return refuse(context, problems, EXIT.invalid);
}

function guard(context: Context, plan: Plan, reading: Reading, options: ApplyOptions): readonly Problem[] {
  return [
    ...irreversibleProblems(plan, options.allowIrreversible === true),
    ...roomProblems(plan, context.system, context.stateDirectory, kinds, (digest) => reading.contents.size(digest as never) ?? 0),
  ];
}

async function confirmAndApply(
  context: Context,
  state: LockedDirectory,
  reading: Reading,
  vault: Vault,
  frozen: FrozenPlan,
  options: ApplyOptions,
): Promise<number> {
  const look = lookOf(reading.contents, vault);
  const changes = frozen.plan.changes.length;
  if (!context.json) print(context, await renderPlan(frozen.plan, look, { ...context.outStyle, full: options.full === true }));
  if (changes > 0 && options.yes !== true) {
    if (!context.stdinIsTTY)
      return refuse(
        context,
        [
          {
            code: "not-confirmed",
            severity: "error",
            summary: "nobody confirmed the plan",
            detail: "there is no terminal to ask at: look at the plan, then use --yes, or save it with `plan -o` and apply that",
          },
        ],
        EXIT.refused,
      );
    const answer = await context.ask(`Apply ${changes === 1 ? "this change" : `these ${changes} changes`}? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) {
      context.err.write("Nothing was changed.\n");
      return EXIT.failed;
    }
  }
  const view = viewFor(context, frozen.plan);
  const tools = toolsFor(context, state, reading, vault, view);
  const within = patienceOf(options);
  const armed: FrozenPlan =
    within === undefined ? frozen : { ...frozen, confirm: { within, arm: (run) => startReverter(context, state, run, options) } };
  return finish(context, tools, () => applyPlan(tools, armed), view, { look, plan: frozen.plan, options });
}

/** Runs, closes the view, and prints the report. */
async function finish(
  context: Context,
  tools: Tools,
  body: () => Promise<RunReport>,
  view: { close(): void },
  more: { look: ReturnType<typeof lookOf>; plan: Plan; options: ApplyOptions },
): Promise<number> {
  let report: RunReport;
  try {
    report = await body();
  } finally {
    view.close();
    context.system.processes.endAll();
  }
  const sealed = tools.vault.seal(report);
  const confirm = report.run && awaited(report.run, confirmStatusIn(context, tools.state, report.run));
  if (context.json) printJson(context, { ...runJson(sealed), ...(confirm && { confirm }) });
  else if (report.status !== "in-sync") print(context, renderReport(sealed, context.outStyle) + (confirm ? awaitedText(confirm) : ""));
  await writeReports(context, more.options.report, () => markdownReport(tools.vault.seal(more.plan), sealed, more.look));
  return report.exit;
}

/** Exactly the saved plan, or nothing. */
async function applySaved(context: Context, state: LockedDirectory, file: string, text: string, options: ApplyOptions): Promise<number> {
  const read = readPlan(text, file);
  if (!read.ok) return refuse(context, read.problems, EXIT.invalid);
  let reading = startReading(context, state, options);
  if (await revertOverdue(context, state, reading.ledger)) reading = startReading(context, state, options);
  const stored = read.value;
  const vault = vaultFor(context, reading, await secretsOf(context, stored, options));
  const plan = vault.unseal(stored);
  if (stored.facts.machine !== machineId(context.system)) {
    return refuse(
      context,
      [
        {
          code: "other-machine",
          severity: "error",
          summary: "a plan for another machine",
          detail: `${file} was made on another machine (or this one got a new id): plan again here`,
        },
      ],
      EXIT.stale,
    );
  }
  if (plan.events) eventNotes(context, state).prepare();
  contentsOfPlan(plan, reading, state);
  reading.remotes.peers.treat(plan.peers);
  await prepareGoals(plan.settings, goals);
  hideSensitive(plan, { kinds, vault, ledger: reading.ledger });
  const view = viewFor(context, plan);
  const tools = toolsFor(context, state, reading, vault, view);
  const look = lookOf(reading.contents, vault);
  const earlier = [...reading.ledger.runs.values()].filter((line) => line.plan === stored.digest).pop();
  if (earlier && isOpen(earlier.status)) {
    if (options.confirmWithin !== undefined && !isArmed(context, state, earlier.run))
      return refuse(
        context,
        [
          {
            code: "not-armed",
            severity: "error",
            summary: "the open run of this plan needs no confirmation",
            detail: `run ${earlier.run} of this plan began without --confirm-within and nothing would revert it: revert it first, or resume it without`,
          },
        ],
        EXIT.left,
      );
    context.err.write(`run ${earlier.run} of this plan is open: it is resumed\n`);
    restartReverter(context, state, earlier.run, options);
    return finish(context, tools, () => resumeRun(tools, state.runFolder(earlier.run)), view, { look, plan, options });
  }
  const others = openRuns(reading, plan.stack);
  if (others.length > 0)
    return refuse(
      context,
      [
        {
          code: "run-open",
          severity: "error",
          summary: "another run of this stack is open",
          detail: `run ${others[0]} of ${plan.stack} is not finished: resume it, revert it, or plan again`,
        },
      ],
      EXIT.left,
    );
  const moved = await movedSince(plan, kinds, reading.reader, (digest) => vault.fingerprint(digest));
  if (moved.length > 0) {
    if (earlier?.status === "applied" && (await stillAsLeft(plan, reading, vault, moved))) {
      const report = {
        format: 1 as const,
        run: earlier.run,
        stack: plan.stack,
        kind: "apply" as const,
        status: "applied" as const,
        exit: 0,
        summary: { changed: 0, already: plan.changes.length, conflicts: 0, failed: 0, in_doubt: 0, verified: true },
        actions: plan.changes.map((change) => ({ register: registerId(change.register), status: "already" as const })),
        problems: [],
      };
      if (context.json) printJson(context, runJson(report));
      else print(context, `already: run ${earlier.run} applied this plan, and everything is as it left it\n`);
      return 0;
    }
    return refuse(context, await Promise.all(moved.map((one) => staleProblem(one, look, `setpoint plan --rebase ${file}`))), EXIT.stale);
  }
  const awaitedRun = awaitedProblem(context, reading.ledger, plan.stack);
  if (mayChange(plan) && awaitedRun) return refuse(context, [awaitedRun], EXIT.left);
  const refused = guard(context, plan, reading, options);
  if (refused.length > 0) return refuse(context, refused, refused.some(({ code }) => code === "no-room") ? EXIT.failed : EXIT.refused);
  return confirmAndApply(
    context,
    state,
    reading,
    vault,
    { plan, sealed: () => ({ text, digest: stored.digest }) },
    { ...options, yes: true },
  );
}

/** Whether what moved since the plan is as its run left it. */
async function stillAsLeft(plan: Plan, reading: Reading, vault: Vault, moved: readonly Moved[]): Promise<boolean> {
  const last = new Map(plan.changes.map((change) => [registerId(change.register), change]));
  const swapped: Plan = { ...plan, steady: [], changes: [...last.values()].map((change) => ({ ...change, before: change.after })) };
  if (moved.some((one) => !last.has(registerId(one.step.register)))) return false;
  return (await movedSince(swapped, kinds, reading.reader, (digest) => vault.fingerprint(digest))).length === 0;
}
