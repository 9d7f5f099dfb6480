import {
  type Address,
  type CommonKeys,
  checkFields,
  type Declared,
  holdsResult,
  type Json,
  type JsonObject,
  nearest,
  type Place,
  type ResourceType,
  resultsIn,
} from "../core/index.ts";
import { addressOf } from "./address.ts";
import { commonFields, commonKeyNames, commonKeys } from "./common-keys.ts";
import type { Evaluator, Scope } from "./evaluator.ts";
import type { ExpandContext, Expanded } from "./expanded.ts";
import { unknown, type Value } from "./expression/reference.ts";
import { type Entry, entryOf, kindOf, type MapNode, type Node, offsetAt, setOwn } from "./tree.ts";
import { holds, type Report, type Turn, turnsOf, withLet, withTurn } from "./turns.ts";

/** A name of the resource, the node that it comes from, and the fields that its value stands for. */
interface Named {
  readonly name: string | undefined;
  readonly node: Node;
  readonly fields: JsonObject;
}

/** What all names of one turn share. */
interface Given {
  readonly id: Value | undefined;
  readonly turn: Turn | undefined;
  readonly scope: Scope;
  readonly common: CommonKeys;
  readonly values: ReadonlyMap<string, Value>;
}

interface Made {
  readonly name: string;
  readonly node: Node;
  readonly address: Address;
  readonly offset: number;
  readonly spec: JsonObject;
}

/** The expansion of one entry of `resources`. */
export class Expansion {
  readonly #node: MapNode;
  readonly #head: Entry;
  readonly #type: ResourceType;
  readonly #context: ExpandContext;
  readonly #evaluator: Evaluator;
  readonly #report: Report;

  constructor(node: MapNode, head: Entry, type: ResourceType, context: ExpandContext, report: Report) {
    this.#node = node;
    this.#head = head;
    this.#type = type;
    this.#context = context;
    this.#evaluator = context.evaluator;
    this.#report = report;
  }

