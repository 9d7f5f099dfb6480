import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answer } from "../../src/cli/commands/answer.ts";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { history } from "../../src/cli/commands/history.ts";
import { plan } from "../../src/cli/commands/plan.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { show } from "../../src/cli/commands/show.ts";
import { status } from "../../src/cli/commands/status.ts";
import { verify } from "../../src/cli/commands/verify.ts";
import { why } from "../../src/cli/commands/why.ts";
import type { RunReport, System } from "../../src/core/index.ts";
import { realSystem } from "../../src/system/index.ts";
import { contextFor, type Ran } from "./in-process.ts";

const COMMANDS = { answer, apply, history, plan, resume, revert, show, status, verify, why } satisfies {
  readonly [name: string]: CommandModule;
};

/** A folder, a playbook and commands in this process, on the real network with a clock that never makes one wait. */
export class RemoteStage {
  readonly folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "setpoint-remote-"));
  /** What was waited for, in ms. */
  readonly waits: number[] = [];
  /** Added to the clock, in ms. */
  offset = 0;
  private readonly real = realSystem();
  readonly system: System = {
    ...this.real,
    clock: {
      ...this.real.clock,
      now: () => this.real.clock.now() + this.offset,
      mono: () => this.real.clock.mono() + this.offset,
      sleep: async (ms) => {
        this.waits.push(ms);
        this.offset += ms;
      },
    },
  };

  get waited(): number {
    return this.waits.reduce((sum, ms) => sum + ms, 0);
  }

  /** A playbook of these resources. */
  book(resources: string, top = ""): this {
    writeFileSync(join(this.folder, "book.yaml"), `setpoint: 1\nname: remote\n${top}resources:\n${resources}\n`);
    return this;
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  /** All that the state directory holds, as text. */
  stateText(): string {
    const top = join(this.folder, "state");
    const files = readdirSync(top, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return files.map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1")).join("\n");
  }

  async run(name: keyof typeof COMMANDS, args: readonly string[] = [], options: object = {}): Promise<Ran> {
    return this.started(name, args, options, false);
  }

  /** The JSON that a command prints. */
  async json<T = RunReport>(name: keyof typeof COMMANDS, args: readonly string[] = [], options: object = {}): Promise<T> {
    const { out, err } = await this.started(name, args, options, true);
    if (out === "") throw new Error(`${name} printed nothing: ${err}`);
    return JSON.parse(out) as T;
  }

  private async started(name: keyof typeof COMMANDS, args: readonly string[], options: object, json: boolean): Promise<Ran> {
    const texts = { out: "", err: "" };
    const context = contextFor(this.system, this.folder, texts, json);
    const given = args.length === 0 && (name === "apply" || name === "plan") ? [join(this.folder, "book.yaml")] : args;
    const exit = await COMMANDS[name].run(context, given, { commands: true, yes: true, ...options } as never);
    return { exit, ...texts };
  }

  async close(): Promise<void> {
    await this.system.network.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
