import { type Operation, SystemFault } from "../core/index.ts";
import type { ActionContext, Prepared, Workbench } from "./workbench.ts";

/** A program, as the action's effect: whether it succeeded is told by its exit code. The commit throws SystemFault. */
export function run(bench: Workbench, operation: Operation & { do: "run" }, context: ActionContext): Prepared {
  const { processes } = bench.parts.system;
  const { do: _, ...command } = operation;
  return {
    commit: async () => {
      const ran = await processes.run(command, bench.parts.live(context.action));
      const name = command.argv[0] ?? "";
      if (ran.failed !== undefined)
        throw new SystemFault(
          ran.failed,
          `${name} cannot be run: ${ran.failed === "ENOENT" ? "there is no such program or working folder" : ran.failed}`,
        );
      const said = `${ran.stdout}${ran.stderr}`.trim();
      const tail = said === "" ? "" : `:\n${said.slice(-4000)}`;
      if (ran.timedOut)
        throw new SystemFault("timeout", `${name} did not end in ${command.timeout} ms and was ended${tail}`, { mutated: "maybe" });
      if (ran.code === undefined) throw new SystemFault("signal", `${name} was ended by ${ran.signal}${tail}`, { mutated: "maybe" });
      if (!(command.ok ?? [0]).includes(ran.code))
        throw new SystemFault("exit", `${name} ended with exit code ${ran.code}${tail}`, { mutated: "maybe" });
    },
    abandon: () => undefined,
  };
}
