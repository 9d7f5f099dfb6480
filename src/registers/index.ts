import type { Goal, RegisterKind } from "../core/index.ts";
import { configGoals } from "./config-goal.ts";
import { effect, effectGoals } from "./effect.ts";
import { httpGoals, httpObject } from "./http-object.ts";
import { path } from "./path.ts";
import { pathGoals } from "./path-goals.ts";
import { receipt, receiptGoals } from "./receipt.ts";
import { databaseGoals, sqlDatabase } from "./sql/database.ts";
import { grantGoals, sqlGrant } from "./sql/grant.ts";
import { indexGoals, sqlIndex } from "./sql/index-kind.ts";
import { migrationGoals, sqlHistory, sqlMigration } from "./sql/migration.ts";
import { queryGoals, sqlQuery } from "./sql/query.ts";
import { OPTIONS, roleGoals, sqlRole } from "./sql/role.ts";
import { rowGoals, sqlRow } from "./sql/row.ts";
import { schemaGoals, sqlExtension, sqlSchema } from "./sql/schema.ts";
import { sqlTable, tableGoals } from "./sql/table.ts";
import { kv, object, storedGoals } from "./stored-value.ts";
import { textGoals } from "./text-goals.ts";

export { type KeyEdit, keyPathProblem } from "./config-goal.ts";
export { type EffectAbout, type EffectData, effectRegister } from "./effect.ts";
export { type Edit, FormatError, flattenSet, formatKeyPath, formatName, formatNames, type KeyPath, parseKeyPath } from "./formats/index.ts";
export { leavesOf, type Normal, normalised } from "./http-fields.ts";
export { type HttpAbout, httpRegister } from "./http-object.ts";
export { path, pathRegister } from "./path.ts";
export type { AbsentWant, SweptWant } from "./path-goals.ts";
export type { PathState } from "./path-state.ts";
export type { Question } from "./question.ts";
export { type CommandData, type Guards, type ReceiptAbout, type ReceiptState, receipt, receiptRegister } from "./receipt.ts";
export { defaultForm, defaultSql, typeForm } from "./sql/column-form.ts";
export { databaseRegister } from "./sql/database.ts";
export { type GrantOn, grantRegister, privilegesOf } from "./sql/grant.ts";
export { indexRegister } from "./sql/index-kind.ts";
export { byVersion, historyRegister, migrationRegister } from "./sql/migration.ts";
export { type QueryAbout, queryRegister } from "./sql/query.ts";
export { roleRegister } from "./sql/role.ts";
export { type RowAbout, rowRegister, rowTag } from "./sql/row.ts";
export { namedRegister } from "./sql/schema.ts";
export { type ColumnWant, tableRegister } from "./sql/table.ts";
export { type StoredWant, storedRegister } from "./stored-value.ts";
export { loadedText, loadText } from "./text-goals.ts";

/** What a role of PostgreSQL may, by name. */
export const sqlRoleOptions = OPTIONS;

/** The register kinds that come with setpoint, by name. None of them loads anything heavy. */
export const kinds: ReadonlyMap<string, RegisterKind> = new Map(
  [
    path,
    receipt,
    effect,
    httpObject,
    sqlRow,
    sqlQuery,
    sqlMigration,
    sqlHistory,
    sqlDatabase,
    sqlRole,
    sqlGrant,
    sqlSchema,
    sqlTable,
    sqlIndex,
    sqlExtension,
    kv,
    object,
  ].map((kind) => [kind.kind, kind as unknown as RegisterKind]),
);

/** The goals that come with setpoint, as `kind name`. What one needs besides is loaded by its `prepare`. */
export const goals: ReadonlyMap<string, Goal> = new Map(
  [
    ...pathGoals,
    ...textGoals,
    ...configGoals,
    ...receiptGoals,
    ...effectGoals,
    ...httpGoals,
    ...rowGoals,
    ...queryGoals,
    ...migrationGoals,
    ...databaseGoals,
    ...roleGoals,
    ...grantGoals,
    ...schemaGoals,
    ...tableGoals,
    ...indexGoals,
    ...storedGoals,
  ].map((goal) => [`${goal.kind} ${goal.name}`, goal]),
);
