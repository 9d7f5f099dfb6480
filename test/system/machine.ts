import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** The real launcher. */
export const BIN = join(ROOT, "bin/setpoint.js");

/** The examples that are shipped. */
export const PLAYBOOKS = join(ROOT, "playbooks");

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** How a program ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end, without a terminal. */
export function run(argv: readonly string[], { env, cwd, input }: { env?: object; cwd?: string; input?: string } = {}): Ended {
  const [program, ...words] = argv as [string, ...string[]];
  const ran = spawnSync(program, words, {
    encoding: "utf8",
    env: { ...process.env, PATH, LC_ALL: "C.UTF-8", ...env },
    cwd,
    input: input ?? "",
    maxBuffer: 256 << 20,
    timeout: 110_000,
    killSignal: "SIGKILL",
  });
  if (ran.error) throw ran.error;
  return { code: ran.status, out: ran.stdout, err: ran.stderr };
}

/** Runs a program that must succeed; its output. */
export function must(...argv: readonly string[]): string {
  const { code, out, err } = run(argv);
  if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}: ${err}${out}`);
  return out;
}

/** Starts a program and lets it run. Who starts it ends it. */
export function start(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const [program, ...words] = argv as [string, ...string[]];
  return spawn(program, words, { stdio: "ignore", ...options, env: { ...process.env, PATH, ...options.env } });
}

/** What a run said as JSON. */
export interface Report extends Ended {
  readonly json: {
    readonly status?: string;
    readonly run?: string;
    readonly summary?: { readonly [name: string]: number | boolean };
    readonly actions?: readonly { readonly register: string; readonly status: string; readonly detail?: string }[];
    readonly problems?: readonly { readonly code: string; readonly summary: string; readonly detail: string }[];
    readonly [name: string]: unknown;
  };
}

/** A folder of its own for one test, with a state directory beside what is managed. */
export class Place {
  readonly folder: string;
  readonly state: string;
  /** For the log of a tracer: beside the folder, so that it is no change in it. */
  readonly trace: string;
  private readonly base: string;
  private readonly mounts: string[] = [];

  constructor() {
    this.base = mkdtempSync("/var/tmp/setpoint-system-");
    // Tests let other accounts look in.
    chmodSync(this.base, 0o755);
    this.folder = join(this.base, "work");
    mkdirSync(this.folder, { mode: 0o755 });
    this.state = join(this.folder, "state");
    this.trace = join(this.base, "trace");
  }

  at(path: string): string {
    return join(this.folder, path);
  }

  /** Writes a file, with the folders above it. */
  write(path: string, content: string | Uint8Array, mode = 0o644): string {
    const target = this.at(path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content, { mode });
    return target;
  }

  /** A playbook of these resources, which are in its own YAML. */
  playbook(resources: string, name = "book.yaml"): string {
    return this.write(name, `setpoint: 1\nname: ${name.replace(".yaml", "")}\nresources:\n${resources}`);
  }

  /** Runs setpoint with the place's state directory; `through` stands before it, such as strace. */
  setpoint(args: readonly string[], options: { env?: object; state?: string; through?: readonly string[] } = {}): Report {
    const argv = [...(options.through ?? []), process.execPath, BIN, ...args, "--json"];
    const ended = run(argv, { env: { SETPOINT_STATE_DIR: options.state ?? this.state, ...options.env }, cwd: this.folder });
    let json: Report["json"] = {};
    try {
      json = JSON.parse(ended.out) as Report["json"];
    } catch {
      // It was ended, or is a mistake of ours: the caller compares the exit code.
    }
    return { ...ended, json };
  }

  apply(playbook: string, options: Parameters<Place["setpoint"]>[1] & { readonly more?: readonly string[] } = {}): Report {
    return this.setpoint(["apply", playbook, "--yes", ...(options.more ?? [])], options);
  }

  /** Mounts something at a folder of the place until the test ends. */
  mount(path: string, ...args: readonly string[]): string {
    const target = this.at(path);
    mkdirSync(target, { recursive: true });
    must("mount", ...args, target);
    this.mounts.unshift(target);
    return target;
  }

  /** An ext4 file system of some MiB at a folder of the place. */
  disk(path: string, mebibytes: number, options: readonly string[] = []): string {
    const image = this.at(`${path}.img`);
    must("truncate", "-s", `${mebibytes}M`, image);
    must("mkfs.ext4", "-q", "-F", ...options, image);
    return this.mount(path, "-o", "loop", image);
  }

  /** Binds one path over another until the test ends. */
  bind(from: string, target: string): void {
    must("mount", "--bind", from, target);
    this.mounts.unshift(target);
  }

  /** The files below the place that hold a text, as `grep -r` finds them. */
  grep(text: string): readonly string[] {
    return run(["grep", "-rlaF", "--", text, this.folder])
      .out.split("\n")
      .filter((line) => line !== "");
  }

  end(): void {
    for (const target of this.mounts) run(["umount", "-l", target]);
    if (isRoot) run(["chattr", "-R", "-f", "-i", "-a", this.folder]);
    rmSync(this.base, { recursive: true, force: true });
  }
}

const isRoot = process.getuid?.() === 0 && process.platform === "linux";

const needs: { readonly [name: string]: () => boolean } = {
  root: () => isRoot,
  mount: () => isRoot && canMount(),
};

let mountable: boolean | undefined;

function canMount(): boolean {
  if (mountable === undefined) {
    const folder = mkdtempSync("/var/tmp/setpoint-mount-");
    mountable = run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]).code === 0;
    if (mountable) must("umount", folder);
    rmSync(folder, { recursive: true, force: true });
  }
  return mountable;
}

function missing(wanted: readonly string[]): readonly string[] {
  return wanted.filter((name) => {
    const known = needs[name];
    return known ? !known() : run(["sh", "-c", 'command -v "$0"', name]).code !== 0;
  });
}

/**
 * A test on the real machine, in a place that is taken away afterwards. `wanted` are programs, `root` (on Linux), `mount`; without them
 * the test is skipped and says so, and in CI it fails.
 */
export function onMachine(name: string, wanted: readonly string[], body: (place: Place) => void | Promise<void>, timeout?: number): void {
  test(
    name,
    async (context: TestContext) => {
      const lacking = missing(wanted);
      if (lacking.length > 0) {
        const why = `this machine lacks ${lacking.join(", ")}`;
        if (process.env.CI === "true") throw new Error(why);
        process.stderr.write(`skipped: ${name}: ${why}\n`);
        context.skip(why);
      }
      const place = new Place();
      try {
        await body(place);
      } finally {
        place.end();
      }
    },
    timeout,
  );
}

/** Names below a folder that begin as our temp files do: none may be left. */
export function leftovers(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /(^|\/)\.[a-z2-7]{16}-\d+-/.test(name));
}

/** A file's text; undefined where there is none. */
export function textOf(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** Permission bits in octal. */
export function modeOf(path: string): string {
  return (lstatSync(path).mode & 0o7777).toString(8).padStart(4, "0");
}
