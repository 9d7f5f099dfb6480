import {
  CannotConverge,
  type Goal,
  type JsonObject,
  type Label,
  parameter,
  type Reader,
  type Register,
  type RegisterKind,
  type SqlDialect,
  type SqlOperation,
  type SqlStatement,
} from "../../core/index.ts";
import { askTable, originOfDatabase, placeOf, quietDatabase, type SqlAbout, sqlRegister } from "./common.ts";

/** What a database's table of migrations says of one. `begun`: only where a transaction cannot hold its statements together. */
export type MigrationState = { readonly is: "absent" } | { readonly is: "begun" } | { readonly is: "applied"; readonly checksum: string };

/** All that a database's table of migrations has of one history: versions and checksums. */
export type HistoryState = { readonly is: "history"; readonly applied: { readonly [version: string]: string } };

export type MigrationAbout = SqlAbout & {
  readonly history: string;
  readonly version: string;
  readonly name: string;
  readonly checksum: string;
  readonly text: string;
  readonly undo?: string;
};
export type HistoryAbout = SqlAbout & { readonly history: string };

const TABLE = "setpoint_migrations";

const CREATE: { readonly [dialect in SqlDialect]: string } = {
  postgresql: `CREATE TABLE IF NOT EXISTS ${TABLE} (history text NOT NULL, version text NOT NULL, name text NOT NULL, checksum text NOT NULL, done boolean NOT NULL, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (history, version))`,
  mariadb: `CREATE TABLE IF NOT EXISTS ${TABLE} (history varchar(64) NOT NULL, version varchar(64) NOT NULL, name varchar(255) NOT NULL, checksum varchar(64) NOT NULL, done boolean NOT NULL, at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (history, version)) ENGINE=InnoDB`,
  sqlite: `CREATE TABLE IF NOT EXISTS ${TABLE} (history text NOT NULL, version text NOT NULL, name text NOT NULL, checksum text NOT NULL, done boolean NOT NULL, at text NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (history, version))`,
};

/** Migrations: files of statements that are run once each, and whose table tells so in the same transaction. */
export const sqlMigration: RegisterKind<MigrationState> = {
  kind: "sql_migration",

  async read(registers, reader) {
    const histories = new Map<string, ReturnType<typeof entries>>();
    return Promise.all(
      registers.map(async (register): Promise<MigrationState> => {
        const { url, history, version } = aboutOf(register);
        const name = `${url} ${history}`;
        const found = histories.get(name) ?? entries(register, history, reader);
        histories.set(name, found);
        const entry = (await found).find((one) => one.version === version);
        if (entry === undefined) return { is: "absent" };
        return entry.done ? { is: "applied", checksum: entry.checksum } : { is: "begun" };
      }),
    );
  },

  transition(register, from, to): readonly SqlOperation[] {
    const { url, timeout, text, undo } = aboutOf(register);
    const { dialect } = placeOf(url);
    // MariaDB ends a transaction at each statement that changes a table's form.
    const isWhole = dialect !== "mariadb";
    const common = {
      do: "sql" as const,
      url,
      lock: register.key,
      ...(timeout !== undefined && { timeout }),
      receipt: isWhole ? ("action" as const) : ("none" as const),
    };
    const table: SqlStatement = { text: CREATE[dialect] };
    if (from.is === "absent" && to.is === "applied") {
      // The line first: where somebody else was faster, nothing else is done.
      const begin = entered(register, dialect, isWhole);
      return [{ ...common, statements: [table, begin, { text }, ...(isWhole ? [] : [ended(register, dialect)])] }];
    }
    if (from.is === "applied" && to.is === "absent" && undo !== undefined)
      return [{ ...common, statements: [...(isWhole ? [] : [reopened(register, dialect)]), { text: undo }, removed(register, dialect)] }];
    return [];
  },

  label: (register): Label => (aboutOf(register).undo === undefined ? "irreversible" : "compensated"),
  origin: originOfDatabase,
  quiet: quietDatabase,
};

/** What a database has of a history, to be compared with the files of a folder. It is never set. */
export const sqlHistory: RegisterKind<HistoryState> = {
  kind: "sql_history",
  read: (registers, reader) =>
    Promise.all(
      registers.map(async (register): Promise<HistoryState> => {
        const found = await entries(register, (register.about as unknown as HistoryAbout).history, reader);
        return {
          is: "history",
          applied: Object.fromEntries(found.filter(({ done }) => done).map(({ version, checksum }) => [version, checksum])),
        };
      }),
    ),
  transition: () => [],
  origin: originOfDatabase,
};