  run(): readonly Expanded[] {
    this.#unknownKeys();
    return this.#turns();
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
      this.#report(
        "unknown key",
        `a ${type} has no \`${entry.key}\`${near === undefined ? `; it has ${own.join(", ")}` : `; did you mean \`${near}\`?`}`,
        entry.keyStart,
      );
    }
  }

  #turns(): readonly Expanded[] {
    const each = this.#common("for_each");
    if (each === undefined) return this.#turn(undefined);
    return turnsOf(each, this.#context.scope, this.#evaluator, this.#report).flatMap((turn) => this.#turn(turn));
  }

  #turn(turn: Turn | undefined): readonly Expanded[] {
    const base = turn === undefined ? this.#context.scope : withTurn(this.#context.scope, turn);
    const lets = this.#lets();
    const scope = lets === undefined ? base : withLet(lets, base, this.#evaluator, this.#report);
    const when = this.#common("when");
    if (when !== undefined && holds(when, scope, this.#evaluator, this.#report) === false) return this.#leftOut(scope, turn);
    return this.#declareAll(scope, turn);
  }

  /** A resource whose `when` does not hold still has its addresses, so that `needs` may name it; nobody is told of its faults. */
  #leftOut(scope: Scope, turn: Turn | undefined): readonly Expanded[] {
    const context = { ...this.#context, evaluator: this.#evaluator.quiet() };
    const quiet = new Expansion(this.#node, this.#head, this.#type, context, () => {});
    return quiet.#declareAll(scope, turn).map((one) => ({ ...one, leftOut: true, common: {}, declared: undefined }));
  }

  #declareAll(scope: Scope, turn: Turn | undefined): readonly Expanded[] {
    const id = this.#id(scope);
    const named = this.#names(scope);
    const listed = this.#type.many === true && (named.length > 1 || this.#head.value.is === "list");
    if (id !== undefined && listed) {
      const offset = this.#common("id")?.keyStart ?? this.#head.keyStart;
      this.#report("id on a list of names", "`id` names one resource; a list of names needs none", offset);
    }
    const common = this.#commonKeys(scope);
    const values = this.#fields(scope);
    return named.map((one) => this.#declare(one, { id: listed ? undefined : id, turn, scope, common, values }));
  }

  #lets(): MapNode | undefined {
    const entry = this.#common("let");
    if (entry === undefined || entry.value.is === "map") return entry?.value as MapNode | undefined;
    this.#report("wrong type", `\`let\` must be a map of names, not ${kindOf(entry.value)}`, entry.value.start);
    return undefined;
  }

  #id(scope: Scope): Value | undefined {
    const entry = this.#common("id");
    if (entry === undefined) return undefined;
    const id = this.#evaluator.value(entry.value, scope);
    if (id === unknown) return unknown;
    if (holdsResult(id)) {
      this.#report(
        "a result that is needed too early",
        "an id cannot depend on what another resource gives when it runs",
        entry.value.start,
      );
      return unknown;
    }
    if (typeof id === "string" && /^[^\s#*[\]]+$/.test(id)) return id;
    this.#report("wrong id", "an id is a text without blanks, #, *, [ and ]", entry.value.start);
    return unknown;
  }

  #names(scope: Scope): readonly Named[] {
    const node = this.#head.value;
    if (this.#type.many && node.is === "list") {
      if (node.items.length === 0) this.#report("no names", `the list of \`${this.#type.type}\` is empty`, node.start);
      return node.items.flatMap((item) => this.#name(this.#evaluator.value(item, scope), item));
    }
    return this.#name(this.#evaluator.value(node, scope), node);
  }

  #name(value: Value, node: Node): readonly Named[] {
    if (value === unknown) return [{ name: undefined, node, fields: {} }];
    if (holdsResult(value)) {
      this.#report(
        "a result that is needed too early",
        "what a resource is called cannot depend on what another gives when it runs",
        node.start,
      );
      return [{ name: undefined, node, fields: {} }];
    }
    if (typeof value === "string" && value !== "") return [{ name: value, node, fields: {} }];
    const turned = this.#type.nameOf?.(value);
    if (turned !== undefined) return [{ ...turned, node }];
    if (this.#type.many && Array.isArray(value)) return value.flatMap((one: Json) => this.#name(one, node));
    const { type } = this.#type;
    if (value === "") this.#report("empty name", `a ${type} needs a name`, node.start);
    else if (value === null) this.#report("empty name", `a ${type} needs a name: write it behind \`${type}:\``, this.#head.keyStart);
    else if (typeof value === "object")
      this.#report("wrong type", `the name of a ${type} must be a text, not ${Array.isArray(value) ? "a list" : "a map"}`, node.start);
    else this.#report("wrong type", `the name of a ${type} must be a text; quote it: "${value}"`, node.start);
    return [{ name: undefined, node, fields: {} }];
  }

  #commonKeys(scope: Scope): CommonKeys {
    const values: { [key: string]: Json } = {};
    for (const key of Object.keys(commonFields)) {
      const entry = this.#common(key);
      const value = entry && this.#evaluator.value(entry.value, scope);
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
      values.set(entry.key, this.#evaluator.value(entry.value, scope));
    }
    return values;
  }

  #issues(
    issues: readonly { readonly path: readonly (string | number)[]; readonly summary: string; readonly detail: string }[],
    name?: Node,
  ): boolean {
    for (const issue of issues) {
      const [first, ...rest] = issue.path;
      const offset =
        first === this.#type.type && name !== undefined
          ? offsetAt(name, rest)
          : offsetAt(this.#node, issue.path, issue.summary === "unknown key");
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
      if (values.has(key))
        this.#report("key given twice", `\`${key}\` already follows from the value of \`${type}\``, offsetAt(this.#node, [key], true));
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

  #declare(named: Named, given: Given): Expanded {
    const spec = this.#spec(named, given.values);
    const { address, names } = this.#address(named, given, spec);
    const offset = named.node !== this.#head.value && this.#head.value.is === "list" ? named.node.start : this.#head.keyStart;
    const known = spec !== undefined && address !== undefined && named.name !== undefined;
    const declared = known ? this.#declared({ name: named.name, node: named.node, address, offset, spec }, given) : undefined;
    return {
      type: this.#type.type,
      address,
      names,
      offset,
      leftOut: false,
      repeated: given.turn !== undefined,
      node: this.#node,
      common: declared?.common ?? given.common,
      declared,
    };
  }

  /** The address, and all texts that mean the resource: the address, `type:name` and `type:id` without what stands behind. */
  #address(
    named: Named,
    { id, turn }: Given,
    spec: JsonObject | undefined,
  ): { readonly address: Address | undefined; readonly names: readonly string[] } {
    const { type, tag } = this.#type;
    if (named.name === undefined || id === unknown || turn?.key === unknown) return { address: undefined, names: [] };
    const bare = addressOf(type, { name: named.name });
    if (id !== undefined) {
      const plain = addressOf(type, { name: named.name, id: String(id) });
      const address = turn === undefined ? plain : addressOf(type, { name: named.name, id: String(id), key: String(turn.key) });
      return { address, names: [address, plain, bare] };
    }
    if (tag === undefined) return { address: bare, names: [bare] };
    if (spec === undefined) return { address: undefined, names: [bare] };
    const address = addressOf(type, { name: named.name, tag: tag.call(this.#type, spec) });
    return { address, names: [address, bare] };
  }

  #declared(made: Made, given: Given): Declared {
    const { source, folder } = this.#context;
    const { offset } = made;
    const node = this.#node;
    const { type } = this.#type;
    const offsetOf = (path: readonly (string | number)[]): number => {
      if (path[0] === type) return offsetAt(made.node, path.slice(1));
      return path.length === 0 || entryOf(node, String(path[0])) === undefined ? offset : offsetAt(node, path);
    };
    return {
      type,
      name: made.name,
      address: made.address,
      at: source.place(offset),
      spec: made.spec,
      place: (...path): Place => source.place(offsetOf(path)),
      common: withNeeded(given.common, made.spec),
      scope: given.scope.values as JsonObject,
      selected: true,
      folder,
    };
  }
}

/** Whose result a resource uses, that one it needs. */
function withNeeded(common: CommonKeys, spec: JsonObject): CommonKeys {
  const used = resultsIn(spec).map(({ of }) => of);
  return used.length === 0 ? common : { ...common, needs: [...new Set([...(common.needs ?? []), ...used])] };
}
