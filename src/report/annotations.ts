import type { Problem } from "../core/index.ts";
import { sortProblems } from "./render-problems.ts";
import { safeLine, safeText } from "./safe.ts";

/** Problems as GitHub workflow commands, one a line, with a line end behind each. Empty for none. */
export function githubAnnotations(problems: readonly Problem[]): string {
  return sortProblems(problems)
    .map(({ code, severity, summary, detail, at, more }) => {
      const kind = severity === "note" ? "notice" : severity;
      const where = at ? [`file=${property(at.file)}`, `line=${at.line}`, `col=${at.column}`] : [];
      const message = [detail === "" ? summary : detail, ...(more === undefined || more === "" ? [] : [more])].join("\n");
      return `::${kind} ${[...where, `title=${property(`${summary} [${code}]`)}`].join(",")}::${data(message)}\n`;
    })
    .join("");
}

function data(text: string): string {
  return safeText(text).replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return safeLine(text).replaceAll("%", "%25").replaceAll(":", "%3A").replaceAll(",", "%2C");
}
