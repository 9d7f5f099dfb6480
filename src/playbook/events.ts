import { eventPlace, FAILED, type Place, type Problem } from "../core/index.ts";
import type { Evaluator, Scope } from "./evaluator.ts";
import type { Expanded } from "./expanded.ts";
import { unknown } from "./expression/reference.ts";
import type { Directory } from "./needs.ts";
import type { Reports, Source } from "./source.ts";
import { entryOf, kindOf, type MapNode, type Node } from "./tree.ts";

/** What an event makes due: resources, all of them, or the undoing of what the stack did in the same chain of events. */
export type Reaction = { readonly do: "apply"; readonly only: readonly string[] | "all" } | { readonly do: "revert" };

/** What a playbook says of events. */
export interface Choreography {
  /** Where they are; undefined where none is named or its value is not known. */
  readonly log: string | undefined;
  readonly emits: { readonly [name: string]: readonly Expanded[] };
  readonly on: { readonly [name: string]: Reaction };
  /** Where the names stand. */
  readonly emitsAt: { readonly [name: string]: Place };
  readonly onAt: { readonly [name: string]: Place };
}

export const noEvents: Choreography = { log: undefined, emits: {}, on: {}, emitsAt: {}, onAt: {} };

/** Names of events, as the schema has them. */
export const EVENT_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]*$";

interface Parts {
  readonly source: Source;
  readonly reports: Reports;
  readonly evaluator: Evaluator;
  readonly scope: Scope;
  readonly directory: Directory;
}

/** Evaluates `events`, `emits` and `on`. */
export function evaluateEvents(root: MapNode, parts: Parts): Choreography {
  const sections = { log: entryOf(root, "events"), emits: entryOf(root, "emits"), on: entryOf(root, "on") };
  const used = sections.emits ?? sections.on;
  const log = sections.log && logIn(sections.log.value, parts);
  if (used !== undefined && sections.log === undefined)
    parts.reports.add(
      {
        code: "missing-key",
        summary: "missing key",
        detail: `\`${used.key}\` needs \`events\`: the log of events, such as file:///srv/events/log`,
      },
      parts.source,
      used.keyStart,
    );
  const emits: { [name: string]: readonly Expanded[] } = {};
  const emitsAt: { [name: string]: Place } = {};
  for (const { key, keyStart, value } of named(sections.emits?.value, "emits", parts)) {
    if (key.endsWith(FAILED)) {
      const detail = `\`${key}\`: names that end with \`${FAILED}\` tell that an event was taken back, and are sent by themselves`;
      parts.reports.add({ code: "wrong-name", summary: "wrong name", detail }, parts.source, keyStart);
    }
    const patterns = patternsIn(value, parts);
    if (patterns === undefined) continue;
    emits[key] = patterns === "all" ? parts.directory.all : [...new Set(patterns.flatMap((pattern) => parts.directory.find(pattern)))];
    emitsAt[key] = parts.source.place(keyStart);
  }
  const on: { [name: string]: Reaction } = {};
  const onAt: { [name: string]: Place } = {};
  for (const { key, keyStart, value } of named(sections.on?.value, "on", parts)) {
    const patterns = value.is === "scalar" && value.value === "revert" ? "revert" : patternsIn(value, parts);
    if (patterns === undefined) continue;
    on[key] = patterns === "revert" ? { do: "revert" } : { do: "apply", only: patterns };
    onAt[key] = parts.source.place(keyStart);
  }
  return { log, emits, on, emitsAt, onAt };
}

function logIn(node: Node, { source, reports, evaluator, scope }: Parts): string | undefined {
  const value = evaluator.value(node, scope);
  if (value === unknown) return undefined;
  const place = eventPlace(typeof value === "string" ? value : "");
  if (place.ok) return value as string;
  reports.add({ code: "not-an-event-log", summary: place.summary, detail: `\`events\`: ${place.detail}` }, source, node.start);
  return undefined;
}

function named(section: Node | undefined, key: string, { source, reports }: Parts): MapNode["entries"] {
  if (section === undefined || (section.is === "scalar" && section.value === null)) return [];
  if (section.is !== "map") {
    const detail = `\`${key}\` must be a map from names of events to addresses, not ${kindOf(section)}`;
    reports.add({ code: "wrong-type", summary: "wrong type", detail }, source, section.start);
    return [];
  }
  return section.entries.filter((entry) => {
    if (new RegExp(EVENT_NAME).test(entry.key)) return true;
    const detail = `an event's name is letters, digits, \`.\`, \`_\` and \`-\`, not ${JSON.stringify(entry.key)}`;
    reports.add({ code: "wrong-name", summary: "wrong name", detail }, source, entry.keyStart);
    return false;
  });
}

