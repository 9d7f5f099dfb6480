/** Every format by its name, with the suffixes of the files that are taken for it. */
export const formatSuffixes = {
  json: [".json", ".webmanifest"],
  jsonc: [".jsonc", ".code-workspace"],
  yaml: [".yaml", ".yml"],
  toml: [".toml"],
  ini: [
    ".ini",
    ".cfg",
    ".cnf",
    ".conf",
    ".service",
    ".socket",
    ".timer",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".slice",
    ".network",
    ".netdev",
    ".link",
    ".nspawn",
    ".container",
    ".desktop",
    ".gitconfig",
    ".editorconfig",
    ".npmrc",
  ],
  env: [".env"],
  properties: [".properties"],
  xml: [".xml", ".xsd", ".xsl", ".svg", ".plist", ".config", ".csproj", ".props", ".targets"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** The name of a format, as `format:` declares it. */
export type FormatName = keyof typeof formatSuffixes;

/** The names, for messages and for checking what a playbook declares. */
export const formatNames: readonly FormatName[] = Object.keys(formatSuffixes) as FormatName[];

// Files whose name says more than their suffix. Those with comments end in `.json` all the same.
const byName: readonly (readonly [RegExp, FormatName])[] = [
  [/^(?:[tj]sconfig|devcontainer|deno|\.eslintrc|\.swcrc)(?:\.[^/]+)?\.json$/, "jsonc"],
  [/^\.(?:eslintrc|babelrc|swcrc|jshintrc)$/, "jsonc"],
  [/^\.env(?:\.[^/]+)?$/, "env"],
  [/^(?:Cargo\.lock|poetry\.lock|uv\.lock|Pipfile)$/, "toml"],
];

/** The name of the format of a file: the declared one, else by the name of the file; undefined when neither says it. */
export function formatName(fileName: string, declared?: string): FormatName | undefined {
  if (declared !== undefined) return formatNames.find((name) => name === declared);
  const base = fileName.slice(fileName.lastIndexOf("/") + 1);
  if (/(?:^|\/)\.vscode\/[^/]+\.json$/.test(fileName)) return "jsonc";
  if (/(?:^|\/)\.git\/config$/.test(fileName)) return "ini";
  const named = byName.find(([pattern]) => pattern.test(base))?.[1];
  return named ?? formatNames.find((name) => formatSuffixes[name].some((suffix) => base.toLowerCase().endsWith(suffix)));
}
