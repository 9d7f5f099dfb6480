import { type Libraries, need } from "./libraries.ts";
import { parsePlainYaml } from "./plain-yaml.ts";
import type { Reports, Source } from "./source.ts";
import type { Node } from "./tree.ts";

/** Reads a text of one YAML (or JSON) document as a tree; undefined, with the faults reported, where it is none. Throws NotLoaded. */
export function parseTree(source: Source, reports: Reports, libraries: Libraries): Node | undefined {
  return parsePlainYaml(source.text) ?? need(libraries, "yaml").parseYaml(source, reports);
}
