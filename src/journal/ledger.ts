import { crc32 } from "node:zlib";
import {
  type Address,
  type Files,
  type JsonObject,
  type Plan,
  type PlannedSetting,
  type Receipt,
  type RegisterId,
  type RunId,
  type RunKind,
  type RunStatus,
  registerId,
  type State,
  SystemFault,
} from "../core/index.ts";
import { readWhole } from "../system/index.ts";
import { writeDurably } from "./durable.ts";
import type { RunState } from "./run-state.ts";

/** What a stack owns of one register through one setting: enough to let go of it without the playbook. */
export interface Owned {
  readonly aspects: readonly string[];
  readonly address: Address;
  readonly about?: JsonObject;
  readonly goal: string;
  readonly want: JsonObject;
  /** The register's state before the stack first set these aspects. */
  readonly was: State;
  /** The run that keeps the contents `was` names. */
  readonly run?: RunId;
}

/** A past run in a line. */
export interface RunLine {
  readonly run: RunId;
  readonly stack: string;
  /** Digest of its plan, so that the same saved plan is known again. */
  readonly plan: string;
  /** The command that came last to it. */
  readonly kind: RunKind;
  readonly status: RunStatus;
  readonly began: number;
  readonly ended: number;
  readonly exit: number;
  readonly changed: number;
  readonly left: number;
  /** How many of its actions are a conflict, or failed. */
  readonly conflicts: number;
  readonly failed: number;
  /** It put inodes aside beside their files; no listing shows them. */
  readonly stashes?: true;
  /** Watched registers whose set by this run is counted. */
  readonly counted: readonly RegisterId[];
  /** Bytes of its journal when this was written: a longer journal has news. */
  readonly size: number;
}

interface OwnLine {
  readonly aspects: string;
  /** JSON of Owned[]; parsed only where it is needed, because a plan of 10,000 files in sync needs none of them. */
  readonly json: string;
}

/**
 * The read model: ownership, receipts, set counts, runs. A text of tab-separated lines, so that reading 10,000 lines
 * costs a split and not a parse. Deleting it loses nothing that journals hold.
 *
 *     run <id> {json} · own <stack> <register> <aspects> {json} · receipt <key> {json} · sets <register> <count> · secret <register>
 *
 * In its file a last line `sum` holds the checksum of all before it.
 */
export class Ledger {
  readonly runs = new Map<RunId, RunLine>();
  readonly receipts = new Map<string, Receipt>();
  readonly sets = new Map<RegisterId, number>();
  readonly sensitive = new Set<RegisterId>();
  private readonly owned = new Map<string, Map<RegisterId, OwnLine>>();

  static parse(text: string): Ledger {
    const ledger = new Ledger();
    for (let start = 0; start < text.length; ) {
      const newline = text.indexOf("\n", start);
      const end = newline < 0 ? text.length : newline;
      if (text.startsWith("own\t", start)) ledger.takeOwn(text, start + 4, end);
      else if (end > start) ledger.takeLine(text.slice(start, end));
      start = end + 1;
    }
    return ledger;
  }

  /** Nearly all lines are of this kind, so they are cut up without a list of their parts. */
  private takeOwn(text: string, start: number, end: number): void {
    const stack = text.indexOf("\t", start);
    const id = text.indexOf("\t", stack + 1);
    const aspects = text.indexOf("\t", id + 1);
    if (stack < 0 || id < 0 || aspects < 0 || aspects > end) throw new Error("a line of the ledger is cut");
    this.stackOf(text.slice(start, stack)).set(unquote(text.slice(stack + 1, id)) as RegisterId, {
      aspects: text.slice(id + 1, aspects),
      json: text.slice(aspects + 1, end),
    });
  }