/** Addresses and globs that name something; `*` is all. */
function patternsIn(node: Node, { source, reports, evaluator, scope, directory }: Parts): readonly string[] | "all" | undefined {
  const nodes = node.is === "list" ? node.items : [node];
  const patterns: string[] = [];
  for (const one of nodes) {
    const value = evaluator.value(one, scope);
    if (value === unknown) return undefined;
    if (value === "*") return "all";
    if (typeof value !== "string") {
      const detail = `this must be an address such as file:/etc/motd, a list of them, or '*' for all, not ${kindOf(one)}`;
      reports.add({ code: "not-an-address", summary: "not an address", detail }, source, one.start);
      return undefined;
    }
    if (directory.find(value).length === 0 && !directory.mayBeUnknown(value)) {
      const detail = `no resource is \`${value}\`${directory.hint(value)}`;
      reports.add({ code: "unknown-address", summary: "unknown address", detail }, source, one.start);
    }
    patterns.push(value);
  }
  return patterns;
}

/** What is known of a playbook without inputs and facts: enough to draw it. */
export interface Outline {
  readonly file: string;
  readonly stack: string;
  readonly events: Choreography;
  readonly resources: readonly { readonly address: string; readonly needs: readonly string[] }[];
}

/** Who says what to whom. */
export interface Conversation {
  readonly emitted: ReadonlyMap<string, readonly Outline[]>;
  readonly heard: ReadonlyMap<string, readonly Outline[]>;
}

export function conversationOf(outlines: readonly Outline[]): Conversation {
  const gather = (names: (outline: Outline) => readonly string[]) => {
    const map = new Map<string, Outline[]>();
    for (const outline of outlines) for (const name of names(outline)) map.set(name, [...(map.get(name) ?? []), outline]);
    return map;
  };
  return { emitted: gather(({ events }) => Object.keys(events.emits)), heard: gather(({ events }) => Object.keys(events.on)) };
}

/** One circle for each group of stacks that make each other due: stack, event, stack, …, and the first stack again. */
export function eventCycles(outlines: readonly Outline[]): readonly (readonly string[])[] {
  const { heard } = conversationOf(outlines);
  const found: (readonly string[])[] = [];
  const ended = new Set<Outline>();
  const walk = (outline: Outline, path: readonly { readonly outline: Outline; readonly event: string }[]): void => {
    const at = path.findIndex((step) => step.outline === outline);
    if (at >= 0) {
      found.push([...path.slice(at).flatMap((step) => [step.outline.stack, step.event]), outline.stack]);
      return;
    }
    if (ended.has(outline)) return;
    // Undoing emits no more than a failure, so it ends a circle.
    for (const event of Object.keys(outline.events.emits))
      for (const listener of heard.get(event) ?? [])
        if (listener.events.on[event]?.do === "apply") walk(listener, [...path, { outline, event }]);
    ended.add(outline);
  };
  for (const outline of outlines) walk(outline, []);
  return found;
}

/** What can be said against events, of all playbooks together: circles, and where there are several, events that nobody hears or sends. */
export function eventProblems(outlines: readonly Outline[]): readonly Problem[] {
  const { emitted, heard } = conversationOf(outlines);
  const problems: Problem[] = [];
  const warn = (code: string, summary: string, detail: string, at: Place | undefined) =>
    problems.push({ code, severity: "warning", summary, detail, ...(at && { at }) });
  for (const cycle of eventCycles(outlines)) {
    const [stack, event = ""] = cycle;
    const at = outlines.find((outline) => outline.stack === stack)?.events.emitsAt[event];
    const detail = `${cycle.join(" → ")}: it ends only when a run of one of them finds nothing to change`;
    warn("event-cycle", "stacks make each other due in a circle", detail, at);
  }
  if (outlines.length < 2) return problems;
  for (const [name, [first]] of emitted)
    if (!heard.has(name) && !heard.has(name + FAILED))
      warn(
        "event-unheard",
        "an event that nobody hears",
        `no playbook given is \`on\` ${name}, which ${first?.stack} emits`,
        first?.events.emitsAt[name],
      );
  for (const [name, [first]] of heard) {
    const base = name.endsWith(FAILED) ? name.slice(0, -FAILED.length) : name;
    if (!emitted.has(base))
      warn(
        "event-unsent",
        "an event that nobody emits",
        `no playbook given emits ${base}, which ${first?.stack} waits for`,
        first?.events.onAt[name],
      );
  }
  return problems;
}
