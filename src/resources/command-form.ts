import { asText, fields, isObject } from "../core/index.ts";
import { wordsOf } from "./attributes.ts";

const { argv, field, mapping, text } = fields;

const spelled = mapping({ run: argv("The program and its arguments.").optional(), shell: text("A text for `/bin/sh -c`.").optional() }, "");

/** A command as an argv list: given so, as a text that is split into words, or as `{ run: LIST }` or `{ shell: TEXT }`. */
export function commandForm(about: string): fields.MustField<readonly string[]> {
  const words = wordsOf(about);
  return field(about, { anyOf: [words.schema, spelled.schema] }, (value) => {
    if (!isObject(value)) return words.check(value);
    const checked = spelled.check(value);
    if (!checked.ok) return checked;
    const { run, shell } = checked.value;
    if (run !== undefined && shell === undefined) return { ok: true, value: run };
    if (shell !== undefined && run === undefined) return { ok: true, value: ["/bin/sh", "-c", shell] };
    return fields.issue("a command has one form", "give either `run` or `shell`");
  });
}

/** A text, number or truth value, as its text. */
export function scalar(about: string): fields.MustField<string> {
  return field(about, { type: ["string", "number", "boolean"] }, (value) =>
    typeof value === "string" || typeof value === "number" || typeof value === "boolean"
      ? { ok: true, value: asText(String(value)) }
      : fields.issue("wrong type", "this must be a text, a number, true or false"),
  );
}