  private takeLine(line: string): void {
    const [kind, first, second] = line.split("\t") as [string, string, string];
    switch (kind) {
      case "receipt":
        this.receipts.set(unquote(first), JSON.parse(second) as Receipt);
        break;
      case "sets":
        this.sets.set(unquote(first) as RegisterId, Number(second));
        break;
      case "secret":
        this.sensitive.add(unquote(first) as RegisterId);
        break;
      case "run":
        this.runs.set(first as RunId, JSON.parse(second) as RunLine);
        break;
      default:
        throw new SystemFault("newer-ledger", `the ledger has a line \`${kind}\` of a newer setpoint`);
    }
  }

  toText(): string {
    const lines: string[] = [];
    for (const [run, line] of [...this.runs].sort(([a], [b]) => (a < b ? -1 : 1))) lines.push(`run\t${run}\t${JSON.stringify(line)}`);
    for (const [stack, registers] of [...this.owned].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for (const [id, own] of registers) lines.push(`own\t${stack}\t${quote(id)}\t${own.aspects}\t${own.json}`);
    }
    for (const [key, receipt] of this.receipts) lines.push(`receipt\t${quote(key)}\t${JSON.stringify(receipt)}`);
    for (const [id, count] of this.sets) lines.push(`sets\t${quote(id)}\t${count}`);
    for (const id of this.sensitive) lines.push(`secret\t${quote(id)}`);
    return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
  }

  private stackOf(stack: string): Map<RegisterId, OwnLine> {
    let registers = this.owned.get(stack);
    if (!registers) {
      registers = new Map();
      this.owned.set(stack, registers);
    }
    return registers;
  }

  stacks(): readonly string[] {
    return [...this.owned.keys()];
  }

  ownsNothing(stack: string): boolean {
    return (this.owned.get(stack)?.size ?? 0) === 0;
  }

  /** The registers that a stack owns something of. */
  registersOf(stack: string): IterableIterator<RegisterId> {
    return this.stackOf(stack).keys();
  }

  /** The aspects a stack owns of a register, joined by commas as `aspectKey` does; undefined where it owns none. */
  aspectsOf(stack: string, id: RegisterId): string | undefined {
    return this.owned.get(stack)?.get(id)?.aspects;
  }

  /** Whether a stack owns all these aspects of a register; more of it may be owned that is declared no longer. */
  owns(stack: string, id: RegisterId, aspects: readonly string[]): boolean {
    const known = this.aspectsOf(stack, id);
    if (known === undefined || known === aspectKey(aspects)) return known !== undefined;
    const all = new Set(known.split(","));
    return aspects.every((aspect) => all.has(encodeAspect(aspect)));
  }

  ownedBy(stack: string, id: RegisterId): readonly Owned[] {
    const line = this.owned.get(stack)?.get(id);
    if (line === undefined) return [];
    try {
      return JSON.parse(line.json) as Owned[];
    } catch (thrown) {
      throw new SystemFault(
        "damaged-ledger",
        `the ledger's line of ${id} is damaged: \`setpoint doctor --fix\` rebuilds it from the journals`,
        { cause: thrown },
      );
    }
  }

  /** The stacks that own something of a register. */
  ownersOf(id: RegisterId): readonly string[] {
    const owners: string[] = [];
    for (const [stack, registers] of this.owned) if (registers.has(id)) owners.push(stack);
    return owners;
  }

  /** `aspects`: all that is owned, as `aspectKey` has it, where the caller knows it already. */
  setOwned(stack: string, id: RegisterId, owned: readonly Owned[], aspects = aspectKey(owned.flatMap((one) => one.aspects))): void {
    if (owned.length === 0) this.stackOf(stack).delete(id);
    else this.stackOf(stack).set(id, { aspects, json: JSON.stringify(owned) });
  }
}

function quote(text: string): string {
  return JSON.stringify(text);
}

function unquote(text: string): string {
  if (!text.includes("\\")) return text.slice(1, -1);
  return JSON.parse(text) as string;
}

/** The files of a tree have one list of aspects in common, and it is asked for at each of them. */
const aspectKeys = new WeakMap<readonly string[], string>();

