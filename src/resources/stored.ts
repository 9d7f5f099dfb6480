import { type Digest, given, type Json, type PlaceData, type Setting, type World } from "../core/index.ts";
import { type StoredWant, storedRegister } from "../registers/index.ts";
import { sourceFile } from "./sources.ts";

interface StoredSpec {
  readonly key: string;
  readonly store: PlaceData;
  readonly state: "present" | "absent";
  readonly value?: Json | undefined;
  readonly source?: string | undefined;
  readonly ttl?: number | undefined;
  readonly type?: string | undefined;
}

/** What can be said against a value without looking at its store. */
export function checkStored(spec: Pick<StoredSpec, "key" | "state" | "value" | "source">, name: string, report: World["report"]): void {
  const given = [spec.value, spec.source].filter((one) => one !== undefined).length;
  if (spec.state === "present" && given !== 1)
    report({ code: "value-forms", summary: "a key has one value", detail: "give either `value` or `source`" });
  if (spec.state === "absent" && given > 0)
    report({
      code: "value-forms",
      summary: "a key that is not to be has a value",
      detail: "`state: absent` takes it away, whatever it holds: leave `value` and `source` out",
      field: [spec.value === undefined ? "source" : "value"],
    });
  if (spec.key === "" || spec.key.includes("\0"))
    report({ code: "bad-key", summary: "no key", detail: "a key has at least one character, and no NUL", field: [name] });
}

/** The one setting of a value in a store. */
export function storedSettings(kind: "kv" | "object", spec: StoredSpec, world: World): readonly Setting[] {
  const { common } = world.declared;
  const manner = { ...given({ sensitive: common.sensitive }), ...(common.undo === "none" && { undo: "none" as const }) };
  const setting = {
    register: storedRegister(kind, { store: spec.store, key: spec.key }),
    aspects: ["value"],
    ...(Object.keys(manner).length > 0 && { manner }),
  };
  if (spec.state === "absent") return [{ ...setting, goal: "absent", want: {} }];
  const content = contentOf(spec, world);
  if (content === undefined) return [];
  const want: StoredWant = { content, ...given({ ttl: spec.ttl, type: spec.type }) };
  return [{ ...setting, goal: "value", want }];
}

/** Undefined where the source cannot be had, which is reported. */
function contentOf({ value, source }: StoredSpec, world: World): Digest | undefined {
  if (source !== undefined) return sourceFile(world.source(source), "source", world)?.content;
  return world.contents.put(typeof value === "string" ? value : JSON.stringify(value));
}
