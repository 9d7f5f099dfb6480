import type { JsonObject, Problem, StopSignal, System, SystemFault } from "../core/index.ts";
import { StateDirectory } from "../journal/index.ts";
import { githubAnnotations, jsonText, problemsJson, renderProblems, type Style, withoutCommands } from "../report/index.ts";

/** A stream that a command writes to. */
export interface Sink {
  write(text: string): void;
  readonly isTTY: boolean;
  readonly columns: number;
}

/** What every command is handed. */
export interface Context {
  readonly system: System;
  readonly out: Sink;
  readonly err: Sink;
  readonly stdinIsTTY: boolean;
  /** The version of setpoint. */
  readonly version: string;
  /** The version of Node that runs it. */
  readonly node?: string;
  readonly outStyle: Style;
  readonly errStyle: Style;
  readonly json: boolean;
  readonly stateDirectory: string;
  /** Whether GitHub's runner reads the output. */
  readonly github: boolean;
  /** What runs over every text before it is written: secrets are taken out. */
  redact: (text: string) => string;
  /** The first signal that asked to stop. */
  stopped(): StopSignal | undefined;
  /** The words that start this program: Node, its options, the launcher. */
  readonly self: readonly [string, ...string[]];
  /** Starts this program with other arguments, to outlive this process and its terminal; its output goes to a file. Throws SystemFault. */
  detach(argv: readonly string[], options: { readonly env: { readonly [name: string]: string }; readonly log: string }): void;
  /** Asks a question on the terminal; the answer without its line end. */
  ask(question: string): Promise<string>;
}

/** Exit codes that do not come from a run (design §6). */
export const EXIT = {
  failed: 1,
  changes: 2,
  invalid: 3,
  stale: 4,
  refused: 5,
  left: 6,
  locked: 8,
  unverified: 9,
  usage: 64,
  bug: 70,
} as const;

/** A mistake in the words of the command line. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** A text for people as it may be written: without secrets and, where GitHub's runner reads it, without commands to that. */
export function shown({ redact, github }: Context, text: string): string {
  return github ? withoutCommands(redact(text)) : redact(text);
}

/** Writes a result for people. */
export function print(context: Context, text: string): void {
  context.out.write(shown(context, text));
}

/** Writes problems as commands to GitHub's runner. */
export function printAnnotations(context: Context, problems: readonly Problem[]): void {
  context.out.write(context.redact(githubAnnotations(problems)));
}

/** Writes a result as JSON, with a line end. */
export function printJson(context: Context, value: object): void {
  // An interface of ours is no JsonObject to the compiler, though it is plain data.
  context.out.write(`${context.redact(jsonText(value as JsonObject, 2))}\n`);
}

/** Shows problems: on stderr for people, as a result in JSON. */
export function showProblems(context: Context, problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  context.err.write(shown(context, renderProblems(problems, context.errStyle)));
}

/** Ends a command with problems: prints them, in JSON as the whole result, and gives the exit code. */
export function refuse(context: Context, problems: readonly Problem[], exit: number): number {
  if (context.json) printJson(context, { format: 1, exit, problems: problemsJson(problems) });
  else showProblems(context, problems);
  return exit;
}

/** The state directory's face for reading. */
export function readState(context: Context): StateDirectory {
  const state = new StateDirectory(context.system, context.stateDirectory);
  state.checkFormat();
  return state;
}

/** A fault as a problem, for output. */
export function faultProblem(fault: SystemFault): Problem {
  return { code: fault.code.toLowerCase().replaceAll("_", "-"), severity: "error", summary: "the system refused", detail: fault.message };
}

/** Local time without the T and to the second. */
export function localTime(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
