import {
  type Declared,
  type Digest,
  type Json,
  type JsonObject,
  nearest,
  type Problem,
  type ResourceType,
  type Result,
  sha256,
} from "../core/index.ts";
import { shortTag } from "./address.ts";
import { Evaluator, type Scope } from "./evaluator.ts";
import { type Choreography, evaluateEvents, noEvents, type Outline } from "./events.ts";
import type { Expanded } from "./expanded.ts";
import { Expressions } from "./expression/expression.ts";
import { follow, type Reference, unknown, type Value } from "./expression/reference.ts";
import type { InputSources } from "./input-sources.ts";
import { resolveInputs } from "./inputs.ts";
import type { Libraries } from "./libraries.ts";
import type { LiquidEngine } from "./liquid.ts";
import { checkDuplicates, checkNeeds, checkReactions, Directory } from "./needs.ts";
import { parseTree } from "./parse.ts";
import { dirname } from "./paths.ts";
import { evaluatePeers, type Peers } from "./peers.ts";
import { expandResource } from "./resources.ts";
import { withoutSecrets } from "./secrets.ts";
import { type Selection, select } from "./select.ts";
import { Reports, Source } from "./source.ts";
import { renderTemplate } from "./template.ts";
import { checkTransactionNames, expandTransaction, isTransaction } from "./transaction.ts";
import { entryOf, kindOf, type MapNode, type Node, setOwn } from "./tree.ts";
import { evaluateVars } from "./vars.ts";
import { withLibraries } from "./with-libraries.ts";

/** All that a playbook is made of besides its text; see the face for each. */
export interface PlaybookSources extends InputSources {
  readonly types: ReadonlyMap<string, ResourceType>;
  readonly facts: JsonObject;
  readonly selection: Selection;
}

/** A playbook that holds: plain data, and the way to render templates with it. */
export interface Playbook {
  readonly file: string;
  readonly digest: Digest;
  readonly stack: string;
  /** In listed order, names and for_each expanded, those whose `when` does not hold left out, the selection marked. */
  readonly resources: readonly Declared[];
  /** The values of the inputs; a secret's is `{ "$secret": name, from? }`, where it may be had again. */
  readonly inputs: JsonObject;
  readonly secrets: readonly { readonly name: string; readonly value: string }[];
  /** The facts that expressions and templates read so far, by dotted path; null where there is none. */
  readonly factsUsed: JsonObject;
  /** How other machines are to be treated, by origin. */
  readonly peers: Peers;
  readonly events: Choreography;
  readonly warnings: readonly Problem[];
  /** Renders a Liquid template; problems have their place in `file`. */
  render(template: string, scope: JsonObject, file: string): Result<string>;
}

const topKeys = ["setpoint", "name", "inputs", "vars", "peers", "events", "emits", "on", "resources"];
const laterKeys = ["budget", "policy", "approvers", "plugins"];

/** Reads, checks and evaluates a playbook. Every problem is in the result; nothing is thrown but bugs. */
export async function loadPlaybook(text: string, file: string, sources: PlaybookSources): Promise<Result<Playbook>> {
  const facts = Object.freeze({ ...sources.facts });
  const loaded = await withLibraries((libraries) => work(new Source(file, text), { types: sources.types, facts, sources }, libraries));
  const found = loaded.reports.all().map((problem) => withoutSecrets(problem, loaded.hidden));
  if (loaded.reports.failed || loaded.stack === undefined) return { ok: false, problems: found };
  const liquid = loaded.resources.some((one) => mayRender(one, sources.types)) ? await liquidEngine() : undefined;
  return {
    ok: true,
    value: {
      file,
      digest: sha256(text),
      stack: loaded.stack,
      resources: loaded.resources,
      inputs: loaded.inputs,
      secrets: loaded.secrets,
      get factsUsed() {
        return Object.fromEntries([...loaded.factsUsed].sort(([a], [b]) => (a < b ? -1 : 1)));
      },
      peers: loaded.peers,
      events: loaded.events,
      warnings: found,
      render: (template, scope, templateFile) => {
        const rendered = renderTemplate(template, scope, templateFile, liquid, (path) => useFact(loaded.factsUsed, facts, path));
        return rendered.ok ? rendered : { ok: false, problems: rendered.problems.map((problem) => withoutSecrets(problem, loaded.hidden)) };
      },
    },
  };
}

