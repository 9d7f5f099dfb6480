import type { CommandModule } from "../../src/cli/commands/command.ts";
import type { Context } from "../../src/cli/context.ts";
import type { System } from "../../src/core/index.ts";
import { plainStyle } from "../../src/report/index.ts";

/** A command run in this process. */
export interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** A context whose streams are kept, in a folder of its own. */
export function contextFor(system: System, folder: string, texts: { out: string; err: string }, json = false): Context {
  const sink = (name: "out" | "err") => ({
    write: (text: string) => {
      texts[name] += text;
    },
    isTTY: false,
    columns: 100,
  });
  return {
    system: {
      ...system,
      host: { ...system.host, cwd: folder },
      processes: { ...system.processes, run: (command, live) => system.processes.run({ cwd: folder, ...command }, live) },
    },
    out: sink("out"),
    err: sink("err"),
    stdinIsTTY: false,
    version: "0.0.0-test",
    outStyle: plainStyle,
    errStyle: plainStyle,
    json,
    stateDirectory: `${folder}/state`,
    github: false,
    redact: (text) => text,
    stopped: () => undefined,
    self: ["setpoint"],
    detach: () => undefined,
    ask: async () => "n",
  };
}

/** Runs a command of the command line in this process; what it throws comes through. */
export async function runCommand(
  module: CommandModule,
  system: System,
  folder: string,
  args: readonly string[],
  options: object = {},
): Promise<Ran> {
  const texts = { out: "", err: "" };
  const exit = await module.run(contextFor(system, folder, texts), args, { commands: true, yes: true, ...options } as never);
  return { exit, ...texts };
}