/** Aspects as one text: sorted and without tabs or line ends, for a comparison without parsing. */
export function aspectKey(aspects: readonly string[]): string {
  const known = aspectKeys.get(aspects);
  if (known !== undefined) return known;
  const key = [...new Set(aspects)].map(encodeAspect).sort().join(",");
  aspectKeys.set(aspects, key);
  return key;
}

function encodeAspect(aspect: string): string {
  return /[\t\n\r,]/.test(aspect) ? encodeURIComponent(aspect) : aspect;
}

/** The settings of one register in a plan, with the state before them. */
interface Held {
  readonly id: RegisterId;
  readonly settings: readonly PlannedSetting[];
  readonly was: State;
  readonly changed: boolean;
}

/**
 * Takes what a run did into the ledger. A function of the frozen plan and the journal alone, so that the ledger can be
 * rebuilt. `watched`: registers whose sets are counted.
 */
export function recordRun(ledger: Ledger, plan: Plan, state: RunState, size: number): void {
  const watched = new Set<RegisterId>([...ledger.sets.keys(), ...plan.settings.flatMap((setting) => setting.reads ?? [])]);
  const counted = new Set<RegisterId>(ledger.runs.get(state.run)?.counted ?? []);
  let changed = 0;
  let left = 0;
  let conflicts = 0;
  let failed = 0;
  const held = new Map<RegisterId, Held>();
  for (const step of plan.steady) {
    if (step.releases) release(ledger, plan.stack, registerId(step.register), step.releases);
    hold(held, plan, step.register, step.settings, step.before, false);
  }
  for (const change of plan.changes) {
    const id = registerId(change.register);
    const step = state.steps.get(change.n);
    const undone = step?.status === "undone";
    if (step?.status === "conflict" || step?.status === "kept") conflicts += 1;
    if (step?.status === "failed") failed += 1;
    if (step?.receipt) ledger.receipts.set(step.receipt.key, step.receipt.value);
    if (undone && step.forget !== undefined) ledger.receipts.delete(step.forget);
    if (step?.status === "done") {
      changed += step.outcome === "already" ? 0 : 1;
      if (watched.has(id) && !counted.has(id)) {
        ledger.sets.set(id, (ledger.sets.get(id) ?? 0) + 1);
        counted.add(id);
      }
      if (change.releases) release(ledger, plan.stack, id, change.releases);
      hold(held, plan, change.register, change.settings, step.before ?? change.before, true);
    } else if (undone) {
      dropNewIn(ledger, plan.stack, id, state.run);
    } else {
      left += 1;
    }
  }
  for (const one of held.values()) own(ledger, plan, one, state.run);
  ledger.runs.set(state.run, {
    run: state.run,
    stack: state.stack,
    plan: state.plan,
    kind: state.kind,
    status: state.status,
    began: state.began,
    ended: state.ended,
    exit: state.exit ?? 0,
    changed,
    left,
    conflicts,
    failed,
    ...(sharesInodes(plan, state) && { stashes: true as const }),
    counted: [...counted],
    size,
  });
}

/**
 * Takes in what is known of a run whose plan or journal cannot be read: its receipts, as far as the journal tells them, and that
 * it is open, so that no command passes over it. Its size stays as it was, so that it is read again until it is whole or given up.
 */
export function recordUnreadable(ledger: Ledger, run: RunId, stack: string, state: RunState | undefined, status: RunStatus): void {
  for (const { receipt, status: step, forget } of state?.steps.values() ?? []) {
    if (receipt) ledger.receipts.set(receipt.key, receipt.value);
    if (step === "undone" && forget !== undefined) ledger.receipts.delete(forget);
  }
  const known = ledger.runs.get(run);
  const at = state?.began ?? known?.began ?? 0;
  const unknown = { kind: "apply" as const, exit: 0, changed: 0, left: 0, conflicts: 0, failed: 0, counted: [], size: 0 };
  ledger.runs.set(run, {
    ...unknown,
    began: at,
    ended: state?.ended ?? at,
    plan: state?.plan ?? "",
    ...known,
    run,
    stack,
    status,
  });
}