const applied = {
  kind: "sql_migration",
  name: "applied",
  converge(now: MigrationState, want: { readonly checksum: string }): MigrationState {
    if (now.is === "begun")
      throw new CannotConverge(
        "a migration that was begun and not ended",
        `this database cannot hold its statements together, and they were interrupted: see what of them is there, finish it or take it back by hand, and then set \`done\` in ${TABLE} or delete its line`,
      );
    return now.is === "applied" ? now : { is: "applied", checksum: want.checksum };
  },
} as unknown as Goal;

/** The files of the folder are what was applied, and what comes after it. */
const known = {
  kind: "sql_history",
  name: "known",
  converge(
    now: HistoryState,
    want: { readonly files: { readonly [version: string]: string }; readonly out_of_order?: boolean },
  ): HistoryState {
    const versions = Object.keys(want.files).sort(byVersion);
    for (const [version, checksum] of Object.entries(now.applied)) {
      const file = want.files[version];
      if (file === undefined)
        throw new CannotConverge(
          "a migration without its file",
          `${version} was applied, and its file is not in the folder any more: bring it back`,
        );
      if (file !== checksum)
        throw new CannotConverge(
          "a migration that was changed after it was applied",
          `the file of ${version} is not the one that was applied: bring it back as it was, and write what is to be different into a new one`,
        );
    }
    const newest = Object.keys(now.applied).sort(byVersion).at(-1);
    const late = versions.find((version) => !(version in now.applied) && newest !== undefined && byVersion(version, newest) < 0);
    if (late !== undefined && want.out_of_order !== true)
      throw new CannotConverge(
        "a migration out of order",
        `${late} is not applied, and ${newest}, which comes after it, is: give it a higher number, or say \`out_of_order: true\``,
      );
    return now;
  },
} as unknown as Goal;

export const migrationGoals: readonly Goal[] = [applied, known];

/** `2` comes before `10`, and `1.2` behind `1`. */
export function byVersion(a: string, b: string): number {
  const [one, other] = [a.split("."), b.split(".")];
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    const difference = BigInt(one[at] ?? -1) - BigInt(other[at] ?? -1);
    if (difference !== 0n) return difference < 0n ? -1 : 1;
  }
  return 0;
}

export function migrationRegister(about: MigrationAbout): Register & { readonly about: JsonObject } {
  return sqlRegister("sql_migration", `${about.history}/${about.version}`, about as unknown as MigrationAbout & JsonObject);
}

export function historyRegister(about: HistoryAbout): Register & { readonly about: JsonObject } {
  return sqlRegister("sql_history", about.history, about as unknown as HistoryAbout & JsonObject);
}

function aboutOf(register: Register): MigrationAbout {
  return register.about as unknown as MigrationAbout;
}

async function entries(
  register: Register,
  history: string,
  reader: Reader,
): Promise<readonly { readonly version: string; readonly checksum: string; readonly done: boolean }[]> {
  const { dialect } = placeOf((register.about as unknown as SqlAbout).url);
  const rows = await askTable(register, reader, `SELECT version, checksum, done FROM ${TABLE} WHERE history = ${parameter(dialect, 1)}`, [
    history,
  ]);
  if (rows === "missing") return [];
  return rows.map((row) => ({
    version: String(row.version),
    checksum: String(row.checksum),
    done: row.done === true || Number(row.done) === 1,
  }));
}

function entered(register: Register, dialect: SqlDialect, done: boolean): SqlStatement {
  const { history, version, name, checksum } = aboutOf(register);
  const marks = [1, 2, 3, 4].map((n) => parameter(dialect, n)).join(", ");
  return {
    text: `INSERT INTO ${TABLE} (history, version, name, checksum, done) VALUES (${marks}, ${done ? "TRUE" : "FALSE"})`,
    values: [history, version, name, checksum],
    affects: 1,
  };
}

function ended(register: Register, dialect: SqlDialect): SqlStatement {
  return { text: `UPDATE ${TABLE} SET done = TRUE WHERE ${entry(dialect)}`, values: entryOf(register), affects: 1 };
}

function reopened(register: Register, dialect: SqlDialect): SqlStatement {
  return { text: `UPDATE ${TABLE} SET done = FALSE WHERE ${entry(dialect)}`, values: entryOf(register), affects: 1 };
}

function removed(register: Register, dialect: SqlDialect): SqlStatement {
  return { text: `DELETE FROM ${TABLE} WHERE ${entry(dialect)}`, values: entryOf(register), affects: 1 };
}

function entry(dialect: SqlDialect): string {
  return `history = ${parameter(dialect, 1)} AND version = ${parameter(dialect, 2)}`;
}

function entryOf(register: Register): readonly string[] {
  const { history, version } = aboutOf(register);
  return [history, version];
}
