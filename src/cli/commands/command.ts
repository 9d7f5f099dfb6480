import type { Command } from "commander";
import type { Context } from "../context.ts";

/** One command of the command line. */
export interface CommandModule {
  /** Says its arguments, options and examples. */
  define(command: Command): void;
  /** Does it and gives the exit code. `args` are the arguments as given; an option's type is the command's own. */
  run(context: Context, args: readonly (string | undefined)[], options: never): Promise<number>;
}
