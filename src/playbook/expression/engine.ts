import type { Expression } from "./reference.ts";

/** Compiles what is more than a simple expression. */
export interface CelEngine {
  /** Throws ExpressionFault where the text is no expression, NotLoaded where a function in it needs more. */
  compile(text: string): Expression;
}
