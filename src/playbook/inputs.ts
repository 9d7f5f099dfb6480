import { checkFields, type Fields, fields, isObject, type Json, type JsonObject, SystemFault } from "../core/index.ts";
import { unknown, type Value } from "./expression/reference.ts";
import { mayHoldExpression } from "./expression/scan.ts";
import type { InputSources } from "./input-sources.ts";
import { fromText, type InputRule, type InputType, inputTypes, type Judged, judge, patternFault } from "./input-value.ts";
import type { Libraries } from "./libraries.ts";
import { dirname, joinPath } from "./paths.ts";
import { codeOf, type Reports, type Source } from "./source.ts";
import { type Entry, entryOf, kindOf, type Node, offsetAt, plain, setOwn } from "./tree.ts";
import { checkNames, type VariableFile, variableFiles } from "./variable-files.ts";

/** The keys of one declared input. */
export const inputFields: Fields = {
  type: fields.choice(inputTypes, "Type of the value; texts from the command line and the environment are read as that.").or("string"),
  description: fields.text("What it is for.").optional(),
  default: fields.anything("Value where none is given.").optional(),
  required: fields.boolean("Whether a value must be given; so it is without a default.").optional(),
  pattern: fields.text("Regular expression that a text must hold a match of; anchor it with ^ and $ to mean the whole.").optional(),
  minimum: fields.field("Least number.", { type: "number" }, number).optional(),
  maximum: fields.field("Greatest number.", { type: "number" }, number).optional(),
  enum: fields.listOf(fields.anything("A value."), "The values that are allowed.").optional(),
  secret: fields.boolean("Whether the value is kept out of every plan, log and message.").or(false),
  from: fields
    .mapping(
      {
        env: fields.text("Environment variable that holds the value.").optional(),
        file: fields.path("File that holds the value, relative to the playbook's folder; one newline at its end is dropped.").optional(),
        command: fields.argv("Command whose output is the value; one newline at its end is dropped.").optional(),
      },
      "Where the value is taken from if none is given.",
    )
    .optional(),
};

function number(value: Json): ReturnType<typeof fields.issue> | { readonly ok: true; readonly value: number } {
  return typeof value === "number"
    ? { ok: true, value }
    : fields.issue("wrong type", `this must be a number, not ${fields.showValue(value)}`);
}

/** A declared input. */
interface Input extends InputRule {
  readonly name: string;
  readonly secret: boolean;
  readonly required: boolean;
  readonly default?: Json;
  readonly from?: { readonly env?: string; readonly file?: string; readonly command?: readonly string[] };
  readonly entry: Entry;
  /** Its declaration is wrong, so that no value can be judged. */
  readonly wrong?: true;
}

export interface ResolvedInputs {
  /** Of every declared input; `unknown` where there is no good value. */
  readonly values: { readonly [name: string]: Value };
  readonly secrets: readonly { readonly name: string; readonly value: string }[];
  /** The secret inputs, and where each is declared to come from: a resume asks there again. */
  readonly secretSources: ReadonlyMap<string, JsonObject | undefined>;
  /** All that was given for secret inputs, also what was refused: none of it may stand in a message. */
  readonly hidden: readonly string[];
}

/** Reads the `inputs` section and finds each input's value: default, from, --var-file, SETPOINT_VAR_name, --var, the last wins. */
export function resolveInputs(
  section: Node | undefined,
  source: Source,
  reports: Reports,
  libraries: Libraries,
  sources: InputSources | undefined,
): ResolvedInputs {
  const inputs = declaredInputs(section, source, reports, libraries);
  const values: { [name: string]: Value } = {};
  const secrets: { name: string; value: string }[] = [];
  const hidden: string[] = [];
  const files = sources === undefined ? [] : variableFiles(sources, inputs, reports, libraries);
  if (sources !== undefined) checkNames(sources, inputs, reports);
  for (const input of inputs) {
    if (input.secret && input.default !== undefined) hidden.push(...texts(input.default));
    const value = sources === undefined ? unknown : findValue(input, { source, reports, libraries, sources, files, hidden });
    setOwn(values, input.name, value);
    if (input.secret && value !== unknown) secrets.push(...texts(value).map((text) => ({ name: input.name, value: text })));
  }
  hidden.push(...secrets.map((secret) => secret.value));
  const secretSources = new Map(inputs.filter((input) => input.secret).map((input) => [input.name, input.from as JsonObject | undefined]));
  return { values: Object.freeze(values), secrets, secretSources, hidden };
}

