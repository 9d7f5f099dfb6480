import { type Json, type JsonObject, type ResourceType, schemaOf } from "../core/index.ts";
import { commonFields, leadingKeys } from "./common-keys.ts";
import { inputFields } from "./inputs.ts";

/** A text that holds an expression may stand wherever a value may. */
const expression: JsonObject = { type: "string", pattern: "\\$\\{\\{" };

/** The JSON Schema (draft-07) of a playbook with these types, for editors. */
export function playbookSchema(types: ReadonlyMap<string, ResourceType>): JsonObject {
  const sorted = [...types.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "setpoint playbook",
    type: "object",
    required: ["setpoint", "name", "resources"],
    additionalProperties: false,
    properties: {
      setpoint: { const: 1, description: "The version of the playbook language." },
      name: {
        type: "string",
        pattern: "^[A-Za-z0-9._-]+$",
        description: "The stack's name: the owner recorded for what the playbook manages.",
      },
      inputs: { type: ["object", "null"], additionalProperties: schemaOf(inputFields), description: "Values that are given from outside." },
      vars: { type: ["object", "null"], description: "Values worked out from inputs, facts and each other." },
      resources: {
        type: ["array", "null"],
        items: { $ref: "#/definitions/resource" },
        description: "What is declared, in the order in which it is set.",
      },
    },
    definitions: {
      resource: {
        type: "object",
        anyOf: sorted.map((type) => ({ $ref: `#/definitions/${type.type}` })),
      },
      ...Object.fromEntries(sorted.map((type) => [type.type, resourceSchema(type)])),
    },
  };
}

function resourceSchema(type: ResourceType): JsonObject {
  const own = schemaOf(type.fields);
  const properties: { [key: string]: Json } = {};
  for (const [key, field] of Object.entries(leadingKeys)) properties[key] = { ...field.schema, description: field.about };
  for (const [key, field] of Object.entries(commonFields)) properties[key] = orExpression({ ...field.schema, description: field.about });
  for (const [key, schema] of Object.entries(own.properties as JsonObject)) properties[key] = orExpression(schema as JsonObject);
  const name = properties[type.type] as JsonObject | undefined;
  if (name !== undefined && (type.many || type.nameOf)) {
    const { description, ...schema } = name;
    properties[type.type] = {
      anyOf: [schema, { type: "array", items: type.nameOf ? {} : schema, minItems: 1 }],
      ...(description !== undefined && { description }),
    };
  }
  // What a name's value stands for need not be given besides.
  const required = type.nameOf ? [type.type] : own.required;
  return {
    type: "object",
    description: type.summary,
    properties,
    additionalProperties: false,
    ...(required !== undefined && { required }),
  };
}

function orExpression(schema: JsonObject): JsonObject {
  const { description, default: fallback, ...rest } = schema;
  const takesText = rest.type === "string" && rest.pattern === undefined && rest.enum === undefined;
  const widened = takesText || Object.keys(rest).length === 0 ? rest : { anyOf: [rest, expression] };
  return { ...widened, ...(description !== undefined && { description }), ...(fallback !== undefined && { default: fallback }) };
}
