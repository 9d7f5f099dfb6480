import type { ConfigFormat } from "./format.ts";
import { formatSuffixes } from "./format-names.ts";
import { treeFormat } from "./tree.ts";
import { parseXml } from "./xml/xml-document.ts";

/**
 * XML texts. A path begins with the root element; `@name` is an attribute, `[2]` the third element of a name,
 * `[name=web]` the one whose attribute or child element has that text. Values are text.
 */
export const xml: ConfigFormat = treeFormat({ name: "xml", suffixes: formatSuffixes.xml, parse: parseXml });
