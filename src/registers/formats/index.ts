import type { ConfigFormat } from "./format.ts";
import { type FormatName, formatName } from "./format-names.ts";

export { type ConfigFormat, type Edit, FormatError, type FormatJson, type FormatMap, type KeyPath, type KeyStep } from "./format.ts";
export { type FormatName, formatName, formatNames } from "./format-names.ts";
export { flattenSet, formatKeyPath, parseKeyPath } from "./key-path.ts";

// The libraries behind YAML and TOML are large, and most runs need none of them: each format is fetched when first asked for.
const loaders: Readonly<Record<FormatName, () => Promise<ConfigFormat>>> = {
  json: async () => (await import("./json.ts")).json,
  jsonc: async () => (await import("./json.ts")).jsonc,
  yaml: async () => (await import("./yaml.ts")).yaml,
  toml: async () => (await import("./toml.ts")).toml,
  ini: async () => (await import("./ini.ts")).ini,
  env: async () => (await import("./env.ts")).env,
  properties: async () => (await import("./properties.ts")).properties,
  xml: async () => (await import("./xml.ts")).xml,
};

const loaded = new Map<FormatName, ConfigFormat>();

/** Fetches a format, once; `loadedFormat` and `formatFor` give it from then on. */
export async function loadFormat(name: FormatName): Promise<ConfigFormat> {
  const format = loaded.get(name) ?? (await loaders[name]());
  loaded.set(name, format);
  return format;
}

/** A format that was loaded before; throws when it was not, which is a mistake of the caller and not of the user. */
export function loadedFormat(name: FormatName): ConfigFormat {
  const format = loaded.get(name);
  if (format === undefined) throw new Error(`the format ${name} is used before loadFormat(${JSON.stringify(name)}) was awaited`);
  return format;
}

/** The format of a file, by what is declared or by its name; undefined when neither says it. The format must have been loaded. */
export function formatFor(fileName: string, declared?: string): ConfigFormat | undefined {
  const name = formatName(fileName, declared);
  return name === undefined ? undefined : loadedFormat(name);
}