function declaredInputs(section: Node | undefined, source: Source, reports: Reports, libraries: Libraries): readonly Input[] {
  if (section === undefined) return [];
  if (section.is !== "map") {
    if (section.is !== "scalar" || section.value !== null)
      reports.add(
        { code: "wrong-type", summary: "wrong type", detail: `\`inputs\` must be a map of names, not ${kindOf(section)}` },
        source,
        section.start,
      );
    return [];
  }
  return section.entries.flatMap((entry) => {
    const input = declaredInput(entry, source, reports, libraries);
    return input === undefined ? [] : [input];
  });
}

function declaredInput(entry: Entry, source: Source, reports: Reports, libraries: Libraries): Input | undefined {
  const report = (summary: string, detail: string, offset: number): void =>
    reports.add({ code: codeOf(summary), summary, detail }, source, offset);
  const fallback = wrongInput(entry);
  if (!/^[A-Za-z_]\w*$/.test(entry.key))
    report("wrong name", `an input's name is letters, digits and _, not \`${entry.key}\``, entry.keyStart);
  if (entry.value.is !== "map") {
    const hint =
      entry.value.is === "scalar" && inputTypes.includes(entry.value.value as InputType) ? `: write { type: ${entry.value.value} }` : "";
    report("wrong type", `an input is a map such as { type: string }, not ${kindOf(entry.value)}${hint}`, entry.value.start);
    return fallback;
  }
  const checked = checkFields(inputFields, plain(entry.value) as { [key: string]: Json });
  if (!checked.ok) {
    for (const one of checked.issues) report(one.summary, one.detail, offsetAt(entry.value, one.path, one.summary === "unknown key"));
    return fallback;
  }
  const spec = checked.value as unknown as Omit<Input, "name" | "entry" | "required"> & { readonly required?: boolean };
  const input: Input = { ...spec, name: entry.key, required: spec.required ?? spec.default === undefined, entry };
  const at = (key: string): number => offsetAt(entry.value, [key]);
  if (input.pattern !== undefined) {
    const wrong = patternFault(input.pattern, libraries);
    if (wrong !== undefined) {
      report("not a pattern", wrong, at("pattern"));
      return fallback;
    }
  }
  if (input.from !== undefined && Object.keys(input.from).length !== 1)
    report("wrong source", "`from` names exactly one of env, file and command", at("from"));
  if (input.default !== undefined) {
    if (holdsExpression(input.default))
      report("no expressions here", "a default is a plain value; what is worked out from other inputs stands in `vars`", at("default"));
    else {
      const judged = judge(input.default, input, input.secret ? "the default" : fields.showValue(input.default), libraries);
      if ("detail" in judged) report("wrong default", `the default of \`${input.name}\` ${judged.detail}`, at("default"));
    }
  }
  return input;
}

/** What is declared wrongly has no value, but what was given for it may be secret all the same. */
function wrongInput(entry: Entry): Input {
  const raw = plain(entry.value);
  const spec = isObject(raw) ? raw : {};
  const secret = spec.secret !== undefined && spec.secret !== false;
  return {
    name: entry.key,
    type: "string",
    secret,
    required: true,
    wrong: true,
    entry,
    ...(spec.default !== undefined && { default: spec.default }),
  };
}

function holdsExpression(value: Json): boolean {
  if (typeof value === "string") return mayHoldExpression(value);
  return typeof value === "object" && value !== null && Object.values(value).some(holdsExpression);
}

