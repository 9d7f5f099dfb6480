import { RE2JS } from "re2js";

/** Whether a text holds a match of a pattern, in time linear in the text. Throws where the pattern is none. */
export function linearTest(pattern: string, text: string): boolean {
  return RE2JS.compile(pattern).matcher(text).find();
}
