import type { Change, State } from "../core/index.ts";
import { contentChange, isSensitive, needsDiffer } from "./content-change.ts";
import { fieldChanges } from "./field-changes.ts";
import { loadDiffer } from "./line-diff.ts";
import { safeContent, safeLine } from "./safe.ts";
import type { Look } from "./style.ts";

/** What lies between two states of a register, in lines of text: attributes in a line each, then the contents' diff. */
export async function stateDiff(before: State, after: State, look: Look): Promise<string> {
  // Only its two ends count for what is shown.
  const change = { before, after, action: after.is === "absent" ? "delete" : before.is === "absent" ? "create" : "update" } as Change;
  const lines = fieldChanges(change, { hide: isSensitive(change, look), full: false }).map(
    (field) => `${field.name} ${field.before ?? "(none)"} → ${field.after ?? "(none)"}`,
  );
  if (before.is === "absent" || after.is === "absent")
    lines.unshift(
      before.is === "absent" ? `there was nothing, and now there is a ${safeLine(after.is)}` : `the ${safeLine(before.is)} is gone`,
    );
  const content = contentChange(change, look, needsDiffer(change) ? await loadDiffer() : undefined);
  if (content?.words !== undefined) lines.push(content.words);
  const signs = { hunk: "", same: " ", add: "+", drop: "-", note: "" } as const;
  for (const line of content?.lines.slice(0, 40) ?? []) lines.push(`${signs[line.is]}${safeContent(line.text)}`);
  if ((content?.lines.length ?? 0) > 40) lines.push(`(${(content?.lines.length ?? 0) - 40} more lines)`);
  return lines.join("\n");
}
