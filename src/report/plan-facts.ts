import { type Change, type Plan, registerId } from "../core/index.ts";
import { contentOf } from "./content-change.ts";
import type { Look } from "./style.ts";
import { bytes, count, listed, number } from "./words.ts";

/** How far a plan reaches. */
export interface BlastRadius {
  readonly directories: number;
  readonly bytes: number;
  readonly irreversible: number;
  readonly tentative: number;
  /** Other stacks whose registers are changed, by name, with the number of registers. */
  readonly foreign: readonly { readonly stack: string; readonly registers: number }[];
}

/** Adds up what a plan touches. Sizes come from states or from contents that know them without reading. */
export function blastRadius(plan: Plan, look: Look): BlastRadius {
  const directories = new Set<string>();
  const foreign = new Map<string, number>();
  let written = 0;
  for (const change of plan.changes) {
    const { kind, key } = change.register;
    if (kind === "path") directories.add(key.slice(0, Math.max(1, key.lastIndexOf("/"))));
    const content = contentOf(change.after);
    if (content !== undefined && content !== contentOf(change.before)) written += sizeOf(change, content, look);
    if (change.foreign !== undefined) foreign.set(change.foreign, (foreign.get(change.foreign) ?? 0) + 1);
  }
  return {
    directories: directories.size,
    bytes: written,
    irreversible: plan.summary.irreversible,
    tentative: plan.summary.tentative,
    foreign: [...foreign].map(([stack, registers]) => ({ stack, registers })),
  };
}

function sizeOf(change: Change, content: NonNullable<ReturnType<typeof contentOf>>, look: Look): number {
  return typeof change.after.size === "number" ? change.after.size : (look.contents.size(content) ?? 0);
}

/** `3 to create, 2 to update, 1 to delete, 1 to run`, without those that are none. */
export function countsText({ summary }: Pick<Plan, "summary">): string {
  const say = (value: number, what: string): string | false => value > 0 && `${number(value)} to ${what}`;
  const said = listed(
    say(summary.creates, "create"),
    say(summary.updates, "update"),
    say(summary.deletes, "delete"),
    say(summary.runs, "run"),
  );
  return said === "" ? "nothing to do" : said;
}

/** Declared resources that no change belongs to. */
export function inSync(plan: Plan): number {
  const changed = new Set(plan.changes.flatMap((change) => change.resources.map((resource) => resource.address)));
  const declared = new Set(plan.resources.map((resource) => resource.address));
  let both = 0;
  for (const address of changed) if (declared.has(address)) both += 1;
  return Math.max(0, plan.summary.resources - both);
}

/** The blast radius in one line; undefined where there is nothing to say. Names in it are raw. */
export function radiusText(radius: BlastRadius): string | undefined {
  const said = listed(
    radius.directories > 0 && `touches ${count(radius.directories, "directory", "directories")}`,
    radius.bytes > 0 && `writes ${bytes(radius.bytes)}`,
    radius.irreversible > 0 && `${number(radius.irreversible)} irreversible`,
    radius.tentative > 0 && `${number(radius.tentative)} tentative`,
  );
  return said === "" ? undefined : `${said[0]?.toUpperCase()}${said.slice(1)}.`;
}

/** Why a change is only tentative: `may run (after package:nginx)`, `known after package:nginx`; undefined where it is not. Raw. */
export function tentativeText(change: Change): string | undefined {
  if (change.tentative === undefined && change.unknown !== true) return undefined;
  const given = change.tentative ?? "";
  const why = given.replace(/^(?:known )?after /, "");
  const after = why !== given;
  if (change.unknown) return why === "" ? "not known yet" : after ? `known after ${why}` : why;
  const may = change.action === "run" ? "may run" : "may change";
  return why === "" || why === may ? may : `${may} (${after ? "after " : ""}${why})`;
}

/** Why a change is due, where that is not simply what the playbook says. */
export function reasonText(change: Change): string | undefined {
  switch (change.reason) {
    case "drift":
      return "drifted";
    case "debt":
      return "owed";
    case "prune":
      return "no longer declared";
    case "intent":
    case "both":
      return undefined;
  }
}

/** The command that a register stands for, where it says one; raw. */
export function commandOf(change: Change): string | undefined {
  const about = change.register.about;
  for (const key of ["argv", "run", "command", "shell"]) {
    const value = about?.[key];
    if (typeof value === "string") return value;
    // A word that is no text stands for a secret.
    if (Array.isArray(value) && value.length > 0)
      return value.map((word) => (typeof word === "string" ? quoted(word) : "(sensitive)")).join(" ");
  }
  return undefined;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Changes side by side that stand for one and the same resource, in the plan's order. */
export interface Group {
  readonly resources: Change["resources"];
  readonly changes: readonly Change[];
}

/** Groups neighbours that belong to one resource; a change that several resources want stands alone. */
export function groupsOf(changes: Iterable<Change>): Group[] {
  const groups: { resources: Change["resources"]; changes: Change[] }[] = [];
  for (const change of changes) {
    const last = groups.at(-1);
    const only = change.resources.length === 1 ? change.resources[0]?.address : undefined;
    if (last && only !== undefined && last.resources.length === 1 && last.resources[0]?.address === only) last.changes.push(change);
    else groups.push({ resources: change.resources, changes: [change] });
  }
  return groups;
}

/** Whether an address says the register's key already, so that the register need not be named beside it. */
export function saysRegister(address: string, change: Change): boolean {
  const id = registerId(change.register);
  return address === id || address.endsWith(`:${change.register.key}`);
}
