import { type Address, type CommonKeys, checkFields, type Declared, isObject, type Json, type JsonObject, nearest, type Place, type ResourceType } from "../core/index.ts";
import { addressOf } from "./address.ts";
import { commonFields, commonKeyNames, commonKeys } from "./common-keys.ts";
import type { Evaluator, Scope } from "./evaluator.ts";
import { unknown, type Value, type Values } from "./expression/reference.ts";
import { codeOf, type Reports, type Source } from "./source.ts";
import { type Entry, entryOf, kindOf, type MapNode, type Node, offsetAt, setOwn } from "./tree.ts";

/** What expanding resources needs. */
export interface ExpandContext {
  readonly types: ReadonlyMap<string, ResourceType>;
  readonly source: Source;
  readonly reports: Reports;
  readonly evaluator: Evaluator;
  /** Inputs, vars and facts. */
  readonly scope: Scope;
  readonly folder: string;
}

/** A resource of the list, or what is left of it where it is left out or cannot be known. */
export interface Expanded {
  readonly type: string;
  /** Undefined where the name is not known: it may be any of the type. */
  readonly address: Address | undefined;
  /** `type:name` where the address has an id instead. */
  readonly alias: string | undefined;
  readonly offset: number;
  /** Its `when` does not hold. */
  readonly leftOut: boolean;
  /** Whether it comes from a for_each. */
  readonly repeated: boolean;
  readonly node: MapNode;
  readonly common: CommonKeys;
  /** Undefined where something in it is wrong or not known. */
  readonly declared: Declared | undefined;
}

/** Expands one entry of `resources`: its for_each, its `when`, its names. Reports all that is wrong with it. */
export function expandResource(node: Node, context: ExpandContext): readonly Expanded[] {
  const report = (summary: string, detail: string, offset: number): void => context.reports.add({ code: codeOf(summary), summary, detail }, context.source, offset);
  if (node.is !== "map" || node.entries.length === 0) {
    report("wrong type", `a resource is a map whose first key is its type, such as \`file: /etc/motd\`, not ${node.is === "map" ? "an empty map" : kindOf(node)}`, node.start);
    return [];
  }
  const [head] = node.entries as readonly [Entry];
  const type = context.types.get(head.key);
  if (type === undefined) {
    reportUnknownType(node, head, context, report);
    return [];
  }
  return new Expansion(node, head, type, context, report).run();
}

function reportUnknownType(node: MapNode, head: Entry, context: ExpandContext, report: Report): void {
  if (head.key === "use" || head.key === "include") {
    context.reports.add({ code: "not-supported", summary: "not supported yet by this version", detail: `\`${head.key}\` (modules) comes with a later version` }, context.source, head.keyStart);
    return;
  }
  const later = node.entries.find((entry) => context.types.has(entry.key) && !commonKeyNames.includes(entry.key));
  const near = nearest(head.key, [...context.types.keys()]);
  if (later !== undefined && (commonKeyNames.includes(head.key) || near === undefined || Object.hasOwn(context.types.get(later.key)?.fields ?? {}, head.key))) {
    report("type not first", `the type must come first: put \`${later.key}\` before \`${head.key}\``, later.keyStart);
    return;
  }
  const known = [...context.types.keys()].sort();
  const detail = near === undefined ? `; the first key of a resource is its type, one of ${known.slice(0, 20).join(", ")}${known.length > 20 ? ", …" : ""}` : `; did you mean \`${near}\`?`;
  report("unknown type", `there is no type \`${head.key}\`${detail}`, head.keyStart);
}

type Report = (summary: string, detail: string, offset: number) => void;
type Turn = { readonly each: { readonly key: Value; readonly value: Value; readonly index: Value } } | undefined;
/** A name of the resource, the node that it comes from, and the fields that its value stands for. */
interface Named {
  readonly name: string | undefined;
  readonly node: Node;
  readonly fields: JsonObject;
}

/** The expansion of one entry. */
class Expansion {
  readonly #node: MapNode;
  readonly #head: Entry;
  readonly #type: ResourceType;
  readonly #context: ExpandContext;
  readonly #report: Report;

