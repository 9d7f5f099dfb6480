import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** The launcher as users start it. */
export const launcher = fileURLToPath(new URL("../../bin/setpoint.js", import.meta.url));

const batch = fileURLToPath(new URL("batch.cjs", import.meta.url));

/** How one command line ended. */
export interface Ran {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams. */
  readonly all: string;
  /** Stdout as JSON. */
  json(): Output;
}

/** What tests look at in a result of `--json`. */
export interface Output {
  readonly [name: string]: unknown;
  readonly digest: string;
  readonly status: string;
  readonly run: string;
  readonly exit: number;
  readonly summary: { readonly [name: string]: number | boolean };
  readonly changes: readonly {
    readonly [name: string]: unknown;
    readonly register: string;
    readonly action: string;
    readonly label: string;
  }[];
  readonly actions: readonly { readonly register: string; readonly status: string; readonly detail?: string }[];
  readonly problems: readonly {
    readonly code: string;
    readonly summary: string;
    readonly detail: string;
    readonly at?: { readonly file: string; readonly line: number; readonly column: number };
  }[];
  readonly moved: readonly string[];
  readonly orphans: readonly { readonly register: string; readonly address: string; readonly kept?: string }[];
}

export interface RunOptions {
  readonly env?: { readonly [name: string]: string };
  readonly input?: string;
  readonly uid?: number;
  /** Milliseconds after which the program is taken for hung. */
  readonly timeout?: number;
}

/** One thing below a folder, in a line; equal lines mean that nothing of it changed. */
export type Snapshot = { readonly [path: string]: string };

/**
 * A machine in a temp folder: `tree` is what playbooks change and where commands run, `book` holds playbooks and sources,
 * `state` is the state directory. All goes when the test is over.
 */
export class Story {
  readonly folder: string;
  readonly tree: string;
  readonly book: string;
  readonly state: string;
  readonly env: { [name: string]: string };

  constructor() {
    this.folder = mkdtempSync(join(realpathSync(tmpdir()), "setpoint-story-"));
    onTestFinished(() => this.remove());
    this.tree = join(this.folder, "tree");
    this.book = join(this.folder, "book");
    this.state = join(this.folder, "state");
    mkdirSync(this.tree);
    mkdirSync(this.book);
    this.env = {
      PATH: process.env.PATH ?? "/usr/bin:/bin",
      HOME: this.folder,
      LANG: "C.UTF-8",
      NO_COLOR: "1",
      SETPOINT_STATE_DIR: this.state,
    };
  }

