import { type Json, type Ran, type System, SystemFault, sha256 } from "../core/index.ts";
import { LockedDirectory } from "../journal/index.ts";
import { readWhole } from "../system/index.ts";
import type { Context } from "./context.ts";

/** Everything below a folder by its path in it, in a line each: type, mode, owner, names, content or target, attributes. */
export type Snapshot = ReadonlyMap<string, string>;

/** How a setpoint process of the place ended, and what it printed with --json. */
export interface Ended {
  readonly killed: boolean;
  readonly exit: number | undefined;
  readonly json: { readonly [name: string]: Json };
  readonly stderr: string;
}

/** Paths that are copied by one cp. */
const BATCH = 500;

/** A throw-away root with a state directory of its own, and setpoint processes that work on them. */
export class ChaosPlace {
  readonly folder: string;
  private readonly context: Context;
  private readonly system: System;
  private readonly env: { readonly [name: string]: string };

  private constructor(context: Context, folder: string, env: { readonly [name: string]: string }) {
    this.context = context;
    this.system = context.system;
    this.folder = folder;
    this.env = env;
  }

  /** Makes one in a folder that only its owner can enter. `env`: what its processes get besides. Throws SystemFault. */
  static async make(context: Context, within: string, env: { readonly [name: string]: string }): Promise<ChaosPlace> {
    const { files, chance } = context.system;
    if (files.lstat(`${within}/.`)?.type !== "directory") throw new SystemFault("no-folder", `${within} is no folder: --in takes one`);
    const folder = `${files.realpath(within).replace(/\/$/, "")}/setpoint-chaos-${Buffer.from(chance.bytes(6)).toString("hex")}`;
    files.makeDirectory(folder, 0o700);
    const place = new ChaosPlace(context, folder, env);
    files.makeDirectory(`${folder}/start`, 0o755);
    // The keys stay the same for all trials, as the plan holds sensitive contents under them.
    const state = await LockedDirectory.lock(context.system, `${folder}/keys`, { patience: 0, weak: false });
    state?.unlock();
    await place.reset();
    return place;
  }

  get root(): string {
    return `${this.folder}/root`;
  }

  get state(): string {
    return `${this.folder}/state`;
  }

  get planFile(): string {
    return `${this.folder}/plan.json`;
  }

  /** Takes what a folder holds for the start of every trial. */
  async startFrom(folder: string): Promise<void> {
    await this.copy(folder, `${this.folder}/start`);
  }

  /**
   * Takes what stands at these paths of the machine for the start: of folders only themselves. `empty`: only the folders that they lie
   * in. Paths below `cwd` are relative targets, too.
   */
  async startWith(paths: readonly string[], cwd: string, empty: boolean): Promise<void> {
    await this.copyPaths(paths, "/", empty);
    const below = cwd === "/" ? [] : paths.filter((path) => path.startsWith(`${cwd}/`));
    await this.copyPaths(below, cwd, empty);
  }

  private async copyPaths(paths: readonly string[], base: string, empty: boolean): Promise<void> {
    const targets = new Set(paths);
    const { files } = this.system;
    const prefix = base === "/" ? "/" : `${base}/`;
    const others: string[] = [];
    for (const path of [...targets].sort()) {
      const relative = path.slice(prefix.length);
      const parts = relative.split("/");
      const type = files.lstat(path)?.type;
      const folders = type === "directory" ? parts : parts.slice(0, -1);
      for (let depth = 1; depth <= folders.length; depth++) {
        const folder = folders.slice(0, depth).join("/");
        if (empty && targets.has(`${prefix}${folder}`)) break;
        this.copyFolder(prefix, folder);
      }
      if (!empty && (type === "file" || type === "symlink")) others.push(relative);
    }
    for (let from = 0; from < others.length; from += BATCH)
      await this.must(["cp", "-a", "--parents", "--", ...others.slice(from, from + BATCH), `${this.folder}/start`], base);
  }

  private copyFolder(prefix: string, relative: string): void {
    const { files } = this.system;
    const stat = files.lstat(`${prefix}${relative}`);
    const copy = `${this.folder}/start/${relative}`;
    if (relative === "" || stat?.type !== "directory" || files.lstat(copy)) return;
    files.makeDirectory(copy, 0o700);
    const fd = files.openDirectory(copy);
    try {
      if (this.system.host.uid === 0) files.chown(fd, stat.uid, stat.gid);
      files.chmod(fd, stat.mode);
    } finally {
      files.close(fd);
    }
  }

  /** Root and state as they are at the start of a trial. */
  async reset(): Promise<void> {
    await this.replace("root", "start");
    await this.replace("state", "keys");
  }

