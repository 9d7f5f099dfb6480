/** Why an edit was refused: `summary` is the kind of problem, always the same words; `detail` names things and says what to do. */
export type TextProblem = { readonly ok: false; readonly summary: string; readonly detail: string };

/** The text after an edit (equal to the text before when nothing had to change), or why it was refused. */
export type TextResult = { readonly ok: true; readonly text: string } | TextProblem;

/** Makes a refusal. */
export function refused(summary: string, detail: string): TextProblem {
  return { ok: false, summary, detail };
}
