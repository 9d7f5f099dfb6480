import { fields, given, type Manner, modeProblem, type World } from "../core/index.ts";
import { splitWords } from "./words.ts";

const { boolean, choice, field, integer, listOf, text } = fields;

/** A mode: quoted octal or symbolic, checked but kept as written. */
export function mode(about: string): fields.MustField<string> {
  return field(about, { type: "string" }, (value) => {
    const problem = modeProblem(value);
    return problem === undefined ? { ok: true, value: value as string } : fields.issue(problem.summary, problem.detail);
  });
}

/** An owner or group: a name, or a number. */
export function account(about: string): fields.MustField<string> {
  return field(
    about,
    {
      anyOf: [
        { type: "string", minLength: 1 },
        { type: "integer", minimum: 0 },
      ],
    },
    (value) => {
      const form = typeof value === "number" ? integer(about, { minimum: 0, maximum: 4294967294 }) : text(about);
      const checked = form.check(value);
      if (!checked.ok) return checked;
      return checked.value === "" || String(checked.value).includes(":")
        ? fields.issue("not an account", "write one name or number; owner and group have a field each")
        : { ok: true, value: String(checked.value) };
    },
  );
}

/** A command as an argv list, or as a text that is split into words without a shell. */
export function wordsOf(about: string): fields.MustField<readonly string[]> {
  const words = field(about, { type: "string" }, (value) => {
    if (typeof value !== "string") return fields.issue("wrong type", "this must be a list of words, or a text that is split into words");
    const split = splitWords(value);
    return split.ok ? { ok: true, value: split.words } : fields.issue(split.summary, split.detail);
  });
  const list = fields.argv(about);
  return field(about, { anyOf: [list.schema, words.schema] }, (value) =>
    typeof value === "string" ? words.check(value) : list.check(value),
  );
}

const validator = field("", wordsOf("").schema, (value) => {
  const checked = wordsOf("").check(value);
  if (!checked.ok || checked.value.some((word) => word.includes("%s"))) return checked;
  return fields.issue("a validator does not look at the new content", "put %s where the program takes the path of the file to check");
});

const validators: fields.MustField<readonly (readonly string[])[]> = field(
  "Programs that must accept the new content before it takes its place: a list of words, a text that is split into words (no shell reads it), or a list of those. `%s` is the path of a temporary file.",
  { anyOf: [validator.schema, { type: "array", items: validator.schema }] },
  (value) => {
    if (
      Array.isArray(value) &&
      value.some((one) => Array.isArray(one) || (typeof one === "string" && one.includes(" ") && one.includes("%s")))
    )
      return listOf(validator, "").check(value);
    const one = validator.check(value);
    return one.ok ? { ok: true, value: [one.value] } : one;
  },
);

/** Mode, owner and group. */
export const attributeFields = {
  mode: mode(
    "Permission bits: quoted octal digits such as '0644', or changes such as `u=rw,g=r`. Left out, they are not managed.",
  ).optional(),
  owner: account("Owner, by name or number. Left out, it is not managed.").optional(),
  group: account("Group, by name or number. Left out, it is not managed.").optional(),
};

/** What all types that set a file's content take besides. */
export const fileFields = {
  ...attributeFields,
  validate: validators.optional(),
  follow: boolean("Manage the file that a symbolic link at this path leads to.").or(false),
  hardlinks: choice(["break"], "`break`: where the file has other names (hard links), change only this one.").optional(),
  write: choice(
    ["atomic", "in-place"],
    "`in-place` keeps the very inode, for files that are mounted or hard-linked; readers may then see half of the content.",
  ).or("atomic"),
  sensitive: boolean(
    "Never show the content, and keep it encrypted. Left out, it is judged by its secrets and by who may read the file.",
  ).optional(),
};

type AttributeSpec = { readonly mode?: string | undefined; readonly owner?: string | undefined; readonly group?: string | undefined };

/** The attributes that a spec declares, as goals want them: owners by name where the system knows one. */
export function attributesWanted(
  spec: AttributeSpec,
  world: World,
): { readonly mode?: string; readonly owner?: string; readonly group?: string } {
  return given({
    mode: spec.mode,
    owner: spec.owner === undefined ? undefined : world.reader.ownerName(spec.owner),
    group: spec.group === undefined ? undefined : world.reader.groupName(spec.group),
  });
}

type MannerSpec = {
  readonly validate?: readonly (readonly string[])[] | undefined;
  readonly hardlinks?: "break" | undefined;
  readonly write?: "atomic" | "in-place" | undefined;
  readonly sensitive?: boolean | undefined;
  readonly replace?: boolean | undefined;
};

/** The manner that a spec asks for, as part of a setting: nothing where it asks for nothing. */
export function mannerOf(spec: MannerSpec, world: World): { readonly manner?: Manner } {
  const sensitive = spec.sensitive ?? world.declared.common.sensitive;
  const manner: Manner = {
    ...(spec.validate !== undefined && { validate: spec.validate }),
    ...(spec.hardlinks !== undefined && { hardlinks: spec.hardlinks }),
    ...(spec.write === "in-place" && { write: spec.write }),
    ...(sensitive !== undefined && { sensitive }),
    ...(spec.replace && { replace: true as const }),
  };
  return Object.keys(manner).length === 0 ? {} : { manner };
}