/** What a look at a playbook gives without inputs and facts. */
export interface Linted {
  readonly problems: readonly Problem[];
  /** Undefined where its name is not even known. */
  readonly outline: Outline | undefined;
}

/** Checks a playbook as far as that goes without inputs and facts. */
export async function lintPlaybook(text: string, file: string, types: ReadonlyMap<string, ResourceType>): Promise<readonly Problem[]> {
  return (await outlinePlaybook(text, file, types)).problems;
}

/** The same, and what of it can be drawn. */
export async function outlinePlaybook(text: string, file: string, types: ReadonlyMap<string, ResourceType>): Promise<Linted> {
  const linted = await withLibraries((libraries) => work(new Source(file, text), { types, facts: unknown }, libraries));
  for (const declared of linted.resources) await checkByType(declared, types, linted.reports);
  const { stack, events, outlined } = linted;
  return {
    problems: linted.reports.all().map((problem) => withoutSecrets(problem, linted.hidden)),
    outline: stack === undefined ? undefined : { file, stack, events, resources: outlined },
  };
}

function outlineOf(one: Expanded, needs: ReadonlyMap<Expanded, readonly Expanded[]>): Outline["resources"][number] {
  const name = ({ address, type }: Expanded) => address ?? `${type}:…`;
  return { address: name(one), needs: (needs.get(one) ?? []).map(name) };
}

/** What a type says against a resource of which all is known without a look at the system. */
async function checkByType(declared: Declared, types: ReadonlyMap<string, ResourceType>, reports: Reports): Promise<void> {
  const type = types.get(declared.type);
  if (type?.check === undefined) return;
  await type.prepare?.(declared.spec);
  type.check(declared.spec, ({ code, summary, detail, field, severity = "error" }) => {
    const at = field === undefined ? declared.at : declared.place(...field);
    reports.take({ code, severity, summary, detail, at, address: declared.address });
  });
}

let liquid: LiquidEngine | undefined;

async function liquidEngine(): Promise<LiquidEngine> {
  liquid ??= (await import("./liquid.ts")).createLiquid();
  return liquid;
}

/** Whether a resource could have a template rendered: it names one, or its type finds them by their suffix. */
function mayRender(declared: Declared, types: ReadonlyMap<string, ResourceType>): boolean {
  const fields = types.get(declared.type)?.fields ?? {};
  return Object.hasOwn(fields, "template_suffix") || Object.keys(declared.spec).some((key) => key.startsWith("template"));
}

interface Given {
  readonly types: ReadonlyMap<string, ResourceType>;
  readonly facts: JsonObject | typeof unknown;
  /** Left out while linting. */
  readonly sources?: PlaybookSources;
}

interface Loaded {
  readonly reports: Reports;
  readonly stack: string | undefined;
  readonly resources: readonly Declared[];
  readonly inputs: JsonObject;
  readonly secrets: readonly { readonly name: string; readonly value: string }[];
  readonly peers: Peers;
  readonly events: Choreography;
  readonly outlined: Outline["resources"];
  readonly factsUsed: Map<string, Json>;
  /** What may stand in no message. */
  readonly hidden: readonly string[];
}

