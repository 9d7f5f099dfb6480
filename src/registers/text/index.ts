/** Pure edits of text files. Loading this brings in the pattern engine: import it only when a file is edited. */
export { type BlockWant, markersOf, setBlock, withoutBlock } from "./block.ts";
export { decode, type Encoding, encode, encodingProblem, type TextFile } from "./encoding.ts";
export { type LineWant, setLine, withoutLine } from "./line.ts";
export { dominantEnding, type Ending, joinLines, type Line, splitLines } from "./lines.ts";
export { type Compiled, compile, type Match, type Pattern } from "./pattern.ts";
export type { Position } from "./position.ts";
export { type ReplaceWant, replaceText } from "./replace.ts";
export type { TextProblem, TextResult } from "./text-result.ts";
