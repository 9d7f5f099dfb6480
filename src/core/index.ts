export * from "./digest.ts";
export { effectKey, participantKey } from "./effect.ts";
export * from "./event.ts";
export { type EventPlace, eventPlace } from "./event-place.ts";
export * as fields from "./fields.ts";
export { type Checked, checkFields, type Field, type Fields, type Issue, nearest, type SpecOf, schemaOf } from "./fields.ts";
export * from "./hidden-state.ts";
export { canonicalJson, given, isObject, type Json, type JsonObject, partAt, sameJson, withTexts } from "./json.ts";
export { applyMode, formatMode, type Mode, type ModeStep, modeProblem, parseMode } from "./mode.ts";
export * from "./names.ts";
export * from "./network.ts";
export type {
  Attributes,
  Command,
  HttpOperation,
  MailOperation,
  Operation,
  PollData,
  PublishOperation,
  SqlOperation,
  SqlStatement,
  Standing,
  StoreOperation,
  TryEnds,
} from "./operation.ts";
export * from "./plan.ts";
export * from "./problem.ts";
export * from "./register.ts";
export * from "./resource.ts";
export * from "./result.ts";
export * from "./sight.ts";
export { formatBytes, formatDuration, type Parsed, parseDuration } from "./size.ts";
export * from "./sql.ts";
export * from "./stack-event.ts";
export * from "./stop-signal.ts";
export * from "./system.ts";
