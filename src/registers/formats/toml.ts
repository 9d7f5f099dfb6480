import type { ConfigFormat } from "./format.ts";
import { formatSuffixes } from "./format-names.ts";
import { parseToml } from "./toml/toml-document.ts";
import { treeFormat } from "./tree.ts";

/** TOML 1.0. Dates and times are read as their text, and stay dates as long as the same text is set. */
export const toml: ConfigFormat = treeFormat({ name: "toml", suffixes: formatSuffixes.toml, parse: parseToml });
