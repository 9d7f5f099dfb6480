import { nearest } from "../core/index.ts";
import type { InputSources } from "./input-sources.ts";
import type { Libraries } from "./libraries.ts";
import { parseTree } from "./parse.ts";
import { type Reports, Source } from "./source.ts";
import { kindOf, type MapNode } from "./tree.ts";

interface Named {
  readonly name: string;
}

/** A --var-file with its values by name. */
export interface VariableFile {
  readonly source: Source;
  readonly values: MapNode | undefined;
}

/** Reads the --var-files; a name that no input has is a warning, as a file may serve several playbooks. */
export function variableFiles(
  sources: InputSources,
  inputs: readonly { readonly name: string }[],
  reports: Reports,
  libraries: Libraries,
): readonly VariableFile[] {
  return sources.variables.files.map(({ file, text }) => {
    // Its lines are not shown: which of them are secret may not be known, as where the file is no YAML.
    const source = new Source(file, text, { shown: false });
    const node = text.trim() === "" ? undefined : parseTree(source, reports, libraries);
    if (node !== undefined && node.is !== "map" && (node.is !== "scalar" || node.value !== null)) {
      reports.add(
        { code: "wrong-type", summary: "wrong type", detail: `a file of values is a map from input to value, not ${kindOf(node)}` },
        source,
        node.start,
      );
    }
    const values = node?.is === "map" ? node : undefined;
    for (const entry of values?.entries ?? []) {
      if (inputs.some((input) => input.name === entry.key)) continue;
      reports.add(
        {
          code: "unknown-input",
          summary: "unknown input",
          severity: "warning",
          detail: `the playbook has no input \`${entry.key}\`${hint(entry.key, inputs)}`,
        },
        source,
        entry.keyStart,
      );
    }
    return { source, values };
  });
}

/** Reports --var names that no input has. */
export function checkNames(sources: InputSources, inputs: readonly Named[], reports: Reports): void {
  for (const { name } of sources.variables.given) {
    if (inputs.some((input) => input.name === name)) continue;
    reports.add({
      code: "unknown-input",
      summary: "unknown input",
      detail: `--var ${name}: the playbook has no such input${hint(name, inputs)}`,
    });
  }
}

function hint(name: string, inputs: readonly Named[]): string {
  const names = inputs.map((input) => input.name);
  const near = nearest(name, names);
  if (near !== undefined) return `; did you mean \`${near}\`?`;
  return names.length === 0 ? "; it has none" : `; it has ${names.join(", ")}`;
}