  constructor(node: MapNode, head: Entry, type: ResourceType, context: ExpandContext, report: Report) {
    this.#node = node;
    this.#head = head;
    this.#type = type;
    this.#context = context;
    this.#report = report;
  }

  run(): readonly Expanded[] {
    this.#unknownKeys();
    return this.#turns().flatMap((turn) => this.#turn(turn));
  }

  /** The entry of a common key, unless the type has a field of that name. */
  #common(key: string): Entry | undefined {
    return Object.hasOwn(this.#type.fields, key) ? undefined : entryOf(this.#node, key);
  }

  #unknownKeys(): void {
    const { fields, type } = this.#type;
    for (const entry of this.#node.entries) {
      if (Object.hasOwn(fields, entry.key) || commonKeyNames.includes(entry.key)) continue;
      const own = Object.keys(fields).filter((key) => key !== type);
      const near = nearest(entry.key, [...own, ...commonKeyNames]);
      this.#report("unknown key", `a ${type} has no \`${entry.key}\`${near === undefined ? `; it has ${own.join(", ")}` : `; did you mean \`${near}\`?`}`, entry.keyStart);
    }
  }

  #turns(): readonly Turn[] {
    const entry = this.#common("for_each");
    if (entry === undefined) return [undefined];
    const value = this.#context.evaluator.value(entry.value, this.#context.scope);
    if (value === unknown) return [{ each: { key: unknown, value: unknown, index: unknown } }];
    if (Array.isArray(value)) return value.map((item: Json, index) => ({ each: { key: index, value: item, index } }));
    if (isObject(value)) return Object.entries(value).map(([key, item], index) => ({ each: { key, value: item, index } }));
    this.#report("wrong type", "`for_each` must be a list, a map or an expression that gives one", entry.value.start);
    return [{ each: { key: unknown, value: unknown, index: unknown } }];
  }

  #turn(turn: Turn): readonly Expanded[] {
    const outer = this.#context.scope;
    const base: Scope = turn === undefined ? outer : { ...outer, values: { ...outer.values, each: Object.freeze(turn.each) } };
    const lets = this.#entryIsMap("let");
    const scope = lets === undefined ? base : this.#withLets(lets, base);
    const holds = this.#when(scope);
    if (holds === false) return [this.#leftOut(scope, turn)];
    const id = this.#id(scope);
    const named = this.#names(scope);
    const listed = this.#type.many === true && (named.length > 1 || this.#head.value.is === "list");
    if (id !== undefined && listed) this.#report("id on a list of names", "`id` names one resource; a list of names needs none", this.#common("id")?.keyStart ?? this.#head.keyStart);
    const common = this.#commonKeys(scope);
    const values = this.#fields(scope);
    return named.map((one) => this.#declare(one, { id: listed ? undefined : id, turn, scope, common, values, holds }));
  }

  #entryIsMap(key: string): MapNode | undefined {
    const entry = this.#common(key);
    if (entry === undefined || entry.value.is === "map") return entry?.value as MapNode | undefined;
    this.#report("wrong type", `\`${key}\` must be a map of names, not ${kindOf(entry.value)}`, entry.value.start);
    return undefined;
  }

  #withLets(lets: MapNode, base: Scope): Scope {
    const names: { [name: string]: Value } = {};
    let scope = base;
    for (const entry of lets.entries) {
      if (!/^[A-Za-z_]\w*$/.test(entry.key) || ["inputs", "vars", "facts", "each", "let"].includes(entry.key)) {
        this.#report("wrong name", `a name of \`let\` is letters, digits and _ and none of inputs, vars, facts, each, let; not \`${entry.key}\``, entry.keyStart);
        continue;
      }
      setOwn(names, entry.key, this.#context.evaluator.value(entry.value, scope));
      scope = { ...base, values: { ...base.values, ...names, let: Object.freeze({ ...names }) } as Values };
    }
    return scope;
  }

  /** Whether all conditions hold; `unknown` where that cannot be told. */
  #when(scope: Scope): boolean | typeof unknown {
    const entry = this.#common("when");
    if (entry === undefined) return true;
    let holds: boolean | typeof unknown = true;
    for (const node of entry.value.is === "list" ? entry.value.items : [entry.value]) {
      const one = this.#condition(node, scope);
      if (one === false) return false;
      if (one === unknown) holds = unknown;
    }
    return holds;
  }

  #condition(node: Node, scope: Scope): boolean | typeof unknown {
    if (node.is === "scalar" && typeof node.value === "boolean") return node.value;
    if (node.is !== "scalar" || typeof node.value !== "string") {
      this.#report("wrong type", `\`when\` must be an expression, true or false, or a list of them, not ${kindOf(node)}`, node.start);
      return unknown;
    }
    const value = this.#context.evaluator.bare({ ...node, value: node.value }, scope);
    if (value === unknown || typeof value === "boolean") return value;
    this.#report("wrong type", "the expression of `when` must give true or false", node.start);
    return unknown;
  }

  #id(scope: Scope): Value | undefined {
    const entry = this.#common("id");
    if (entry === undefined) return undefined;
    const id = this.#context.evaluator.value(entry.value, scope);
    if (id === unknown) return unknown;
    if (typeof id === "string" && /^[^\s#*[\]]+$/.test(id)) {
      return id;
    }
    this.#report("wrong id", "an id is a text without blanks, #, *, [ and ]", entry.value.start);
    return unknown;
  }

  #names(scope: Scope): readonly Named[] {
    const node = this.#head.value;
    const { evaluator } = this.#context;
    if (this.#type.many && node.is === "list") {
      if (node.items.length === 0) this.#report("no names", `the list of \`${this.#type.type}\` is empty`, node.start);
      return node.items.flatMap((item) => this.#name(evaluator.value(item, scope), item));
    }
    return this.#name(evaluator.value(node, scope), node);
  }

  #name(value: Value, node: Node): readonly Named[] {
    if (value === unknown) return [{ name: undefined, node, fields: {} }];
    if (typeof value === "string" && value !== "") return [{ name: value, node, fields: {} }];
    const turned = this.#type.nameOf?.(value);
    if (turned !== undefined) return [{ ...turned, node }];
    if (this.#type.many && Array.isArray(value)) return value.flatMap((one: Json) => this.#name(one, node));
    const { type } = this.#type;
    if (value === "") this.#report("empty name", `a ${type} needs a name`, node.start);
    else if (value === null) this.#report("empty name", `a ${type} needs a name: write it behind \`${type}:\``, this.#head.keyStart);
    else if (typeof value === "object") this.#report("wrong type", `the name of a ${type} must be a text, not ${Array.isArray(value) ? "a list" : "a map"}`, node.start);
    else this.#report("wrong type", `the name of a ${type} must be a text; quote it: "${value}"`, node.start);
    return [{ name: undefined, node, fields: {} }];
  }

  #commonKeys(scope: Scope): CommonKeys {
    const values: { [key: string]: Json } = {};
    for (const key of Object.keys(commonFields)) {
      const entry = this.#common(key);
      const value = entry && this.#context.evaluator.value(entry.value, scope);
      if (value !== undefined && value !== unknown) values[key] = value;
    }
    const { common, issues } = commonKeys(values);
    this.#issues(issues);
    return common;
  }

  /** The type's own fields but the name, as far as they are known. */
  #fields(scope: Scope): ReadonlyMap<string, Value> {
    const values = new Map<string, Value>();
    for (const entry of this.#node.entries) {
      if (entry === this.#head || !Object.hasOwn(this.#type.fields, entry.key)) continue;
      values.set(entry.key, this.#context.evaluator.value(entry.value, scope));
    }
    return values;
  }

  #issues(issues: readonly { readonly path: readonly (string | number)[]; readonly summary: string; readonly detail: string }[], name?: Node): boolean {
    for (const issue of issues) {
      const [first, ...rest] = issue.path;
      const offset = first === this.#type.type && name !== undefined ? offsetAt(name, rest) : offsetAt(this.#node, issue.path, issue.summary === "unknown key");
      this.#report(issue.summary, issue.detail, offset);
    }
    return issues.length === 0;
  }

  /** Checks the fields that are known and gives the spec where all are good. */
  #spec(named: Named, values: ReadonlyMap<string, Value>): JsonObject | undefined {
    const { type, fields } = this.#type;
    const known: { [key: string]: Json } = {};
    const open = new Set<string>();
    if (named.name === undefined) open.add(type);
    else setOwn<Json>(known, type, named.name);
    for (const [key, value] of Object.entries(named.fields)) {
      if (values.has(key)) this.#report("key given twice", `\`${key}\` already follows from the value of \`${type}\``, offsetAt(this.#node, [key], true));
      else setOwn(known, key, value);
    }
    for (const [key, value] of values) {
      if (value === unknown) open.add(key);
      else setOwn(known, key, value);
    }
    const judged = open.size === 0 ? fields : Object.fromEntries(Object.entries(fields).filter(([key]) => !open.has(key)));
    const checked = checkFields(judged, known);
    if (!checked.ok) this.#issues(checked.issues, named.node);
    return checked.ok && open.size === 0 ? checked.value : undefined;
  }

  #declare(named: Named, given: { readonly id: Value | undefined; readonly turn: Turn; readonly scope: Scope; readonly common: CommonKeys; readonly values: ReadonlyMap<string, Value>; readonly holds: boolean | typeof unknown }): Expanded {
    const { type } = this.#type;
    const spec = this.#spec(named, given.values);
    const address = this.#address(named, given.id, given.turn, spec);
    const offset = named.node !== this.#head.value && this.#head.value.is === "list" ? named.node.start : this.#head.keyStart;
    const alias = given.id === undefined || named.name === undefined ? undefined : `${type}:${named.name}`;
    const declared = spec === undefined || address === undefined || named.name === undefined ? undefined : this.#declared(named as Named & { name: string }, address, offset, spec, given.common, given.scope);
    return { type, address, alias, offset, leftOut: false, repeated: given.turn !== undefined, node: this.#node, common: given.common, declared };
  }

  #address(named: Named, id: Value | undefined, turn: Turn, spec: JsonObject | undefined): Address | undefined {
    const { type } = this.#type;
    if (named.name === undefined || id === unknown) return undefined;
    if (id !== undefined) {
      const key = turn?.each.key;
      if (key === unknown) return undefined;
      return addressOf(type, { name: named.name, id: String(id), ...(turn !== undefined && { key: String(key) }) });
    }
    if (this.#type.tag === undefined) return addressOf(type, { name: named.name });
    return spec === undefined ? undefined : addressOf(type, { name: named.name, tag: this.#type.tag(spec) });
  }

  #declared(named: Named & { readonly name: string }, address: Address, offset: number, spec: JsonObject, common: CommonKeys, scope: Scope): Declared {
    const { source, folder } = this.#context;
    const node = this.#node;
    const { type } = this.#type;
    const place = (...path: readonly (string | number)[]): Place => {
      if (path.length === 0) return source.place(offset);
      return source.place(path[0] === type ? offsetAt(named.node, path.slice(1)) : entryOf(node, String(path[0])) === undefined ? offset : offsetAt(node, path));
    };
    return { type, name: named.name, address, at: source.place(offset), spec, place, common, scope: scope.values as JsonObject, selected: true, folder };
  }

  /** A resource whose `when` does not hold still has an address, so that `needs` may name it. */
  #leftOut(scope: Scope, turn: Turn): Expanded {
    const quiet = this.#context.evaluator.quiet();
    const id = this.#common("id");
    const value = id === undefined ? undefined : quiet.value(id.value, scope);
    const name = quiet.value(this.#head.value, scope);
    const { type } = this.#type;
    const base = { type, offset: this.#head.keyStart, leftOut: true, repeated: turn !== undefined, node: this.#node, common: {}, declared: undefined };
    const key = turn?.each.key;
    if (typeof value === "string" && key !== unknown) return { ...base, address: addressOf(type, { name: "", id: value, ...(turn !== undefined && { key: String(key) }) }), alias: typeof name === "string" ? `${type}:${name}` : undefined };
    return { ...base, address: undefined, alias: typeof name === "string" ? `${type}:${name}` : undefined };
  }
}
