import { Bug, type Goal, type JsonObject } from "../core/index.ts";
import { type Creates, earlierText, edited, type Missing, unlessEmptied } from "./edited-file.ts";
import { pathGoal } from "./path-goals.ts";
import type { BlockWant, LineWant, ReplaceWant } from "./text/index.ts";

type TextModule = typeof import("./text/index.ts");

let text: TextModule | undefined;

/** Loads the text editors with their pattern engine. */
export async function loadText(): Promise<void> {
  text ??= await import("./text/index.ts");
}

/** The text editors after `loadText`. */
export function loadedText(): TextModule {
  if (text === undefined) throw new Bug("text editors are used before they are loaded");
  return text;
}

const missingFor = (want: { readonly state: "present" | "absent" } & Creates): Missing =>
  want.state === "absent" ? "leave" : want.create ? "create" : "refuse";

/** One line of a file. */
export const line = pathGoal<LineWant & Creates & JsonObject>(
  "line",
  (now, want, view) => edited(now, missingFor(want), view, (old) => loadedText().setLine(old, want)),
  {
    prepare: loadText,
    release(now, want, was, view) {
      if (now.is !== "file") return now;
      const before = earlierText(was, view);
      return unlessEmptied(
        edited(now, "leave", view, (old) => loadedText().withoutLine(old, want, before)),
        was,
        view,
      );
    },
  },
);

/** Lines of a file between two marker lines. */
export const block = pathGoal<BlockWant & Creates & JsonObject>(
  "block",
  (now, want, view) => edited(now, missingFor(want), view, (old) => loadedText().setBlock(old, want)),
  {
    prepare: loadText,
    release(now, want, was, view) {
      if (now.is !== "file") return now;
      const before = earlierText(was, view);
      return unlessEmptied(
        edited(now, "leave", view, (old) => loadedText().withoutBlock(old, want, before)),
        was,
        view,
      );
    },
  },
);

/** All that a pattern matches in a file. A release leaves it replaced: nothing tells what stood there. */
export const replace = pathGoal<ReplaceWant & JsonObject>(
  "replace",
  (now, want, view) => edited(now, "refuse", view, (old) => loadedText().replaceText(old, want)),
  {
    prepare: loadText,
    release: (now) => now,
  },
);

/** The goals that edit text by lines and patterns. */
export const textGoals: readonly Goal[] = [line, block, replace];
