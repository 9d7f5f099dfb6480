import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";
import type { StackStatus, WhyReport } from "../../src/report/index.ts";

const bin = resolve("bin/setpoint.js");

/** How a command of the real program ended. */
export interface Ended {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

/** What a command prints with --json, as the tests look into it. */
export interface Answer {
  readonly [key: string]: unknown;
  readonly run: string;
  readonly exit: number;
  readonly status: string;
  readonly problems: readonly { readonly code: string; readonly severity: string }[];
  readonly runs: readonly { readonly run: string; readonly stack: string; readonly status: string; readonly kind: string }[];
  readonly stacks: readonly StackStatus[];
  readonly checks: readonly { readonly name: string; readonly status: string; readonly says: string }[];
  readonly registers: readonly WhyReport[];
  readonly actions: readonly { readonly register: string; readonly status: string }[];
}

/** A folder with a state directory of its own, and the real bin/setpoint.js in it. Gone when the test is. */
export class Machine {
  readonly folder = mkdtempSync(join(tmpdir(), "setpoint-cli-"));
  readonly state = join(this.folder, "state");

  constructor() {
    onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  run(...argv: readonly string[]): Ended {
    return this.runWith({}, ...argv);
  }

  runWith(env: Readonly<Record<string, string>>, ...argv: readonly string[]): Ended {
    const { PATH = "", HOME = "" } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...argv], {
      cwd: this.folder,
      encoding: "utf8",
      env: { PATH, HOME, LANG: "C.UTF-8", NO_COLOR: "1", SETPOINT_STATE_DIR: this.state, ...env },
    });
    return { exit: status, out: stdout, err: stderr };
  }

  /** The result in JSON of a command that is to end with 0, or with `exit`. */
  json(argv: readonly string[], exit = 0): Answer {
    const ended = this.run(...argv, "--json");
    if (ended.exit !== exit) throw new Error(`${argv.join(" ")} ended with ${ended.exit}: ${ended.out}${ended.err}`);
    return JSON.parse(ended.out);
  }

  write(path: string, text: string): this {
    writeFileSync(join(this.folder, path), text);
    return this;
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), "utf8");
  }

  copy(from: string, to: string): void {
    cpSync(join(this.folder, from), join(this.folder, to), { recursive: true });
  }

  list(path: string): readonly string[] {
    return readdirSync(join(this.folder, path)).sort();
  }

  /** Writes a playbook of some files with these contents and applies it; gives the run's id. */
  applyFiles(stack: string, files: Readonly<Record<string, string>>): string {
    const resources = Object.entries(files).map(([path, text]) => `  - file: ${path}\n    content: ${JSON.stringify(text)}\n`);
    this.write(`${stack}.yaml`, `setpoint: 1\nname: ${stack}\nresources:\n${resources.join("")}`);
    return this.json(["apply", `${stack}.yaml`, "--yes"]).run as string;
  }

  /** Bytes of a file of the state directory, changed. */
  spoil(path: string, change: (bytes: Buffer) => Buffer): void {
    const full = join(this.state, path);
    writeFileSync(full, change(readFileSync(full)));
  }
}
