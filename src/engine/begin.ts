import {
  type Cause,
  type Digest,
  isKeyed,
  type Plan,
  type Register,
  type RegisterId,
  type RunId,
  registerId,
  runId,
  type State,
  type Step,
  SystemFault,
} from "../core/index.ts";
import { type RunFolder, RunJournal, type RunState, runState, toRanges } from "../journal/index.ts";
import { fault } from "../system/index.ts";
import { keepAfter } from "./keep.ts";
import { planText } from "./plan-file.ts";
import { kindOf } from "./read.ts";
import { type Tools, Work } from "./work.ts";

/** Whether a plan without changes has something for the ledger: aspects that nobody recorded yet. */
export function hasNews(plan: Plan, { ledger, vault }: Pick<Tools, "ledger" | "vault">): boolean {
  const declared = new Map<RegisterId, readonly string[]>();
  const declare = (step: Step) => {
    const id = registerId(step.register);
    for (const index of step.settings) {
      const setting = plan.settings[index];
      if (setting === undefined || setting.implied || setting.aspects.length === 0) continue;
      const known = declared.get(id);
      declared.set(id, known ? [...known, ...setting.aspects] : setting.aspects);
    }
  };
  for (const steps of [plan.steady, plan.changes]) {
    for (const step of steps) {
      if (step.releases) return true;
      declare(step);
    }
  }
  // The ledger has no secret, so neither have its aspects (`line password=…`).
  for (const [id, aspects] of declared) if (!ledger.owns(plan.stack, id, vault.seal(aspects))) return true;
  return false;
}

/**
 * Contents that must not be seen: declared sensitive, holding a secret, of a register that once held one, or not for
 * others to read. From here on they stand as fingerprints wherever they are written down.
 */
export function hideSensitive(plan: Plan, tools: Pick<Tools, "kinds" | "vault" | "ledger">): void {
  const { kinds, vault, ledger } = tools;
  const look = (state: State, kindName: string, declared: boolean | undefined, remembered: boolean) => {
    const kind = kindOf(kinds, kindName);
    // Of ten thousand files few have anything to hide: these three answers cost nothing.
    if (declared !== true && !remembered && !vault.hasSecrets && (declared === false || kind.private?.(state) !== true)) return;
    for (const digest of kind.contents?.(state) ?? []) {
      if (isKeyed(digest)) continue;
      const hidden = declared === true || remembered || vault.holdsSecret(digest) || (declared !== false && kind.private?.(state) === true);
      if (hidden) vault.hide(digest);
    }
  };
  const isRemembered = ({ register }: Step) => ledger.sensitive.size > 0 && ledger.sensitive.has(registerId(register));
  /** In whatever spelling a format or a template writes it: what wants a secret makes a content that holds it. */
  const wantsSecret = (step: Step) => step.settings.some((index) => vault.secretIn(plan.settings[index]?.want ?? null) !== undefined);
  if (vault.hasSecrets)
    for (const step of [...plan.changes, ...plan.steady]) if (wantsSecret(step)) ledger.sensitive.add(registerId(step.register));
  for (const change of plan.changes) {
    const declared = change.manner?.sensitive;
    const { kind } = change.register;
    // One side that is not for everybody's eyes makes both so: the difference would tell.
    const privately = declared !== false && [change.before, change.after].some((state) => kindOf(kinds, kind).private?.(state) === true);
    const holds = [change.before, change.after].some((state) =>
      (kindOf(kinds, kind).contents?.(state) ?? []).some((digest) => vault.holdsSecret(digest)),
    );
    if (holds) ledger.sensitive.add(registerId(change.register));
    const remembered = isRemembered(change);
    look(change.before, kind, privately || declared === true ? true : declared, remembered);
    look(change.after, kind, privately || declared === true ? true : declared, remembered);
  }
  for (const step of plan.steady) look(step.before, step.register.kind, step.manner?.sensitive, isRemembered(step));
  for (const setting of plan.settings) {
    const { content } = setting.want;
    if (typeof content === "string" && (setting.manner?.sensitive === true || vault.holdsSecret(content as Digest)))
      vault.hide(content as Digest);
  }
  hideOtherSides(plan, tools);
}

/** Where one side of a change is hidden so is the other, also where it is hidden because another register has the same content. */
function hideOtherSides(plan: Plan, { kinds, vault }: Pick<Tools, "kinds" | "vault">): void {
  const sides = plan.changes.map(({ register, before, after }) => {
    const { contents } = kindOf(kinds, register.kind);
    return contents === undefined ? [] : [...contents(before), ...contents(after)];
  });
  for (let more = true; more; ) {
    more = false;
    for (const digests of sides) {
      if (digests.every((digest) => vault.isHidden(digest)) || !digests.some((digest) => vault.isHidden(digest))) continue;
      for (const digest of digests) vault.hide(digest);
      more = true;
    }
  }
}

