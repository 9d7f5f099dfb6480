import type { Fields, SpecOf } from "./fields.ts";
import type { Json, JsonObject } from "./json.ts";
import type { Address, RegisterId } from "./names.ts";
import type { Place, Problem } from "./problem.ts";
import type { Goal, Setting } from "./register.ts";
import type { Contents } from "./sight.ts";
import type { Reader } from "./system.ts";

/** A resource as declared, after expressions: plain data that knows its place. */
export interface Declared {
  readonly type: string;
  /** The value of the type's own key; for a type with many names one of them. */
  readonly name: string;
  readonly address: Address;
  readonly at: Place;
  /** All fields but the common ones, the name under the type's own key; checked and with defaults filled in. */
  readonly spec: JsonObject;
  /** The place of a field, as nearly as the text allows. */
  place(...path: readonly (string | number)[]): Place;
  readonly common: CommonKeys;
  /** Variables that the resource's templates see: inputs, vars, facts, each, let. */
  readonly scope: JsonObject;
  /** False: `--only`, `--exclude` or `--tags` left it out; it still counts for ownership. */
  readonly selected: boolean;
  /** Folder that its sources are relative to. */
  readonly folder: string;
  /** What it succeeds or is undone together with. */
  readonly transaction?: {
    readonly name: string;
    readonly mode: "saga" | "two_phase";
    readonly check?: readonly string[];
    readonly at: Place;
  };
}

/** The keys that every type takes, after expressions. */
export interface CommonKeys {
  /** Addresses; `type:name` alone means all of that name. */
  readonly needs?: readonly string[];
  readonly tags?: readonly string[];
  readonly retry?: { readonly attempts: number; readonly delay: number };
  /** Milliseconds. */
  readonly timeout?: number;
  readonly become?: string;
  readonly on_failure?: "stop" | "continue" | "revert";
  readonly protect?: boolean;
  readonly sensitive?: boolean;
  readonly in_doubt?: "retry" | "skip" | "ask";
  /** `none`: leaving the effect behind is allowed; else a command that takes it back. */
  readonly undo?: Json;
}

/** What a type sees of the world while it turns a spec into settings. */
export interface World {
  readonly stack: string;
  readonly declared: Declared;
  readonly contents: Contents;
  readonly reader: Reader;
  /** The absolute, resolved path of a target: relative ones under --root or the working folder, `~/` under home. */
  target(path: string): string;
  /** The absolute path of a source, relative to the playbook's folder. */
  source(path: string): string;
  /** Renders a template with the resource's variables and `vars` over them; reports its problems at `at`. */
  render(text: string, vars: JsonObject, file: string): string;
  /** The registers that the resources at these addresses set; a glob or `type:name` may mean several. */
  registersOf(address: string): readonly RegisterId[];
  /** Reports a problem at a field of this resource and goes on. */
  report(problem: {
    readonly code: string;
    readonly summary: string;
    readonly detail: string;
    readonly field?: readonly (string | number)[];
    readonly severity?: Problem["severity"];
  }): void;
}

/** One type of resource: the whole of what is known about it. */
export interface ResourceType {
  readonly type: string;
  /** One sentence. */
  readonly summary: string;
  /** Longer text for the reference page, in Markdown. */
  readonly notes?: string;
  /** YAML of one or more resources; planned by a test. */
  readonly example: string;
  /** The first is the name's. */
  readonly fields: Fields;
  /** The value may be a list of names that share the fields. */
  readonly many?: true;
  /** Turns a value that is no text into a name and further fields (the argv list of a command); undefined where it is none such. */
  nameOf?(value: Json): { readonly name: string; readonly fields: JsonObject } | undefined;
  /** Names may repeat: what tells one from another within the address, behind `#`. */
  tag?(spec: JsonObject): string;
  /** Goals that only this type has. */
  readonly goals?: readonly Goal[];
  /** Loads what `check`, `settings` and `sweep` need and a start without them should not pay for; awaited before the first of them. */
  prepare?(spec: JsonObject): Promise<void>;
  settings(spec: JsonObject, world: World): readonly Setting[];
  /**
   * What can be said against a spec without any look at the system: all that `lint` asks of a type. `resourceType` puts
   * it in front of `settings`, which then runs only where no error was reported.
   */
  check?(spec: JsonObject, report: World["report"]): void;
  /** Settings that depend on what all other resources name: `exact`, `recurse`. `named` holds the keys of all path registers. */
  sweep?(spec: JsonObject, world: World, named: ReadonlySet<string>): readonly Setting[];
}

/** The author's form of a type, whose spec has the types of its fields. */
export interface TypeDefinition<F extends Fields>
  extends Omit<ResourceType, "fields" | "check" | "prepare" | "settings" | "sweep" | "tag"> {
  readonly fields: F;
  prepare?(spec: SpecOf<F>): Promise<void>;
  check?(spec: SpecOf<F>, report: World["report"]): void;
  tag?(spec: SpecOf<F>): string;
  settings(spec: SpecOf<F>, world: World): readonly Setting[];
  sweep?(spec: SpecOf<F>, world: World, named: ReadonlySet<string>): readonly Setting[];
}

/**
 * A type for the registry. The one place where a spec's own type is hidden: the playbook has checked the spec against
 * `fields` before it comes to `settings`.
 */
export function resourceType<const F extends Fields>(definition: TypeDefinition<F>): ResourceType {
  const type = definition as unknown as ResourceType;
  const { check } = type;
  if (check === undefined) return type;
  return {
    ...type,
    settings(spec, world) {
      let failed = false;
      check(spec, (problem) => {
        failed ||= (problem.severity ?? "error") === "error";
        world.report(problem);
      });
      return failed ? [] : type.settings(spec, world);
    },
  };
}
