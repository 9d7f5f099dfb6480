import type { ChalkInstance } from "chalk";
import type { Action, Contents } from "../core/index.ts";

/** How text is to look. Judged by the caller, once for each stream. */
export interface Style {
  /** A chalk level: 0 none, 1 sixteen colours, 2 of 256, 3 all. */
  readonly colour: 0 | 1 | 2 | 3;
  /** Columns of the terminal; only live lines are cut to it. */
  readonly width: number;
  /** Nothing is folded (`--full`). */
  readonly full: boolean;
  /** Whether marks and arrows may be other than ASCII. */
  readonly unicode: boolean;
}

/** What a plan's contents are, and which of them must not be shown. */
export interface Look {
  readonly contents: Contents;
  sensitive(digest: string): boolean;
}

/** The marks of a style, of one column each but for the ellipsis and arrow in ASCII. */
export interface Glyphs {
  readonly mark: { readonly [action in Action]: string };
  readonly arrow: string;
  readonly more: string;
  readonly dash: string;
  readonly good: string;
  readonly bad: string;
  readonly back: string;
  readonly tab: string;
}

const unicodeGlyphs: Glyphs = {
  mark: { create: "+", update: "~", delete: "-", run: "▸" },
  arrow: "→",
  more: "…",
  dash: "–",
  good: "✓",
  bad: "✗",
  back: "↩",
  tab: "→",
};

const asciiGlyphs: Glyphs = {
  mark: { create: "+", update: "~", delete: "-", run: ">" },
  arrow: "->",
  more: "...",
  dash: "-",
  good: "*",
  bad: "x",
  back: "<",
  tab: ">",
};

/** The marks for a style. */
export function glyphsOf(style: Pick<Style, "unicode">): Glyphs {
  return style.unicode ? unicodeGlyphs : asciiGlyphs;
}

/** The ways of writing that are used; chalk has them, and text without colour needs no library. */
export type Painter = Pick<ChalkInstance, "blue" | "bold" | "cyan" | "dim" | "green" | "magenta" | "red" | "yellow">;

const painters = new Map<number, Painter>();

/** Loads what `painterOf` paints with at a level above 0; to be awaited once before anything is painted. */
export async function loadPainter(colour: Style["colour"]): Promise<void> {
  if (colour === 0 || painters.has(colour)) return;
  const { Chalk } = await import("chalk");
  painters.set(colour, new Chalk({ level: colour }));
}

const plainText = (text: unknown): string => String(text);
// A chalk can be called on and on (`dim.red`); without colour every step is the same.
const plainPainter = new Proxy(plainText, { get: () => plainPainter }) as unknown as Painter;

/** A painter of the style's own level, whatever the process's streams are: plain where `loadPainter` was not awaited. */
export function painterOf(style: Pick<Style, "colour">): Painter {
  return painters.get(style.colour) ?? plainPainter;
}

/** The colour of an action, as a function on text that is already safe. */
export function paintAction(paint: Painter, action: Action, text: string): string {
  switch (action) {
    case "create":
      return paint.green(text);
    case "update":
      return paint.yellow(text);
    case "delete":
      return paint.red(text);
    case "run":
      return paint.cyan(text);
  }
}

/** The style of what is not for a terminal: no colour, nothing folded by a terminal's measures. */
export const plainStyle: Style = { colour: 0, width: 80, full: false, unicode: true };