interface Search {
  readonly source: Source;
  readonly reports: Reports;
  readonly libraries: Libraries;
  readonly sources: InputSources;
  readonly files: readonly VariableFile[];
  /** Takes what was given for secret inputs. */
  readonly hidden: string[];
}

/** Tries the sources of one input from the highest down, so that no file is read and no command run in vain. */
function findValue(input: Input, search: Search): Value {
  const { variables } = search.sources;
  const given = variables.given.findLast((one) => one.name === input.name);
  if (given !== undefined) return take(input, given.value, `--var ${input.name}`, search);
  const environment = Object.hasOwn(variables.environment, input.name) ? variables.environment[input.name] : undefined;
  if (environment !== undefined) return take(input, environment, `SETPOINT_VAR_${input.name}`, search);
  for (const file of search.files.toReversed()) {
    const entry = file.values && entryOf(file.values, input.name);
    if (entry === undefined) continue;
    const value = plain(entry.value);
    if (input.secret) search.hidden.push(...texts(value));
    return settle(
      input,
      judge(value, input, input.secret ? "the value given" : fields.showValue(value), search.libraries),
      file.source.file,
      search,
      { source: file.source, offset: offsetAt(entry.value, []) },
    );
  }
  const found = input.from === undefined ? undefined : fromSource(input, search);
  if (found === unknown) return unknown;
  if (found !== undefined) return take(input, found.text, found.from, search);
  if (input.wrong) return unknown;
  if (input.default !== undefined) return input.default;
  if (!input.required) return null;
  const from =
    input.from?.env !== undefined ? `, or set ${input.from.env}` : input.from?.file !== undefined ? `, or make ${input.from.file}` : "";
  search.reports.add(
    {
      code: "missing-input",
      summary: "missing input",
      detail: `\`${input.name}\` has no value: give it with --var ${input.name}=…, SETPOINT_VAR_${input.name} or a --var-file${from}`,
    },
    search.source,
    input.entry.keyStart,
  );
  return unknown;
}

function fromSource(input: Input, search: Search): { readonly text: string; readonly from: string } | undefined | typeof unknown {
  const { env, file, command } = input.from ?? {};
  try {
    if (env !== undefined) return named(search.sources.env(env), env);
    if (file !== undefined) {
      const path = file.startsWith("/") ? file : joinPath(dirname(search.source.file), file);
      return named(search.sources.file(path)?.replace(/\r?\n$/, ""), file);
    }
    if (command !== undefined) return named(search.sources.command(command).replace(/\r?\n$/, ""), `the command ${command[0]}`);
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof SystemFault)) throw thrown;
    search.reports.add(
      { code: "input-source-failed", summary: "an input's source failed", detail: `\`${input.name}\`: ${thrown.message}` },
      search.source,
      offsetAt(input.entry.value, ["from"]),
    );
    return unknown;
  }
}

function named(text: string | undefined, from: string): { readonly text: string; readonly from: string } | undefined {
  return text === undefined ? undefined : { text, from };
}

function take(input: Input, text: string, from: string, search: Search): Value {
  const shown = input.secret ? "the value given" : fields.showValue(text);
  if (input.secret) search.hidden.push(text);
  const read = fromText(text, input.type, shown, search.libraries);
  return settle(input, "detail" in read ? read : judge(read.value, input, shown, search.libraries), from, search);
}

function settle(
  input: Input,
  judged: Judged,
  from: string,
  search: Search,
  at: { readonly source: Source; readonly offset: number } = { source: search.source, offset: input.entry.keyStart },
): Value {
  if (input.wrong) return unknown;
  if ("value" in judged) return judged.value;
  search.reports.add(
    { code: "wrong-input", summary: "wrong input", detail: `\`${input.name}\` (from ${from}) ${judged.detail}` },
    at.source,
    at.offset,
  );
  return unknown;
}

function texts(value: Json): readonly string[] {
  if (typeof value !== "object") return String(value) === "" ? [] : [String(value)];
  return value === null ? [] : Object.values(value).flatMap(texts);
}
