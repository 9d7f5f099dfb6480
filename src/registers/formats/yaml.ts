import type { ConfigFormat } from "./format.ts";
import { formatSuffixes } from "./format-names.ts";
import { treeFormat } from "./tree.ts";
import { parseYaml } from "./yaml/yaml-document.ts";

/** YAML 1.2 of one document. An edit through an alias, and of a value with a tag, is refused. */
export const yaml: ConfigFormat = treeFormat({ name: "yaml", suffixes: formatSuffixes.yaml, parse: parseYaml });