/** The whole of it, pure: throws NotLoaded where a library is needed and is then begun again. */
function work(source: Source, given: Given, libraries: Libraries): Loaded {
  const reports = new Reports();
  const factsUsed = new Map<string, Json>();
  const nothing = {
    reports,
    stack: undefined,
    resources: [],
    inputs: {},
    secrets: [],
    peers: {},
    events: noEvents,
    outlined: [],
    factsUsed,
    hidden: [],
  };
  const root = parseTree(source, reports, libraries);
  if (root === undefined) return nothing;
  if (root.is !== "map") {
    if (!reports.failed)
      reports.add(
        {
          code: "wrong-type",
          summary: "wrong type",
          detail: `a playbook is a map with the keys ${topKeys.join(", ")}, not ${kindOf(root)}`,
        },
        source,
        root.start,
      );
    return nothing;
  }
  const stack = checkTop(root, source, reports);
  const inputs = resolveInputs(entryOf(root, "inputs")?.value, source, reports, libraries, given.sources);
  const evaluator = new Evaluator(source, reports, new Expressions(libraries));
  const before = (reference: Reference): void => {
    if (reference.root !== "facts" || given.facts === unknown) return;
    if (reference.path.length > 0) useFact(factsUsed, given.facts, reference.path);
    else for (const key of Object.keys(given.facts)) useFact(factsUsed, given.facts, [key]);
  };
  const vars = evaluateVars(entryOf(root, "vars")?.value, source, reports, evaluator, {
    inputs: inputs.values,
    facts: given.facts,
    before,
  });
  const scope: Scope = { values: { inputs: inputs.values, vars, facts: given.facts }, before };
  const peers = evaluatePeers(entryOf(root, "peers")?.value, source, reports, evaluator, scope);
  const context = { types: given.types, source, reports, evaluator, scope, folder: dirname(source.file) };
  const nodes = resourceNodes(root, source, reports);
  const all = nodes.flatMap((node) => (isTransaction(node) ? expandTransaction(node, context) : expandResource(node, context)));
  checkTransactionNames(nodes, context);
  checkDuplicates(all, source, reports);
  checkSecretNames(all, inputs.secrets, given.types, source, reports);
  const directory = new Directory(all);
  const needs = checkNeeds(all, directory, source, reports);
  const events = evaluateEvents(root, { source, reports, evaluator, scope, directory });
  if (given.sources === undefined) checkReactions(all, directory, source, reports, (node) => addressTexts(node, evaluator, scope));
  const chosen = given.sources && select(all, directory, needs, given.sources.selection, reports);
  return {
    reports,
    stack,
    resources: declaredOf(all, chosen, directory),
    inputs: markSecrets(inputs.values, inputs.secretSources),
    secrets: inputs.secrets,
    peers,
    events,
    outlined: all.flatMap((one) => (one.leftOut ? [] : [outlineOf(one, needs)])),
    factsUsed,
    hidden: inputs.hidden,
  };
}

function checkTop(root: MapNode, source: Source, reports: Reports): string | undefined {
  const report = (code: string, summary: string, detail: string, offset: number): void =>
    reports.add({ code, summary, detail }, source, offset);
  for (const { key, keyStart } of root.entries) {
    if (topKeys.includes(key)) continue;
    if (laterKeys.includes(key))
      report("not-supported", "not supported yet by this version", `\`${key}\` is reserved for a later version`, keyStart);
    else {
      const near = nearest(key, topKeys);
      const merge =
        key === "<<"
          ? "; YAML 1.2 has no merge keys"
          : near === undefined
            ? `; known are ${topKeys.join(", ")}`
            : `; did you mean \`${near}\`?`;
      report("unknown-key", "unknown key", `a playbook has no \`${key}\`${merge}`, keyStart);
    }
  }
  checkVersion(entryOf(root, "setpoint")?.value, root.start, report);
  const name = entryOf(root, "name")?.value;
  if (name === undefined)
    report("missing-key", "missing key", "`name` is needed: the stack's name, under which what it manages is recorded", root.start);
  else if (name.is !== "scalar" || typeof name.value !== "string")
    report(
      "wrong-type",
      "wrong type",
      `\`name\` must be a text, not ${kindOf(name)}${name.is === "scalar" && name.value !== null ? "; quote it" : ""}`,
      name.start,
    );
  else if (!/^[A-Za-z0-9._-]+$/.test(name.value))
    report("wrong-name", "wrong name", "a stack's name is letters, digits, `.`, `_` and `-`", name.start);
  else return name.value;
  return undefined;
}

