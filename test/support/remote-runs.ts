import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BIN } from "../system/machine.ts";
import { Gate, type Passing } from "./gate.ts";
import { share } from "./share.ts";

/** A moment at which a run is killed. */
export interface Death {
  readonly name: string;
  /** For SETPOINT_DIE_AT. */
  readonly point?: string;
  /** At a piece of bytes on its way: before it arrives, or after. */
  readonly piece?: { readonly n: number; readonly where: "before" | "after" };
  /** Not the run is killed but its connections are cut there. */
  readonly cuts?: true;
}

export interface Ran {
  /** Null: it was killed. */
  readonly code: number | null;
  readonly json: { readonly [name: string]: unknown };
  readonly err: string;
}

/** Runs of the real program with a server behind a gate, each stack in a state directory of its own. */
export class RemoteRuns {
  readonly gate: Gate;
  private readonly base = mkdtempSync("/dev/shm/setpoint-runs-");
  private serial = 0;

  private constructor(gate: Gate) {
    this.gate = gate;
  }

  static async before(port: number): Promise<RemoteRuns> {
    return new RemoteRuns(await Gate.to(port));
  }

  /** A playbook with a name of its own, and so a key of its own for each effect. */
  stack(resources: (name: string) => string): Stack {
    this.serial += 1;
    return new Stack(join(this.base, String(this.serial)), `s${this.serial}`, resources, this.gate);
  }

  /** Every moment of a command at which something can be cut: records of the journal, and pieces of bytes. A share of them in CI. */
  async deaths(make: () => Stack | Promise<Stack>, words: readonly string[]): Promise<readonly Death[]> {
    const stack = await make();
    const { journal, pieces } = await stack.counted(words);
    stack.end();
    const all: Death[] = [
      ...journal.flatMap((what, at) =>
        ["", ":torn", ":after"].map((where) => ({ name: `journal ${at + 1}${where} (${what})`, point: `journal:${at + 1}${where}` })),
      ),
      ...Array.from({ length: pieces }, (_, at) =>
        (["before", "after"] as const).map((where) => ({ name: `piece ${at + 1} ${where}`, piece: { n: at + 1, where } })),
      ).flat(),
    ];
    const step = Math.max(1, Math.round(1 / share));
    return all.filter((_, at) => at % step === step >> 1);
  }

  async close(): Promise<void> {
    await this.gate.close();
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** One stack with its state. */
export class Stack {
  readonly name: string;
  private readonly folder: string;
  private readonly gate: Gate;

  constructor(folder: string, name: string, resources: (name: string) => string, gate: Gate) {
    this.folder = folder;
    this.name = name;
    this.gate = gate;
    writeFileSync(`${folder}.yaml`, `setpoint: 1\nname: ${name}\nresources:\n${resources(name)}\n`);
  }

  apply = (): Promise<Ran> => this.run(this.applying);

  get applying(): readonly string[] {
    return this.words(["apply"]);
  }

  async run(words: readonly string[], death?: Death, more: object = {}): Promise<Ran> {
    this.gate.open();
    const env = {
      ...process.env,
      SETPOINT_STATE_DIR: `${this.folder}.state`,
      ...(death?.point !== undefined && { SETPOINT_DIE_AT: death.point }),
      ...more,
    };
    const child = spawn(process.execPath, [BIN, ...words, "--json"], { env, stdio: ["ignore", "pipe", "pipe"], cwd: "/dev/shm" });
    const { piece } = death ?? {};
    if (piece) {
      const kill = ({ n }: Passing): void => {
        if (n !== piece.n) return;
        if (death?.cuts) this.gate.cut();
        else child.kill("SIGKILL");
      };
      // Held back for good: the other side never sees it.
      if (piece.where === "before")
        this.gate.before = (passing) => {
          kill(passing);
          // After a cut the run goes on, over other connections.
          return passing.n < piece.n || (death?.cuts === true && passing.n > piece.n);
        };
      else this.gate.after = kill;
    }
    let out = "";
    let err = "";
    child.stdout.on("data", (data: Buffer) => {
      out += data.toString();
    });
    child.stderr.on("data", (data: Buffer) => {
      err += data.toString();
    });
    const code = await new Promise<number | null>((done) => child.on("close", done));
    this.gate.open();
    let json: Ran["json"] = {};
    try {
      json = JSON.parse(out) as Ran["json"];
    } catch {
      // It was killed, or said something else: the caller looks at the exit code.
    }
    return { code, json, err };
  }

  /** Runs a command to its end, and counts where it could have been cut. */
  async counted(words: readonly string[]): Promise<{ readonly journal: readonly string[]; readonly pieces: number }> {
    const file = `${this.folder}.count`;
    let pieces = 0;
    const running = this.run(this.words(words), { name: "count", point: `count:${file}` });
    this.gate.before = ({ n }) => {
      pieces = n;
      return true;
    };
    const { code, err } = await running;
    if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${err}`);
    return { journal: (JSON.parse(readFileSync(file, "utf8")) as { readonly journal: readonly string[] }).journal, pieces };
  }

  /** Runs a command to its death; whether it died. */
  async killed(words: readonly string[], death: Death): Promise<boolean> {
    return (await this.run(this.words(words), death)).code === null;
  }

  private words([verb = "", ...rest]: readonly string[]): readonly string[] {
    return verb === "apply" ? ["apply", `${this.folder}.yaml`, "--yes", ...rest] : [verb, "--yes", ...rest];
  }

  end(): void {
    for (const suffix of [".state", ".yaml", ".count"]) rmSync(`${this.folder}${suffix}`, { recursive: true, force: true });
  }
}
