import type { Command } from "commander";
import { UsageError } from "./context.ts";

/** Options of the commands that read playbooks. */
export interface PlaybookOptions {
  readonly var?: readonly string[];
  readonly varFile?: readonly string[];
  readonly only?: readonly string[];
  readonly exclude?: readonly string[];
  readonly tags?: readonly string[];
  readonly skipTags?: readonly string[];
  readonly root?: string;
  readonly commands: boolean;
  readonly prune?: boolean;
  readonly full?: boolean;
}

/** Options of the commands that take the lock. */
export interface LockOptions {
  readonly lockTimeout?: string;
  readonly allowWeakStateDir?: boolean;
}

export const collect = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];
const words = (value: string, previous: readonly string[] = []): readonly string[] => [
  ...previous,
  ...value.split(",").filter((word) => word !== ""),
];

export function playbookOptions(command: Command): Command {
  return command
    .option("--var <name=value>", "give an input its value (repeatable)", collect)
    .option("--var-file <file>", "give inputs their values from a YAML or JSON file (repeatable)", collect)
    .option("--only <address>", "only these resources and what they need; addresses or globs (repeatable)", collect)
    .option("--exclude <address>", "all but these resources (repeatable)", collect)
    .option("--tags <tags>", "only resources with one of these tags, separated by commas", words)
    .option("--skip-tags <tags>", "all but resources with one of these tags", words)
    .option("--root <folder>", "take all target paths below this folder")
    .option("--no-commands", "run no guard: commands that one would decide stay unknown")
    .option("--prune", "take back what the stack owns and no longer declares")
    .option("--full", "do not fold long diffs");
}

export function lockOptions(command: Command): Command {
  return command
    .option("--lock-timeout <time>", "how long to wait for the lock of the state directory, such as 30s")
    .option("--allow-weak-state-dir", "take a state directory on a network file system all the same");
}

/** `name=value` pairs in the order given. */
export function variables(given: readonly string[] | undefined): readonly { readonly name: string; readonly value: string }[] {
  return (given ?? []).map((pair) => {
    const at = pair.indexOf("=");
    if (at <= 0) throw new UsageError(`--var takes name=value, and ${JSON.stringify(pair)} has no name before a =`);
    return { name: pair.slice(0, at), value: pair.slice(at + 1) };
  });
}
