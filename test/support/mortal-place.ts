import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import type { System } from "../../src/core/index.ts";
import { realSystem } from "../../src/system/index.ts";
import { runCommand } from "./in-process.ts";
import { MortalSystem, type Watcher } from "./mortal-system.ts";

/** A folder with a playbook `book.yaml` and a state directory, whose commands run on the real system in processes that die. */
export class MortalPlace {
  readonly folder: string;
  private hours = 0;

  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `setpoint-${name}-`));
  }

  at(path: string): string {
    return join(this.folder, path);
  }

  /** A system an hour later than the last one, whose waits take no time: no breaker is open any more. */
  later(): System {
    const system = realSystem();
    this.hours += 1;
    const ahead = this.hours * 3_600_000;
    return { ...system, clock: { ...system.clock, mono: () => system.clock.mono() + ahead, sleep: (ms) => system.clock.sleep(ms / 100) } };
  }

  /** Runs a command, which dies at a mutating call, from 1; 0: it lives. */
  async run(module: CommandModule, at = 0, when: "before" | "after" = "before", watchers: readonly Watcher[] = []) {
    const mortal = new MortalSystem(this.later(), at, when, undefined, watchers);
    let exit: number | undefined;
    let said = "";
    try {
      const ran = await runCommand(module, mortal, this.folder, module === apply ? [this.at("book.yaml")] : []);
      exit = ran.exit;
      said = ran.out + ran.err;
    } catch (thrown) {
      said = String((thrown as Error).stack);
    }
    const { dead, calls, trace } = mortal;
    mortal.bury();
    await mortal.network.close();
    return { exit, said, dead, calls, last: trace.at(-1) ?? "" };
  }

  /** The journals of the runs that were begun. */
  journals(): readonly string[] {
    const runs = this.at("state/runs");
    if (!existsSync(runs)) return [];
    return readdirSync(runs)
      .map((run) => join(runs, run, "journal"))
      .filter((path) => existsSync(path));
  }

  begun(): boolean {
    return this.journals().length > 0;
  }

  /** What the runs journalled, for a message. */
  journal(): string {
    return this.journals()
      .map((path) => readFileSync(path, "utf8"))
      .join("\n");
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