/** Whether the run took a name from a file with several. */
function sharesInodes(plan: Plan, state: RunState): boolean {
  return plan.changes.some((change) => typeof change.before.links === "number" && state.steps.get(change.n)?.acted === true);
}

function hold(
  held: Map<RegisterId, Held>,
  plan: Plan,
  register: PlannedSetting["register"],
  settings: readonly number[],
  was: State,
  changed: boolean,
): void {
  const id = registerId(register);
  const known = held.get(id);
  const more = settings.map((index) => plan.settings[index] as PlannedSetting);
  held.set(
    id,
    known ? { ...known, settings: [...known.settings, ...more], changed: known.changed || changed } : { id, settings: more, was, changed },
  );
}

function own(ledger: Ledger, plan: Plan, held: Held, run: RunId): void {
  const declared = held.settings.filter((setting) => setting.implied !== true);
  const [first] = declared;
  if (first === undefined) return;
  const aspects = declared.length === 1 ? first.aspects : declared.flatMap((setting) => setting.aspects);
  // In sync and known: nothing to say, and no JSON to make.
  if (!held.changed && ledger.owns(plan.stack, held.id, aspects)) return;
  const before = ledger.ownedBy(plan.stack, held.id);
  const owned = declared
    .filter((setting) => setting.aspects.length > 0)
    .map((setting): Owned => {
      const earlier = before.find((one) => one.aspects.some((aspect) => setting.aspects.includes(aspect)));
      return {
        aspects: setting.aspects,
        address: plan.resources[setting.by]?.address as Address,
        ...(setting.register.about && { about: setting.register.about }),
        goal: setting.goal,
        want: setting.want,
        was: earlier?.was ?? held.was,
        run: earlier?.run ?? run,
      };
    });
  // What is declared no longer is owned until a prune lets go of it.
  const orphaned = before.filter((one) => !one.aspects.some((aspect) => aspects.includes(aspect)));
  if (orphaned.length === 0) ledger.setOwned(plan.stack, held.id, owned, aspectKey(aspects));
  else ledger.setOwned(plan.stack, held.id, [...owned, ...orphaned]);
}

function release(ledger: Ledger, stack: string, id: RegisterId, aspects: readonly string[]): void {
  ledger.setOwned(
    stack,
    id,
    ledger.ownedBy(stack, id).filter((one) => !one.aspects.every((aspect) => aspects.includes(aspect))),
  );
}

/** What a run that is undone was the first to own is owned no more. */
function dropNewIn(ledger: Ledger, stack: string, id: RegisterId, run: RunId): void {
  ledger.setOwned(
    stack,
    id,
    ledger.ownedBy(stack, id).filter((one) => one.run !== run),
  );
}

/** Reads a ledger; an empty one where there is no file. Throws SystemFault where it cannot be understood. */
export function readLedger(files: Files, path: string): Ledger {
  const bytes = readWhole(files, path);
  if (!bytes) return new Ledger();
  try {
    const end = bytes.length - SUM;
    if (bytes.toString("latin1", end) !== sumOf(bytes.subarray(0, end))) throw new Error("its checksum does not hold");
    return Ledger.parse(bytes.toString("utf8", 0, end));
  } catch (thrown) {
    if (thrown instanceof SystemFault) throw thrown;
    throw new SystemFault(
      "damaged-ledger",
      `${path} is damaged; remove it, and the next apply, resume or revert rebuilds it from the journals`,
      { cause: thrown },
    );
  }
}

export function writeLedger(files: Files, path: string, ledger: Ledger): void {
  const text = Buffer.from(ledger.toText());
  writeDurably(files, path, Buffer.concat([text, Buffer.from(sumOf(text))]));
}

/** Bytes of the last line. */
const SUM = "sum\t00000000\n".length;

/** The last line: without it a flipped bit in a name would be another register, or another receipt. */
function sumOf(text: Buffer): string {
  return `sum\t${crc32(text).toString(16).padStart(8, "0")}\n`;
}