function checkVersion(
  version: Node | undefined,
  start: number,
  report: (code: string, summary: string, detail: string, offset: number) => void,
): void {
  if (version === undefined)
    report("missing-key", "missing key", "`setpoint` is needed: the version of the language, `setpoint: 1`", start);
  else if (version.is !== "scalar" || !(typeof version.value === "number" && Number.isInteger(version.value)) || version.value < 1)
    report("wrong-version", "wrong version of the language", "write `setpoint: 1`", version.start);
  else if (version.value > 1)
    report(
      "wrong-version",
      "wrong version of the language",
      `this playbook wants version ${version.value} of the language and this program knows version 1: use a setpoint of version ${version.value} or later`,
      version.start,
    );
}

function resourceNodes(root: MapNode, source: Source, reports: Reports): readonly Node[] {
  const entry = entryOf(root, "resources");
  if (entry === undefined) {
    reports.add(
      { code: "missing-key", summary: "missing key", detail: "`resources` is needed: the list of what is declared" },
      source,
      root.start,
    );
    return [];
  }
  const { value } = entry;
  if (value.is === "list") return value.items;
  if (value.is === "scalar" && value.value === null) return [];
  reports.add(
    {
      code: "wrong-type",
      summary: "wrong type",
      detail: `\`resources\` must be a list, not ${kindOf(value)}; begin each resource with \`- \``,
    },
    source,
    value.start,
  );
  return [];
}

/** A secret in an address would stand in every plan; of one that is cut a part would. */
function checkSecretNames(
  all: readonly Expanded[],
  secrets: Loaded["secrets"],
  types: ReadonlyMap<string, ResourceType>,
  source: Source,
  reports: Reports,
): void {
  if (secrets.length === 0) return;
  for (const one of all) {
    const tag = (one.declared && types.get(one.type)?.tag?.(one.declared.spec)) ?? "";
    const shown = tag !== "" && one.address?.endsWith(`#${shortTag(tag)}`) ? [one.address, tag] : [one.address ?? ""];
    const secret = secrets.find(({ value }) => value.length >= 4 && shown.some((text) => text.includes(value)));
    if (secret !== undefined)
      reports.add(
        {
          code: "secret-in-name",
          summary: "a secret in a name",
          detail: `the value of \`${secret.name}\` is part of this resource's address, which every plan and log shows; give it an \`id\``,
        },
        source,
        one.offset,
      );
  }
}

function addressTexts(node: Node, evaluator: Evaluator, scope: Scope): readonly { readonly text: string; readonly offset: number }[] {
  const items = node.is === "list" ? node.items : [node];
  return items.flatMap((item) => {
    const value = evaluator.quiet().value(item, scope);
    return typeof value === "string" ? [{ text: value, offset: item.start }] : [];
  });
}

function declaredOf(all: readonly Expanded[], chosen: ReadonlySet<Expanded> | undefined, directory: Directory): readonly Declared[] {
  return all.flatMap((one) => {
    if (one.declared === undefined) return [];
    // What is only needed if it is there is no need of those who plan.
    const needs = one.common.needs?.filter((pattern) => directory.find(pattern).some((other) => !other.leftOut));
    const selected = chosen === undefined || chosen.has(one);
    if (selected && needs?.length === one.common.needs?.length) return [one.declared];
    const { needs: _, ...common } = one.common;
    return [{ ...one.declared, selected, common: { ...common, ...(needs !== undefined && needs.length > 0 && { needs }) } }];
  });
}

function markSecrets(values: { readonly [name: string]: Value }, secret: ReadonlyMap<string, JsonObject | undefined>): JsonObject {
  const marked: { [name: string]: Json } = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === unknown) continue;
    const from = secret.get(name);
    setOwn<Json>(marked, name, secret.has(name) ? { $secret: name, ...(from && { from }) } : value);
  }
  return marked;
}

function useFact(used: Map<string, Json>, facts: JsonObject, path: readonly (string | number)[]): void {
  const found = follow(facts, path);
  used.set(path.join("."), "value" in found && found.value !== unknown ? (found.value as Json) : null);
}
