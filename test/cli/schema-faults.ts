/** As much of JSON Schema as our schemas use. */
interface Schema {
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly minItems?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly anyOf?: readonly Schema[];
}

/** Where a value is not as a schema wants it; empty where it is. */
export function faultsOf(schema: object, value: unknown): readonly string[] {
  return faults(schema as Schema, value, "", schema as Schema);
}

function faults(schema: Schema, value: unknown, at: string, root: Schema): readonly string[] {
  if (schema.$ref !== undefined)
    return faults(root.definitions?.[schema.$ref.replace("#/definitions/", "")] ?? { enum: [] }, value, at, root);
  const found: string[] = [];
  const is = Array.isArray(value) ? "array" : value === null ? "null" : Number.isInteger(value) ? "integer" : typeof value;
  const types = schema.type === undefined ? undefined : [schema.type].flat();
  if (types && !types.includes(is) && !(is === "integer" && types.includes("number"))) return [`${at}: ${is}, not ${types.join(" or ")}`];
  if (schema.const !== undefined && value !== schema.const) found.push(`${at}: not ${schema.const}`);
  if (schema.enum && !schema.enum.includes(value)) found.push(`${at}: ${JSON.stringify(value)} is none of ${schema.enum.join(", ")}`);
  if (schema.pattern !== undefined && typeof value === "string" && !new RegExp(schema.pattern).test(value))
    found.push(`${at}: ${value} is not like ${schema.pattern}`);
  if (schema.minimum !== undefined && typeof value === "number" && value < schema.minimum) found.push(`${at}: below ${schema.minimum}`);
  if (schema.anyOf && !schema.anyOf.some((one) => faults(one, value, at, root).length === 0)) found.push(`${at}: fits none of anyOf`);
  if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0)) found.push(`${at}: too few`);
    for (const [index, item] of value.entries()) if (schema.items) found.push(...faults(schema.items, item, `${at}/${index}`, root));
  } else if (is === "object") {
    const map = value as Record<string, unknown>;
    for (const key of schema.required ?? []) if (!(key in map)) found.push(`${at}: no ${key}`);
    for (const [key, item] of Object.entries(map)) {
      const own = schema.properties?.[key];
      if (own) found.push(...faults(own, item, `${at}/${key}`, root));
      else if (schema.additionalProperties === false) found.push(`${at}: there may be no ${key}`);
      else if (typeof schema.additionalProperties === "object")
        found.push(...faults(schema.additionalProperties, item, `${at}/${key}`, root));
    }
  }
  return found;
}
