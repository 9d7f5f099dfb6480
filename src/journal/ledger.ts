import { crc32 } from "node:zlib";
import {
  type Address,
  type BreakerState,
  type Cause,
  type Files,
  type JsonObject,
  type Receipt,
  type RegisterId,
  type RunId,
  type RunKind,
  type RunStatus,
  type State,
  SystemFault,
} from "../core/index.ts";
import { readWhole } from "../system/index.ts";
import { writeDurably } from "./durable.ts";
import type { Confirmation } from "./run-state.ts";

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
  /** It is, or was, to be reverted unless it is confirmed. */
  readonly confirm?: Confirmation;
  /** It put inodes aside beside their files; no listing shows them. */
  readonly stashes?: true;
  /** Watched registers whose set by this run is counted. */
  readonly counted: readonly RegisterId[];
  /** The event that made it due. */
  readonly cause?: Cause;
  /** It may have events for others. */
  readonly emits?: true;
  /** Bytes of its journal when this was written: a longer journal has news. */
  readonly size: number;
  /** The turn of the command that came last to it; left out for one of before turns were counted. */
  readonly turn?: number;
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
 *     run <id> {json} · own <stack> <register> <aspects> {json} · receipt <key> {json} · sets <register> <count> · secret <register> ·
 *     generation <key> <count> · breaker <origin> {json}
 *
 * In its file a last line `sum` holds the checksum of all before it.
 */
export class Ledger {
  readonly runs = new Map<RunId, RunLine>();
  readonly receipts = new Map<string, Receipt>();
  readonly sets = new Map<RegisterId, number>();
  /** By the key of an effect's receipt, how often it was compensated to the end. */
  readonly generations = new Map<string, number>();
  /** Circuit breakers that are not closed, by origin. */
  readonly breakers = new Map<string, BreakerState>();
  /** Registers that hold, or once held, a secret; a plan adds what it notices, and the journal of its run makes that last. */
  readonly sensitive = new Set<RegisterId>();
  /** Those of them that journals tell of. */
  private readonly toldSensitive = new Set<RegisterId>();
  private lastTurn = 0;
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
      case "generation":
        this.generations.set(unquote(first), Number(second));
        break;
      case "breaker":
        this.breakers.set(unquote(first), JSON.parse(second) as BreakerState);
        break;
      case "secret":
        this.keepSensitive(unquote(first) as RegisterId);
        break;
      case "run":
        this.runs.set(first as RunId, JSON.parse(second) as RunLine);
        break;
      default:
        throw new SystemFault("newer-ledger", `the ledger has a line \`${kind}\` of a newer setpoint`);
    }
  }

  /** In one order whatever came first, so that the same journals give the same bytes. */
  toText(): string {
    const lines: string[] = [];
    for (const [run, line] of inOrder(this.runs)) lines.push(`run\t${run}\t${JSON.stringify(line)}`);
    for (const [stack, registers] of inOrder(this.owned)) {
      for (const [id, own] of inOrder(registers)) lines.push(`own\t${stack}\t${quote(id)}\t${own.aspects}\t${own.json}`);
    }
    for (const [key, receipt] of inOrder(this.receipts)) lines.push(`receipt\t${quote(key)}\t${JSON.stringify(receipt)}`);
    for (const [id, count] of inOrder(this.sets)) lines.push(`sets\t${quote(id)}\t${count}`);
    for (const [key, count] of inOrder(this.generations)) lines.push(`generation\t${quote(key)}\t${count}`);
    for (const [origin, state] of inOrder(this.breakers)) lines.push(`breaker\t${quote(origin)}\t${JSON.stringify(state)}`);
    for (const id of [...this.toldSensitive].sort()) lines.push(`secret\t${quote(id)}`);
    return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
  }

  /** The turn of a command that is about to write to a journal: later than all before. */
  nextTurn(): number {
    for (const { turn = 0 } of this.runs.values()) this.lastTurn = Math.max(this.lastTurn, turn);
    this.lastTurn += 1;
    return this.lastTurn;
  }

  /** From now on the register counts as one that held a secret, as a journal tells. */
  keepSensitive(id: RegisterId): void {
    this.sensitive.add(id);
    this.toldSensitive.add(id);
  }

  private stackOf(stack: string): Map<RegisterId, OwnLine> {
    let registers = this.owned.get(stack);
    if (!registers) {
      registers = new Map();
      this.owned.set(stack, registers);
    }
    return registers;
  }

  /** In one order, as all lists here: a plan must not hang on whether a part of the ledger was read from its file or from a journal. */
  stacks(): readonly string[] {
    return [...this.owned.keys()].sort();
  }

  ownsNothing(stack: string): boolean {
    return (this.owned.get(stack)?.size ?? 0) === 0;
  }

  /** The registers that a stack owns something of. */
  registersOf(stack: string): readonly RegisterId[] {
    return [...(this.owned.get(stack)?.keys() ?? [])].sort();
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
    return owners.sort();
  }

  /** `aspects`: all that is owned, as `aspectKey` has it, where the caller knows it already. */
  setOwned(stack: string, id: RegisterId, owned: readonly Owned[], aspects = aspectKey(owned.flatMap((one) => one.aspects))): void {
    if (owned.length === 0) this.stackOf(stack).delete(id);
    else this.stackOf(stack).set(id, { aspects, json: JSON.stringify(owned) });
  }
}

/** By the code units of the keys, whatever the locale. */
function inOrder<K extends string, V>(map: ReadonlyMap<K, V>): readonly (readonly [K, V])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
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
  writeDurably(files, path, ledgerBytes(ledger));
}

/** The ledger as it stands in its file. */
export function ledgerBytes(ledger: Ledger): Buffer {
  const text = Buffer.from(ledger.toText());
  return Buffer.concat([text, Buffer.from(sumOf(text))]);
}

/** Bytes of the last line. */
const SUM = "sum\t00000000\n".length;

/** The last line: without it a flipped bit in a name would be another register, or another receipt. */
function sumOf(text: Buffer): string {
  return `sum\t${crc32(text).toString(16).padStart(8, "0")}\n`;
}
