import { type Json, type JsonObject, type ResourceType, schemaOf } from "../core/index.ts";
import { commonFields, leadingKeys } from "./common-keys.ts";
import { EVENT_NAME } from "./events.ts";
import { inputFields } from "./inputs.ts";
import { peerFields } from "./peers.ts";
import { transactionCommonKeys, transactionFields } from "./transaction.ts";

/** A text that holds an expression may stand wherever a value may. */
const expression: JsonObject = { type: "string", pattern: "\\$\\{\\{" };

const addresses: JsonObject = { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] };

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
      peers: {
        type: ["object", "null"],
        additionalProperties: orExpressions(schemaOf(peerFields)),
        description: "How other machines are treated, by origin (scheme, host and port).",
      },
      events: {
        type: "string",
        description:
          "The URL of the event log through which stacks tell each other what happened: file:///path, nats://host:4222/STREAM/subject (or tls+nats://) or postgresql://user@host:5432/database?table=setpoint_events; a password from a secret input.",
      },
      emits: {
        type: ["object", "null"],
        propertyNames: { pattern: EVENT_NAME },
        additionalProperties: addresses,
        description: "By the name of an event, the resources (or '*') of which a run that changed one sends it when all is as declared.",
      },
      on: {
        type: ["object", "null"],
        propertyNames: { pattern: EVENT_NAME },
        additionalProperties: addresses,
        description: "By the name of an event, the resources (or '*') that `setpoint watch` applies when it arrives; or `revert`.",
      },
      resources: {
        type: ["array", "null"],
        items: { $ref: "#/definitions/resource" },
        description: "What is declared, in the order in which it is set.",
      },
    },
    definitions: {
      resource: {
        type: "object",
        anyOf: [...sorted.map((type) => ({ $ref: `#/definitions/${type.type}` })), { $ref: "#/definitions/transaction" }],
      },
      transaction: transactionSchema(),
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

function transactionSchema(): JsonObject {
  const own = schemaOf(transactionFields);
  const properties: { [key: string]: Json } = { ...(own.properties as JsonObject) };
  properties.resources = { type: "array", items: { $ref: "#/definitions/resource" }, description: transactionFields.resources.about };
  for (const key of transactionCommonKeys) {
    const one = leadingKeys[key] ?? commonFields[key];
    if (one !== undefined) properties[key] = orExpression({ ...one.schema, description: one.about });
  }
  return { ...own, description: "Resources that succeed or are undone together.", properties };
}

function orExpressions(schema: JsonObject): JsonObject {
  const properties = Object.entries(schema.properties as JsonObject).map(([key, one]) => [key, orExpression(one as JsonObject)]);
  return { ...schema, properties: Object.fromEntries(properties) };
}

function orExpression(schema: JsonObject): JsonObject {
  const { description, default: fallback, ...rest } = schema;
  const takesText = rest.type === "string" && rest.pattern === undefined && rest.enum === undefined;
  const widened = takesText || Object.keys(rest).length === 0 ? rest : { anyOf: [rest, expression] };
  return { ...widened, ...(description !== undefined && { description }), ...(fallback !== undefined && { default: fallback }) };
}