  private remove(): void {
    // Modes that a test set must not keep its folder from being removed.
    spawnSync("chmod", ["-R", "u+rwX", this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The absolute path of a name in the tree. */
  at(name: string): string {
    return join(this.tree, name);
  }

  /** A file in the tree, with its folders. */
  file(name: string, content: string | Uint8Array, mode?: number): this {
    return this.write(join(this.tree, name), content, mode);
  }

  directory(name: string, mode?: number): this {
    mkdirSync(this.at(name), { recursive: true });
    if (mode !== undefined) chmodSync(this.at(name), mode);
    return this;
  }

  /** A file beside the playbook. */
  source(name: string, content: string | Uint8Array, mode?: number): this {
    return this.write(join(this.book, name), content, mode);
  }

  /** The playbook `site.yaml`, or another: its resources alone, or all of it where it begins with `setpoint:`. */
  playbook(resources: string, { name = "site", head = "" } = {}): this {
    const text = resources.trimStart().startsWith("setpoint:")
      ? resources
      : `setpoint: 1\nname: ${name}\n${head === "" ? "" : `${head.trim()}\n`}resources:\n${resources.replace(/^\n/, "")}`;
    return this.source(`${name}.yaml`, `${text.trimEnd()}\n`);
  }

  private write(path: string, content: string | Uint8Array, mode?: number): this {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    if (mode !== undefined) chmodSync(path, mode);
    return this;
  }

  read(name: string): string {
    return readFileSync(this.at(name), "utf8");
  }

  readBook(name: string): string {
    return readFileSync(join(this.book, name), "utf8");
  }

  bytes(name: string): Buffer {
    return readFileSync(this.at(name));
  }

  /** The bytes of a file anywhere. */
  bytesOf(path: string): Buffer {
    return readFileSync(path);
  }

  mode(name: string): string {
    return (lstatSync(this.at(name)).mode & 0o7777).toString(8).padStart(4, "0");
  }

  /** Gives all to another account, so that a command can run as it. */
  giveTo(uid: number): this {
    chmodSync(this.folder, 0o755);
    for (const path of [this.folder, ...listed(this.folder)]) if (!lstatSync(path).isSymbolicLink()) chownSync(path, uid, uid);
    return this;
  }

  /** Runs a command line and insists on its exit code. A word `site.yaml` means the playbook. */
  run(exit: number, ...words: readonly (string | RunOptions)[]): Ran {
    const ran = this.try(...words);
    if (ran.exit !== exit)
      throw new Error(`setpoint ${words.filter((word) => typeof word === "string").join(" ")}: exit ${ran.exit}, not ${exit}\n${ran.all}`);
    return ran;
  }

  /** Runs a command line, however it ends. */
  try(...words: readonly (string | RunOptions)[]): Ran {
    const { env = {}, input, uid, timeout = 30_000 } = words.find((word) => typeof word !== "string") ?? {};
    const program = uid === undefined ? { node: process.execPath, launcher } : reachable(uid);
    const ended = spawnSync(program.node, [program.launcher, ...this.argv(words)], {
      cwd: this.tree,
      env: { ...this.env, ...env },
      encoding: "utf8",
      timeout,
      maxBuffer: 256 << 20,
      ...(input !== undefined ? { input } : { stdio: ["ignore", "pipe", "pipe"] as const }),
      ...(uid !== undefined && { uid, gid: uid }),
    });
    return ranOf(ended.status, ended.stdout, ended.stderr);
  }

  private argv(words: readonly (string | RunOptions)[]): readonly string[] {
    return words.filter((word) => typeof word === "string").map((word) => (/^[\w-]+\.yaml$/.test(word) ? join(this.book, word) : word));
  }

  /** Plans the playbook and saves the plan beside it; insists that there are changes. */
  plan(file = "site.plan", ...words: readonly (string | RunOptions)[]): string {
    const path = join(this.folder, file);
    this.run(2, "plan", "site.yaml", "-o", path, ...words);
    return path;
  }

  apply(...words: readonly (string | RunOptions)[]): Ran {
    return this.run(0, "apply", "site.yaml", "--yes", ...words);
  }

  revert(...words: readonly (string | RunOptions)[]): Ran {
    return this.run(0, "revert", "--yes", ...words);
  }

  /** The problems of a command that is refused, as JSON has them. */
  problems(exit: number, ...words: readonly (string | RunOptions)[]): Output["problems"] {
    return this.run(exit, ...words, "--json").json().problems;
  }

  /** The tree now: type, mode, content or target, and unless `times` is false the time it was last written. */
  snapshot({ times = false, of = this.tree }: { times?: boolean; of?: string } = {}): Snapshot {
    return Object.fromEntries(listed(of).map((path) => [path.slice(of.length + 1), lineOf(path, times)]));
  }

  /**
   * Many command lines, one after another in one process, through the same bundle that the launcher runs: for tests that
   * need hundreds. A function stands for something done in between.
   */
  batch(): Batch {
    return new Batch(this);
  }
}

/** A process that takes command lines one by one. */
export class Batch {
  private readonly child;
  private readonly tree: string;
  private buffer = "";
  private waiting: ((line: string) => void) | undefined;

  constructor(story: Story) {
    this.tree = story.tree;
    this.child = spawn(process.execPath, [batch], { cwd: story.tree, env: story.env, stdio: ["pipe", "pipe", "inherit"] });
    this.child.stdout.setEncoding("utf8");
    this.child.stdout.on("data", (text: string) => {
      this.buffer += text;
      const end = this.buffer.indexOf("\n");
      if (end < 0) return;
      const line = this.buffer.slice(0, end);
      this.buffer = this.buffer.slice(end + 1);
      this.waiting?.(line);
    });
    onTestFinished(() => {
      this.child.kill("SIGKILL");
    });
  }

  async run(...argv: readonly string[]): Promise<Ran> {
    const line = await new Promise<string>((resolve, reject) => {
      this.waiting = resolve;
      this.child.once("exit", (code) => reject(new Error(`the batch ended with ${code} at ${argv.join(" ")}`)));
      this.child.stdin.write(`${JSON.stringify({ argv, cwd: this.tree })}\n`);
    });
    this.child.removeAllListeners("exit");
    const { exit, stdout, stderr } = JSON.parse(line) as { exit: number; stdout: string; stderr: string };
    return ranOf(exit, stdout, stderr);
  }
}

/** A machine of its own for the test that is running. */
export function story(): Story {
  return new Story();
}

let reached: { readonly node: string; readonly launcher: string } | undefined;

/** The program where an account without rights finds it: the checkout, or this Node, may be where others cannot look. */
function reachable(uid: number): { readonly node: string; readonly launcher: string } {
  if (reached) return reached;
  reached = { node: process.execPath, launcher };
  if (spawnSync(reached.node, [reached.launcher, "--version"], { uid, gid: uid, stdio: "ignore" }).status === 0) return reached;
  const copy = mkdtempSync(join(tmpdir(), "setpoint-program-"));
  process.once("exit", () => rmSync(copy, { recursive: true, force: true }));
  const top = join(dirname(launcher), "..");
  for (const part of ["bin", "dist", "package.json"]) cpSync(join(top, part), join(copy, part), { recursive: true });
  cpSync(process.execPath, join(copy, "node"));
  spawnSync("chmod", ["-R", "a+rX", copy]);
  chmodSync(join(copy, "node"), 0o755);
  reached = { node: join(copy, "node"), launcher: join(copy, "bin/setpoint.js") };
  return reached;
}

/** An account that may not do everything: nobody where the tests run as root, else whoever runs them. */
export const nobody: { readonly uid?: number } = process.getuid?.() === 0 ? { uid: 65534 } : {};

function ranOf(exit: number | null, stdout: string, stderr: string): Ran {
  const all = `${stdout}${stderr}`;
  return {
    exit,
    stdout,
    stderr,
    all,
    json() {
      try {
        return JSON.parse(stdout) as Output;
      } catch {
        throw new Error(`no JSON on stdout:\n${all}`);
      }
    },
  };
}

/** All paths below a folder, in order. */
export function listed(folder: string): readonly string[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      return lstatSync(path).isDirectory() ? [path, ...listed(path)] : [path];
    });
}

function lineOf(path: string, times: boolean): string {
  const stat = lstatSync(path, { bigint: true });
  const mode = (Number(stat.mode) & 0o7777).toString(8).padStart(4, "0");
  const time = times ? ` ${stat.mtimeNs} ${stat.ino}` : "";
  if (stat.isSymbolicLink()) return `link ${readlinkSync(path)}${time}`;
  if (stat.isDirectory()) return `directory ${mode}${time}`;
  if (!stat.isFile()) return `special ${mode}${time}`;
  return `file ${mode} ${createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16)}${time}`;
}
