import { basename, dirname } from "node:path/posix";
import { fields, type Reader, resourceType, type Setting, sha256, type World } from "../core/index.ts";
import { byVersion, historyRegister, migrationRegister } from "../registers/index.ts";
import { databaseField, mannerOf, plainName, sqlAbout } from "./sql-fields.ts";

const { boolean, path } = fields;

/** `001_users.sql`, `V1.2__users.sql`, `20240131-users.sql`; the undo is `001_users.undo.sql`, `001.undo.sql` or `U1.2__users.sql`. */
const FILE = /^([VU]?)(\d+(?:[._]\d+)*)(?:[-_. ]+(.*?))??(\.undo)?\.sql$/i;

/** Within a file, what stands behind it takes back what stands before. */
const UNDO_LINE = /^--[ \t]*undo[ \t]*$/im;

interface File {
  readonly version: string;
  readonly name: string;
  readonly path: string;
}

/** A folder of numbered files. */
export const migration = resourceType({
  type: "migration",
  summary: "A folder of numbered SQL files, each applied to a database once, in order.",
  notes: [
    "The files are called `001_users.sql`, `002_orders.sql` and so on (`V1__users.sql` too). Each is one transaction, together with its line in the table `setpoint_migrations`,",
    "which has its checksum. It is refused when the file of an applied one was changed or is gone, or when one comes before another that is applied. Never change an applied",
    "file: write a new one. `001_users.undo.sql` beside it (or `001.undo.sql`), or what stands in it behind a line `-- undo`, takes it back in a revert; without that it is irreversible.",
    "MariaDB and MySQL end a transaction at each CREATE or ALTER: an interrupted file is left as `begun` there, and has to be mended by hand.",
  ].join("\n"),
  example: ["- migration: migrations", "  database: postgresql://app@db.example.com/shop"].join("\n"),
  fields: {
    migration: path("The folder, relative to the playbook's."),
    database: databaseField,
    history: plainName("The name of the history, where several folders have one database.").or("main"),
    out_of_order: boolean("Whether one may be applied after another with a higher number.").or(false),
  },

  settings(spec, world): readonly Setting[] {
    const folder = world.source(spec.migration);
    const entries = world.reader.list(folder);
    if (entries === undefined) {
      world.report({
        code: "missing-source",
        summary: "a source does not exist",
        detail: `there is no folder ${folder}`,
        field: ["migration"],
      });
      return [];
    }
    const found = sorted(
      entries.filter(({ type }) => type === "file").map(({ name }) => name),
      folder,
      world,
    );
    if (found === undefined) return [];
    const texts = found.files.map((file) => ({ ...file, ...textsOf(file, found.undos.get(file.version), world.reader) }));
    const { history } = spec;
    const about = sqlAbout(spec.database, world);
    const files = Object.fromEntries(texts.map(({ version, checksum }) => [version, checksum]));
    return [
      {
        register: historyRegister({ ...about, history }),
        goal: "known",
        want: { files, ...(spec.out_of_order && { out_of_order: true }) },
        aspects: [],
      },
      ...texts.map(
        ({ version, name, text, undo, checksum }): Setting => ({
          register: migrationRegister({ ...about, history, version, name, checksum, text, ...(undo !== undefined && { undo }) }),
          goal: "applied",
          want: { checksum },
          aspects: [],
          ...mannerOf(world),
        }),
      ),
    ];
  },
});

/** The files by their versions; undefined where something stands against them, which is reported. */
function sorted(
  names: readonly string[],
  folder: string,
  world: World,
): { readonly files: readonly File[]; readonly undos: ReadonlyMap<string, string> } | undefined {
  const files = new Map<string, File>();
  const undos = new Map<string, string>();
  let isFine = true;
  const report = (detail: string) => {
    isFine = false;
    world.report({ code: "migration-files", summary: "a folder of migrations that is not in order", detail, field: ["migration"] });
  };
  for (const name of [...names].sort()) {
    if (!name.toLowerCase().endsWith(".sql")) continue;
    const parts = FILE.exec(name);
    if (parts === null) {
      report(`${name} has no number: migrations are called 001_users.sql, 002_orders.sql`);
      continue;
    }
    const [, letter = "", digits = "", title = "", undo] = parts;
    const version = digits
      .split(/[._]/)
      .map((part) => BigInt(part).toString())
      .join(".");
    const path = `${folder}/${name}`;
    if (undo !== undefined || letter.toUpperCase() === "U") {
      if (undos.has(version)) report(`${name} and ${basename(undos.get(version) as string)} both take back ${version}`);
      undos.set(version, path);
    } else {
      const other = files.get(version);
      if (other !== undefined) report(`${name} and ${basename(other.path)} have one number`);
      files.set(version, { version, name: title === "" ? name : title, path });
    }
  }
  for (const [version, path] of undos)
    if (!files.has(version)) report(`${basename(path)} takes back ${version}, which is not in ${dirname(path)}`);
  return isFine ? { files: [...files.values()].sort((a, b) => byVersion(a.version, b.version)), undos } : undefined;
}

/** A file's statements, what takes them back, and the checksum of the statements; line ends count as one. */
function textsOf(
  { path }: File,
  undoPath: string | undefined,
  reader: Reader,
): { readonly text: string; readonly undo?: string; readonly checksum: string } {
  const whole = read(path, reader);
  const cut = UNDO_LINE.exec(whole);
  const text = cut === null ? whole : whole.slice(0, cut.index);
  const undo = undoPath !== undefined ? read(undoPath, reader) : cut === null ? undefined : whole.slice(cut.index + cut[0].length);
  return { text, ...(undo !== undefined && undo.trim() !== "" && { undo }), checksum: sha256(text).slice(0, 32) };
}

function read(path: string, reader: Reader): string {
  const found = reader.source(path);
  return found === undefined ? "" : reader.contents.text(found.content).replaceAll("\r\n", "\n");
}
