import type { Address, CommonKeys, Declared, ResourceType } from "../core/index.ts";
import type { Evaluator, Scope } from "./evaluator.ts";
import type { Reports, Source } from "./source.ts";
import type { MapNode } from "./tree.ts";

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
  /** All texts that mean it: its address, `type:name`, `type:id`. */
  readonly names: readonly string[];
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
