import type { Problem } from "../core/index.ts";

/** Takes secret values out of a problem's texts. `shown values` are cut at some length, so beginnings of a secret before an ellipsis go too. */
export function withoutSecrets(problem: Problem, secrets: readonly string[]): Problem {
  if (secrets.length === 0) return problem;
  const clean = (text: string): string => scrub(text, secrets);
  return {
    ...problem,
    detail: clean(problem.detail),
    ...(problem.excerpt !== undefined && { excerpt: clean(problem.excerpt) }),
    ...(problem.more !== undefined && { more: clean(problem.more) }),
    ...(problem.address !== undefined && { address: clean(problem.address) as NonNullable<Problem["address"]> }),
  };
}

function scrub(text: string, secrets: readonly string[]): string {
  const forms = [...new Set(secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), ...secret.split("\n")]))]
    .filter((form) => form.trim() !== "")
    .sort((a, b) => b.length - a.length);
  let clean = text;
  for (const form of forms) {
    // A short one is only taken out where it is a whole word: it would be found in every message.
    if (form.length >= 4) clean = clean.replaceAll(form, "***");
    else
      clean = clean.replace(
        new RegExp(`(?<![\\p{L}\\p{N}_])${form.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&")}(?![\\p{L}\\p{N}_])`, "gu"),
        "***",
      );
  }
  return clean.replace(/[^…]*…/g, (piece) => cutEnd(piece, forms));
}

/** A piece that ends in an ellipsis without the beginning of a secret before it. */
function cutEnd(piece: string, forms: readonly string[]): string {
  const end = /["'`]?…$/.exec(piece)?.[0] ?? "…";
  const before = piece.slice(0, piece.length - end.length);
  for (const form of forms) {
    for (let length = Math.min(form.length - 1, before.length); length >= 4; length--) {
      if (before.endsWith(form.slice(0, length))) return `${before.slice(0, -length)}***${end}`;
    }
  }
  return piece;
}
