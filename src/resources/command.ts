import { fields, given, type Json, type Manner, type RegisterId, resourceType, type World } from "../core/index.ts";
import { type CommandData, type Guards, type ReceiptAbout, receiptRegister } from "../registers/index.ts";
import { commandForm, scalar } from "./command-form.ts";

const { argv, boolean, field, integer, listOf, listOrOne, mapOf, path, text } = fields;

const undo = field<Json>(
  "A command that takes the effect back, run by a revert; `none`: leaving it behind is allowed.",
  { anyOf: [{ const: "none" }, commandForm("").schema] },
  (value) => (value === "none" ? { ok: true, value } : commandForm("").check(value)),
);

/** A program that is run when a guard says so. */
export const command = resourceType({
  type: "command",
  summary: "A program that is run when its guards say that it is due.",
  notes: [
    "A command needs at least one guard, so that it is not run again without need: `creates` and `removes` look at paths, `unless` and `only_if` ask a program",
    "that must only look, `once` runs it a single time, and `run_when` runs it when what other resources set has changed since it last ran.",
    "Where several are given, all must let it run. `run` is a list of words that no shell reads; `shell` is a text for `/bin/sh -c`.",
  ].join("\n"),
  example: [
    "- command: make the database",
    "  run: [ createdb, app ]",
    "  unless: psql -d app -c ''",
    "  undo: [ dropdb, --if-exists, app ]",
    "- command: [ update-ca-certificates ]",
    "  run_when: [ 'file:/usr/local/share/ca-certificates/site.crt' ]",
    "- file: /usr/local/share/ca-certificates/site.crt",
    "  source: site.crt",
    "- command: unpack the release",
    "  shell: curl -fsS https://example.com/release.tar.gz | tar xz",
    "  cwd: /srv",
    "  creates: /srv/release",
  ].join("\n"),
  fields: {
    command: text("A label, or the list of words itself."),
    run: argv("The program and its arguments; no shell reads them.").optional(),
    shell: text("A text for `/bin/sh -c`.").optional(),
    creates: listOrOne(path("A path."), "Run it only while one of these paths does not exist.").optional(),
    removes: listOrOne(path("A path."), "Run it only while one of these paths exists.").optional(),
    unless: commandForm(
      "Run it only if this command fails: a list of words, a text that is split into words, or `{ shell: TEXT }`.",
    ).optional(),
    only_if: commandForm("Run it only if this command succeeds.").optional(),
    once: boolean("Run it only if it never ran with success from this state directory.").or(false),
    run_when: listOrOne(text("An address."), "Run it when what these resources set has changed since it last ran.").optional(),
    undo: undo.optional(),
    verify: commandForm("After a crash: succeeds if the command has done its work.").optional(),
    idempotent: boolean(
      "Running it a second time does no harm. Left out: true where `creates`, `removes`, `unless`, `only_if` or `run_when` is given.",
    ).optional(),
    cwd: path("The folder to run in.").optional(),
    env: mapOf(scalar("A value."), "Environment variables, besides those that setpoint itself has.").optional(),
    stdin: text("What the program reads on its standard input.").optional(),
    user: text("The account that it runs as.").optional(),
    ok_exit_codes: listOf(integer("An exit code.", { minimum: 0, maximum: 255 }), "Exit codes that mean success; left out: 0.").optional(),
  },

  nameOf(value) {
    if (!Array.isArray(value) || value.length === 0 || !value.every((word) => typeof word === "string")) return undefined;
    return { name: value.join(" "), fields: { run: value } };
  },

  check(spec, report) {
    if (spec.run !== undefined && spec.shell !== undefined)
      report({
        code: "command-twice",
        summary: "two fields say what to run",
        detail: "`run` and `shell` exclude each other: keep one of them",
        field: ["shell"],
      });
    if (spec.run === undefined && spec.shell === undefined)
      report({
        code: "command-without-program",
        summary: "a command runs nothing",
        detail: "say what to run: `run: [program, argument]`, or `shell: text`",
      });
    if (spec.shell !== undefined)
      report({
        code: "shell-command",
        severity: "note",
        summary: "a shell reads this command",
        detail: "`run` with a list of words needs no quoting and no shell",
        field: ["shell"],
      });
    const guards = [spec.creates, spec.removes, spec.unless, spec.only_if, spec.run_when].filter((guard) => guard !== undefined);
    if (guards.length === 0 && !spec.once) {
      report({
        code: "unguarded-command",
        summary: "a command without a guard would run every time",
        detail:
          "say when it is due: `creates: PATH`, `removes: PATH`, `unless: COMMAND`, `only_if: COMMAND`, `once: true`, or `run_when: [ADDRESS]`",
      });
    }
    if (spec.once && spec.run_when !== undefined)
      report({
        code: "once-and-run-when",
        summary: "two guards contradict each other",
        detail: "`once` never runs it again, `run_when` does so after each change: keep one of them",
        field: ["once"],
      });
  },

  settings(spec, world) {
    const { declared } = world;
    const cwd = spec.cwd === undefined ? undefined : world.target(spec.cwd);
    const setup = given({ cwd, env: spec.env, user: spec.user, timeout: declared.common.timeout });
    const program = (words: readonly string[]): CommandData => ({ argv: words, ...setup });
    const asked = (words: readonly string[] | undefined): CommandData | undefined => (words === undefined ? undefined : program(words));
    const place = (given: string): string =>
      world.target(spec.cwd === undefined || /^(?:\/|~\/)/.test(given) ? given : `${spec.cwd}/${given}`);
    const guards: Guards = {
      ...given({
        creates: spec.creates?.map(place),
        removes: spec.removes?.map(place),
        unless: asked(spec.unless),
        only_if: asked(spec.only_if),
      }),
      ...(spec.once && { once: true as const }),
    };
    const watched = spec.run_when === undefined ? undefined : registersOf(spec.run_when, world);
    const takesBack = undoOf(spec.undo ?? declared.common.undo, world);
    const worldly = Object.keys(guards).some((guard) => guard !== "once");
    const about: ReceiptAbout = {
      command: { ...program(spec.run ?? ["/bin/sh", "-c", spec.shell ?? ""]), ...given({ stdin: spec.stdin, ok: spec.ok_exit_codes }) },
      guards,
      ...given({ run_when: watched, undo: takesBack === "none" ? undefined : asked(takesBack), verify: asked(spec.verify) }),
      idempotent: spec.idempotent ?? (worldly || watched !== undefined),
      in_doubt: declared.common.in_doubt ?? "ask",
    };
    const manner: Manner = { ...(takesBack === "none" && { undo: takesBack }), ...given({ sensitive: declared.common.sensitive }) };
    return [
      {
        register: receiptRegister(world.stack, declared.address, about),
        goal: "ran",
        want: watched === undefined ? {} : { run_when: watched },
        aspects: [],
        ...(watched !== undefined && { reads: watched }),
        ...(Object.keys(manner).length > 0 && { manner }),
      },
    ];
  },
});

function registersOf(addresses: readonly string[], world: World): readonly RegisterId[] {
  const found = new Set<RegisterId>();
  addresses.forEach((address, index) => {
    const registers = world.registersOf(address);
    if (registers.length === 0) {
      world.report({
        code: "unknown-address",
        summary: "an address means no resource",
        detail: `nothing in this playbook is declared as ${address}`,
        field: ["run_when", index],
      });
    }
    for (const register of registers) found.add(register);
  });
  return [...found];
}

/** A declared undo; the playbook may hand it over unchecked, among the keys that every type takes. */
function undoOf(value: Json | undefined, world: World): readonly string[] | "none" | undefined {
  if (value === undefined || value === "none") return value;
  const checked = commandForm("").check(value);
  if (checked.ok) return checked.value;
  for (const { summary, detail, path: within } of checked.issues)
    world.report({ code: "bad-undo", summary, detail, field: ["undo", ...within] });
  return undefined;
}
