/** The words of a command line, or why it has none. */
export type Words =
  | { readonly ok: true; readonly words: readonly string[] }
  | { readonly ok: false; readonly summary: string; readonly detail: string };

/**
 * Splits a text into words at blanks, as a shell would and without one: 'single' and "double" quotes keep blanks, a backslash
 * takes the next character as it is. Nothing is expanded; what only a shell understands is refused, as it would silently not work.
 */
export function splitWords(text: string): Words {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at] as string;
    if (quote !== "") {
      if (letter === quote) quote = "";
      else if (letter === "\\" && quote === '"' && /["\\$`]/.test(text[at + 1] ?? "")) {
        at += 1;
        word += text[at] ?? "";
      } else word += letter;
    } else if (letter === "'" || letter === '"') {
      quote = letter;
      word ??= "";
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (letter === "\\") {
      at += 1;
      word = (word ?? "") + (text[at] ?? "");
    } else if (/[|&;<>]/.test(letter) || (letter === "$" && /[\w({]/.test(text[at + 1] ?? "")) || letter === "`") {
      return refused(
        "a shell would be needed",
        `no shell reads this text, so ${JSON.stringify(letter)} has no meaning in it. Quote it if it is a plain character, or write {shell: …}`,
      );
    } else word = (word ?? "") + letter;
  }
  if (quote !== "") return refused("a quote is not closed", `there is no second ${quote}`);
  if (word !== undefined) words.push(word);
  return words.length === 0 ? refused("empty command", "the text must at least name a program") : { ok: true, words };
}

function refused(summary: string, detail: string): Words {
  return { ok: false, summary, detail };
}