  /** Puts root and state aside as a kill left them. */
  async keep(): Promise<void> {
    await this.replace("killed-root", "root");
    await this.replace("killed-state", "state");
  }

  async restore(): Promise<void> {
    await this.replace("root", "killed-root");
    await this.replace("state", "killed-state");
  }

  private async replace(name: string, from: string): Promise<void> {
    await this.remove(`${this.folder}/${name}`);
    this.system.files.makeDirectory(`${this.folder}/${name}`, 0o700);
    await this.copy(`${this.folder}/${from}`, `${this.folder}/${name}`);
  }

  private copy(from: string, to: string): Promise<void> {
    return this.must(["cp", "-a", "--", `${from}/.`, to]);
  }

  private async remove(path: string): Promise<void> {
    if (!this.system.files.lstat(path)) return;
    // Modes that a playbook set must not keep its copy from being removed.
    if (this.system.host.uid !== 0) await this.must(["chmod", "-R", "u+rwX", "--", path]);
    await this.must(["rm", "-rf", "--", path]);
  }

  private async must(argv: readonly string[], cwd = "/"): Promise<void> {
    const ran = await this.system.processes.run({ argv, cwd, env: { LC_ALL: "C" } });
    if (ran.code !== 0)
      throw new SystemFault(
        "chaos-copy",
        `${argv[0]} failed: ${ran.failed ?? (ran.stderr.trim().split("\n")[0] || `exit code ${ran.code}`)}`,
      );
  }

  /** Whether a run has begun in the state directory. */
  hasBegun(): boolean {
    const { files } = this.system;
    const runs = `${this.state}/runs`;
    return files.lstat(runs) !== undefined && files.readDirectory(runs).some(({ name }) => files.lstat(`${runs}/${name}/journal`));
  }

  /** Starts a real setpoint process and waits for its end; `point`: where it dies. */
  async setpoint(argv: readonly string[], point = ""): Promise<Ended> {
    const { system, context } = this;
    const started = system.clock.mono();
    for (;;) {
      const ran = await system.processes.run({
        argv: [...context.self, ...argv, "--json", "--state-dir", this.state],
        cwd: system.host.cwd,
        env: { ...this.env, NO_COLOR: "1", GITHUB_ACTIONS: "", GITHUB_STEP_SUMMARY: "", SETPOINT_DIE_AT: point },
      });
      const json = parse(ran);
      // A command of the killed process may still be at its work: that is waited for, as a person would.
      const waits = (json.problems as { code?: string }[] | undefined)?.some(({ code }) => code === "still-running");
      if (!waits || system.clock.mono() - started > 60_000)
        return { killed: ran.signal === "SIGKILL", exit: ran.code, json, stderr: ran.stderr };
      await system.clock.sleep(200);
    }
  }

  snapshot(): Snapshot {
    const { files } = this.system;
    const lines = new Map<string, string>();
    const paths: string[] = [];
    const visit = (relative: string): void => {
      const path = relative === "" ? this.root : `${this.root}/${relative}`;
      const stat = files.lstat(path);
      if (!stat) return;
      const head = `${stat.type} ${stat.mode.toString(8).padStart(4, "0")} ${stat.uid}:${stat.gid}`;
      paths.push(path);
      if (stat.type === "file") lines.set(relative, `${head} ${stat.nlink} ${sha256(readWhole(files, path) as Buffer).slice(0, 16)}`);
      else lines.set(relative, stat.type === "symlink" ? `${head} ${files.readLink(path)}` : head);
      if (stat.type !== "directory") return;
      for (const { name } of files.readDirectory(path)) visit(relative === "" ? name : `${relative}/${name}`);
    };
    visit("");
    for (const [path, attributes] of files.xattrs(paths)) {
      const relative = path.slice(this.root.length + 1);
      lines.set(relative, `${lines.get(relative)} ${JSON.stringify(Object.entries(attributes).sort())}`);
    }
    return lines;
  }

  async end(): Promise<void> {
    await this.remove(this.folder);
  }
}

function parse({ stdout }: Ran): Ended["json"] {
  try {
    return JSON.parse(stdout) as Ended["json"];
  } catch {
    return {}; // it was killed, or its result is too long to be kept: the exit code tells
  }
}

/** What differs between two snapshots, a line each. */
export function differences(wanted: Snapshot, found: Snapshot): readonly string[] {
  return [...new Set([...wanted.keys(), ...found.keys()])]
    .filter((path) => wanted.get(path) !== found.get(path))
    .map((path) => `/${path}: ${wanted.get(path) ?? "nothing"} should stand there, and ${found.get(path) ?? "nothing"} does`);
}
