import type { JsonObject } from "../core/index.ts";

const text: JsonObject = { type: "string" };
const whole: JsonObject = { type: "integer", minimum: 0 };
const flag: JsonObject = { type: "boolean" };
const choice = (...values: readonly string[]): JsonObject => ({ enum: values });
const listOf = (items: JsonObject): JsonObject => ({ type: "array", items });

/** A map: what must be there, and what may. Later versions add keys, so unknown ones are allowed. */
function map(required: { readonly [key: string]: JsonObject }, optional: { readonly [key: string]: JsonObject } = {}): JsonObject {
  return { type: "object", properties: { ...required, ...optional }, required: Object.keys(required) };
}

const place = map({ file: text, line: whole, column: whole });
const state: JsonObject = {
  ...map({ is: text }),
  description: "What a register is in. `is` says in which way; contents stand in it as sha256 digests, sensitive ones as `keyed:…`.",
};

const problem = map(
  { code: text, severity: choice("error", "warning", "note"), summary: text, detail: text },
  { at: place, address: text, excerpt: text, more: text },
);

const head = (title: string, body: JsonObject): JsonObject => ({
  $schema: "http://json-schema.org/draft-07/schema#",
  title,
  ...body,
});

/** Of `plan --json`. A plan that cannot be made is `{ format, exit, problems }` in its place. */
export const planSchema: JsonObject = head(
  "setpoint plan",
  map(
    {
      format: { const: 1 },
      stack: text,
      digest: { type: "string", pattern: "^[0-9a-f]{64}$" },
      summary: map({
        resources: whole,
        changes: whole,
        creates: whole,
        updates: whole,
        deletes: whole,
        irreversible: whole,
        tentative: whole,
      }),
      changes: listOf(
        map(
          {
            register: { ...text, description: "`kind:key`" },
            action: choice("create", "update", "delete", "run"),
            label: choice("exact", "compensated", "irreversible"),
            tentative: flag,
            resources: listOf(map({ address: text, at: place })),
            before: state,
            after: state,
            reason: choice("drift", "intent", "both", "debt", "prune"),
          },
          {
            tentative_because: text,
            unknown: flag,
            foreign: { ...text, description: "The stack that set the register last." },
            note: text,
          },
        ),
      ),
      orphans: listOf(map({ register: text, aspects: listOf(text), address: text }, { kept: text })),
    },
    {
      peers: { type: "object", description: "By origin, how another machine is treated: `concurrency`, `interval` and `timeout` in ms." },
      matches: { ...flag, description: "Only of `verify`." },
      moved: { ...listOf(text), description: "Only of `plan --rebase`." },
    },
  ),
);

/** Of `apply --json`, `resume --json` and `revert --json`. What was refused is `{ format, exit, problems }` in its place. */
export const runSchema: JsonObject = head(
  "setpoint run",
  map(
    {
      format: { const: 1 },
      stack: text,
      kind: choice("apply", "resume", "revert"),
      status: choice("in-sync", "applied", "halted", "interrupted", "reverted", "revert-halted", "superseded", "abandoned"),
      exit: whole,
      summary: map({ changed: whole, already: whole, conflicts: whole, failed: whole, in_doubt: whole, verified: flag }),
      actions: listOf(
        map(
          {
            register: text,
            status: choice(
              "set",
              "already",
              "found",
              "restored",
              "compensated",
              "skipped",
              "conflict",
              "failed",
              "blocked",
              "unknown",
              "pending",
            ),
          },
          { detail: text, before: state, after: state, found: state },
        ),
      ),
      problems: listOf(problem),
    },
    {
      run: { ...text, description: "Left out where nothing was to be done, so that no run was recorded." },
      verification: {
        ...choice("verified", "diverged", "unverified"),
        description: "Of an apply or resume that came to its end: what the final read gave.",
      },
      next: { ...text, description: "The command that leads on." },
      confirm: {
        ...map({
          run: text,
          until: { ...whole, description: "Milliseconds since 1970." },
          left: { ...whole, description: "Milliseconds." },
        }),
        description: "Of a run that is reverted unless `setpoint confirm` comes in time.",
      },
    },
  ),
);
