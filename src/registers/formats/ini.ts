import type { ConfigFormat } from "./format.ts";
import { formatSuffixes } from "./format-names.ts";
import { parseIni } from "./ini/ini-document.ts";
import { treeFormat } from "./tree.ts";

/**
 * Texts of sections and keys: ini, systemd units, .gitconfig, my.cnf.
 *
 * Values are text as written, quotes included. A key before the first section has the path `[key]`;
 * a key that stands several times reads as a list, a bare key as null.
 */
export const ini: ConfigFormat = treeFormat({
  name: "ini",
  suffixes: formatSuffixes.ini,
  parse: parseIni,
});
