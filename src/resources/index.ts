import { Bug, type ResourceType } from "../core/index.ts";

/** One import a type, so that a playbook pays only for the types that it uses. */
const loaders: { readonly [type: string]: () => Promise<ResourceType> } = {
  file: async () => (await import("./file.ts")).file,
  directory: async () => (await import("./directory.ts")).directory,
  tree: async () => (await import("./tree.ts")).tree,
  link: async () => (await import("./link.ts")).link,
  line: async () => (await import("./line.ts")).line,
  block: async () => (await import("./block.ts")).block,
  replace: async () => (await import("./replace.ts")).replace,
  config: async () => (await import("./config.ts")).config,
  command: async () => (await import("./command.ts")).command,
  http: async () => (await import("./http.ts")).http,
  call: async () => (await import("./call.ts")).call,
  message: async () => (await import("./message.ts")).message,
  notify: async () => (await import("./notify.ts")).notify,
  kv: async () => (await import("./kv.ts")).kv,
  object: async () => (await import("./object.ts")).object,
  sql_row: async () => (await import("./sql-row.ts")).sqlRow,
  sql_query: async () => (await import("./sql-query.ts")).sqlQuery,
  sql_database: async () => (await import("./sql-database.ts")).sqlDatabase,
  sql_role: async () => (await import("./sql-role.ts")).sqlRole,
  sql_grant: async () => (await import("./sql-grant.ts")).sqlGrant,
  sql_schema: async () => (await import("./sql-schema.ts")).sqlSchema,
  sql_table: async () => (await import("./sql-table.ts")).sqlTable,
  sql_index: async () => (await import("./sql-index.ts")).sqlIndex,
  sql_extension: async () => (await import("./sql-extension.ts")).sqlExtension,
  migration: async () => (await import("./migration.ts")).migration,
};

/** The types that come with setpoint, in the order of the reference. */
export const typeNames: readonly string[] = Object.keys(loaders);

/** The types of these names, by name; one that does not exist is left out. */
export async function loadTypes(names: Iterable<string>): Promise<Map<string, ResourceType>> {
  const known = [...new Set(names)].filter((name) => Object.hasOwn(loaders, name));
  const types = await Promise.all(known.map((name) => load(name)));
  return new Map(types.map((type) => [type.type, type]));
}

/** All types, for the reference, the schema and completion. */
export async function allTypes(): Promise<readonly ResourceType[]> {
  return Promise.all(typeNames.map((name) => load(name)));
}

async function load(name: string): Promise<ResourceType> {
  const type = await loaders[name]?.();
  if (type === undefined) throw new Bug(`there is no type ${name}`);
  return type;
}
