import type { CommandModule } from "../../src/cli/commands/command.ts";
import { faultIn } from "../../src/system/index.ts";
import { type Appetite, contentDigest, type Lies, SimulatedMachine } from "../../src/system/simulated/index.ts";
import { runCommand } from "./in-process.ts";
import { type Call, Killed, MortalSystem, type Watcher } from "./mortal-system.ts";
import { BASE, PROGRAMS, STANDARD, type World } from "./simulated-world.ts";
import { isStash, isTemp, TraceChecker } from "./trace-checker.ts";

const STATE = "/w/state";

/** How one process of a story went. */
export interface Life {
  readonly died: boolean;
  readonly calls: number;
  readonly exit: number | undefined;
  /** What it printed or threw. */
  readonly said: string;
  readonly last: string;
  /** The stack of what it threw that is no fault of the world: a bug. */
  readonly bug: string | undefined;
  /** Mutating calls outside the state directory. */
  readonly outside: number;
  readonly violations: readonly string[];
}

/** What happens to a process while it runs. */
export interface Fate {
  /** The mutating call, from 1, at which it dies, or that fails; left out: none. */
  readonly at?: number;
  readonly when?: "before" | "after";
  /** The errno with which that call fails, in place of a death. */
  readonly fault?: string;
  /** How many bytes each write of that call takes, in place of a failure. */
  readonly appetite?: Appetite;
  /** How many bytes every write takes. */
  readonly writes?: Appetite;
  /** Syncs that do nothing. */
  readonly lies?: Lies;
  /** Whether what the trace checker objects to is thrown; left out: where no sync lies. */
  readonly checked?: boolean;
  /** Further lookers-on. */
  readonly watchers?: readonly Watcher[];
  /** Options of the command. */
  readonly options?: object;
}

/** A simulated machine with a world's files, all durable. */
export class Scenario {
  readonly machine: SimulatedMachine;
  readonly world: World;

  constructor(seed: number, world: World = STANDARD, machine?: SimulatedMachine) {
    this.world = world;
    this.machine = machine ?? new SimulatedMachine(seed, PROGRAMS);
    if (machine === undefined) this.furnish();
  }

  private furnish(): void {
    const { folders, files, modes = {}, links = {}, hardlinks = {}, playbook } = this.world;
    const { files: made, end } = this.machine.process("/w");
    for (const folder of [...BASE.folders, ...folders]) made.makeDirectory(`/${folder}`, modes[folder] ?? 0o755);
    for (const [path, content] of Object.entries({ ...BASE.files, ...files, "w/book.yaml": playbook })) {
      const fd = made.createNew(`/${path}`, modes[path] ?? 0o644);
      made.writeAll(fd, Buffer.from(content));
      made.close(fd);
    }
    for (const [path, to] of Object.entries(links)) made.symlink(to, `/${path}`);
    for (const [path, to] of Object.entries(hardlinks)) made.link(`/${to}`, `/${path}`);
    this.machine.disk.syncAll();
    end();
  }

  /** The same machine once more as it stands now, without its processes. */
  fork(seed: number): Scenario {
    return new Scenario(seed, this.world, this.machine.fork(seed));
  }

  /**
   * Runs a command in a process of its own. Every run is looked at by the trace checker; what it objects to stands in
   * `violations` and is thrown.
   */
  async run(module: CommandModule, args: readonly string[] = [], fate: Fate = {}): Promise<Life> {
    const { at = 0, when = "before", fault, lies, appetite, writes, watchers = [], options, checked = lies === undefined } = fate;
    const process = this.machine.process("/w", lies);
    process.files.appetite = writes;
    const checker = new TraceChecker(this.machine.disk, process.files, STATE);
    const dies = appetite === undefined ? at : 0;
    const eats: Watcher = {
      before: () => {
        if (appetite !== undefined && mortal.calls === at) process.files.appetite = appetite;
      },
      after: () => {
        process.files.appetite = writes;
      },
      failed: () => {
        process.files.appetite = writes;
      },
    };
    const mortal: MortalSystem = new MortalSystem(process.system, dies, when, fault, [checker, eats, ...watchers]);
    let exit: number | undefined;
    let said = "";
    let bug: string | undefined;
    try {
      const ran = await runCommand(module, mortal, "/w", args, options);
      exit = ran.exit;
      said = ran.out + ran.err;
    } catch (thrown) {
      said = (thrown as Error).stack ?? String(thrown);
      // main.ts turns a fault of the world into exit 1; anything else would be a bug.
      if (faultIn(thrown)) exit = 1;
      else if (!mortal.dead && !(thrown instanceof Killed)) bug = said;
    }
    const { dead: died, calls, trace } = mortal;
    mortal.bury();
    process.end();
    if (checked && checker.violations.length > 0)
      throw new Error(`the trace of ${args.join(" ")} breaks a rule:\n${checker.violations.join("\n")}\n${said}`);
    const last = trace[at === 0 ? trace.length - 1 : at - 1] ?? "";
    return { died, calls, exit, said, last, bug, outside: checker.outside, violations: checker.violations };
  }

  /** Whether a run was begun. */
  begun(): boolean {
    const { files } = this.machine.process("/w");
    if (!files.lstat(`${STATE}/runs`)) return false;
    return files.readDirectory(`${STATE}/runs`).some((entry) => files.lstat(`${STATE}/runs/${entry.name}/journal`));
  }

  /** All below /w but the state directory. */
  snapshot(): { readonly [path: string]: string } {
    const found: Record<string, string> = {};
    this.visit((path, inode, name) => {
      // A stash has a name that only its run knows.
      const shown = `${path.slice(0, path.length - name.length)}${name.replace(/^\.[a-z2-7]{16}-(\d+)-stash$/, "stash of $1")}`;
      // Which names are one file matters, and so does that they are again.
      const shared = inode.type === "file" && inode.nlink > 1 ? ` inode ${inode.ino}` : "";
      found[shown] =
        `${inode.type} ${inode.mode.toString(8)} ${inode.uid}:${inode.gid} ${inode.target} ${inode.type === "file" ? `${inode.data.length} ${contentDigest(inode.data).slice(0, 12)}` : ""}${shared}`;
    });
    return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Names outside the state directory that only a process under way may leave, and that were not there before. */
  temps(): readonly string[] {
    const found: string[] = [];
    this.visit((path, _, name) => {
      if (isTemp(name) && !(path.slice(1) in this.world.files)) found.push(path);
    });
    return found;
  }

  stashes(): readonly string[] {
    const found: string[] = [];
    this.visit((path, _, name) => {
      if (isStash(name)) found.push(path);
    });
    return found;
  }

  private visit(see: (path: string, inode: ReturnType<SimulatedMachine["disk"]["inode"]>, name: string) => void): void {
    const { disk } = this.machine;
    const walk = (ino: number, path: string): void => {
      for (const [name, child] of disk.inode(ino).entries) {
        const below = `${path}/${name}`;
        if (below === STATE) continue;
        const inode = disk.inode(child);
        see(below, inode, name);
        if (inode.type === "directory") walk(child, below);
      }
    };
    walk(disk.root.entries.get("w") as number, "/w");
  }
}

/** A call as a message shows it. */
export function shownCall({ name, given }: Call): string {
  return typeof given[0] === "string" ? `${name} ${given[0]}` : name;
}