/**
 * What a frozen plan names by plain digests is looked for under them: it cannot be hidden any more, whatever is found out later, as
 * its before-image would be kept under a name that nobody asks for.
 */
export function leaveOpen({ changes, steady, settings }: Plan, { kinds, vault }: Pick<Tools, "kinds" | "vault">): void {
  const leave = (state: State, { kind }: Register) => {
    for (const digest of kindOf(kinds, kind).contents?.(state) ?? []) vault.leaveOpen(digest);
  };
  for (const { register, before, after } of changes) {
    leave(before, register);
    leave(after, register);
  }
  for (const { register, before } of steady) leave(before, register);
  for (const { want } of settings) if (typeof want.content === "string") vault.leaveOpen(want.content as Digest);
}

/** The plan as it is written down, without what must not be seen, and its digest. */
export function sealedPlan(plan: Plan, tools: Pick<Tools, "vault">): { readonly text: string; readonly digest: Digest } {
  return planText(tools.vault.seal(plan));
}

/**
 * Begins a run: its plan and the contents it will set are durable before the journal's first record, and the record before
 * anything else (W1). `text` is the sealed plan. `within`: the run is to be reverted unless it is confirmed within so many ms.
 */
export function beginRun(
  tools: Tools,
  plan: Plan,
  text: string,
  { within, cause }: { readonly within?: number | undefined; readonly cause?: Cause | undefined } = {},
): Work {
  const { system, state } = tools;
  tools.remotes.peers.treat(plan.peers);
  leaveOpen(plan, tools);
  state.sweep();
  const last = [...tools.ledger.runs.keys(), ...state.runs()].sort().at(-1);
  const run: RunId = runId(system.clock.now(), system.chance.bytes(3), last);
  const folder = state.createRun(run, text);
  // The ledger does not know this run yet, and what it replaces may be wanted elsewhere.
  tools.contents.addSource((digest) => folder.content(digest));
  const contents = new Set(plan.changes.flatMap((change) => kindOf(tools.kinds, change.register.kind).contents?.(change.after) ?? []));
  try {
    keepAfter({ tools, folder }, [...contents]);
    // What a tentative step may be folded to again needs the contents that its settings want.
    for (const setting of needsLater(plan) ? plan.settings : []) {
      const { content } = setting.want;
      if (typeof content === "string" && !contents.has(content as Digest)) keepAfter({ tools, folder }, [content as Digest]);
    }
    folder.after.flush();
    folder.makeReserve();
  } catch (thrown) {
    throw fault(thrown, "keeping what the run will set");
  }
  const sensitive = toRanges(sensitiveSteps(plan, tools));
  const begin = {
    t: "begin",
    run,
    plan: plan.digest,
    stack: plan.stack,
    setpoint: tools.setpoint,
    boot: system.clock.bootId(),
    ...(sensitive.length > 0 && { sensitive }),
    ...(within !== undefined && { confirm: { within } }),
    ...(cause && { cause }),
  } as const;
  const journal = RunJournal.create(system.files, system.clock, folder.path, run, begin, tools.ledger.nextTurn());
  return new Work(tools, folder, journal, plan, runState(journal.records) as RunState);
}

/** The steps whose registers hold a secret, as `hideSensitive` noticed or an earlier run told. */
function sensitiveSteps(plan: Plan, { ledger }: Tools): readonly number[] {
  if (ledger.sensitive.size === 0) return [];
  const steps = [...plan.changes, ...plan.steady].filter((step) => ledger.sensitive.has(registerId(step.register)));
  return steps.map(({ n }) => n).sort((a, b) => a - b);
}

function needsLater(plan: Plan): boolean {
  return plan.changes.some((change) => change.tentative !== undefined) || plan.steady.some((step) => step.tentative !== undefined);
}

/**
 * Opens a run that was begun before, to go on with it or to undo it. A plan without a digest stands for one that is lost. Throws
 * SystemFault.
 */
export function openRun(tools: Tools, folder: RunFolder, plan: Plan): Work {
  tools.remotes.peers.treat(plan.peers);
  const known = tools.ledger.runs.get(folder.run)?.size;
  const journal = RunJournal.open(tools.system.files, tools.system.clock, folder.path, folder.run, known, tools.ledger.nextTurn());
  const state = runState(journal.records) as RunState;
  if (plan.digest !== "" && plan.digest !== state.plan) {
    journal.close();
    throw new SystemFault(
      "damaged-plan",
      `${folder.path}/plan.json is not the plan that the run began with: it can be neither resumed nor reverted`,
    );
  }
  folder.after.settle();
  folder.before.settle();
  return new Work(tools, folder, journal, plan, state);
}
