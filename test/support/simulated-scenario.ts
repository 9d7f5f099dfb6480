import type { CommandModule } from "../../src/cli/commands/command.ts";
import { sha256 } from "../../src/core/index.ts";
import { faultIn } from "../../src/system/index.ts";
import { type Lies, type Program, SimulatedMachine } from "../../src/system/simulated/index.ts";
import { runCommand } from "./in-process.ts";
import { MortalSystem } from "./mortal-system.ts";

/** The playbook of the simulated crashes: an exact tree, nested new folders, an opaque step and a tentative line behind it. */
const PLAYBOOK = `
setpoint: 1
name: crash
resources:
  - directory: site
    exact: true
  - directory: site/new/deep
    mode: '0750'
  - tree: site/copied
    source: source
    exact: true
  - file: site/changed
    content: after
    mode: '0600'
  - file: site/mode-only
    mode: '0640'
  - file: site/shared
    content: its own
    hardlinks: break
  - file: site/gone
    state: absent
  - link: site/link
    to: changed
  - command: an opaque step
    run: [ make, made ]
    creates: made
    undo: [ unmake, made ]
  - line: site/tentative
    text: from the playbook
`;

const FOLDERS = ["w", "w/source", "w/source/inner", "w/site", "w/site/stray", "w/site/copied", "w/site/copied/old", "etc"];
const FILES: { readonly [path: string]: string } = {
  "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
  "etc/group": "root:x:0:\n",
  "etc/machine-id": "00000000000000000000000000000001\n",
  "w/book.yaml": PLAYBOOK,
  "w/source/one": "one\n",
  "w/source/inner/two": "two\n",
  "w/site/stray/file": "stray\n",
  "w/site/copied/one": "another content\n",
  "w/site/copied/old/left": "left\n",
  "w/site/changed": "before",
  "w/site/mode-only": "kept",
  "w/site/gone": "going",
  "w/shared-too": "one file of two names",
  "w/site/tentative": "one\ntwo\n",
};

/** Programs make their own effects durable: what they lose in a power cut is theirs. */
const make: Program = ({ argv }, files) => {
  const path = `/w/${argv[1]}`;
  if (!files.lstat(path)) files.close(files.createNew(path, 0o644));
  syncPath(files, path);
  return { code: 0, stdout: "", stderr: "" };
};

const unmake: Program = ({ argv }, files) => {
  const path = `/w/${argv[1]}`;
  if (files.lstat(path)) files.unlink(path);
  syncPath(files, "/w");
  return { code: 0, stdout: "", stderr: "" };
};

function syncPath(files: Parameters<Program>[1], path: string): void {
  for (const one of [path, "/w"]) {
    const fd = one === "/w" ? files.openDirectory(one) : files.openRead(one);
    files.sync(fd);
    files.close(fd);
  }
}

/** How one process of a story went. */
export interface Life {
  readonly died: boolean;
  readonly calls: number;
  readonly exit: number | undefined;
  /** What it printed or threw. */
  readonly said: string;
  readonly last: string;
}

/** A simulated machine with the scenario's files, all durable. */
export class Scenario {
  readonly machine: SimulatedMachine;

  constructor(seed: number) {
    this.machine = new SimulatedMachine(seed, { make, unmake });
    const { system, end } = this.machine.process("/w");
    const { files } = system;
    for (const folder of FOLDERS) files.makeDirectory(`/${folder}`, 0o755);
    for (const [path, content] of Object.entries(FILES)) {
      const fd = files.createNew(`/${path}`, 0o644);
      files.writeAll(fd, Buffer.from(content));
      files.close(fd);
    }
    files.symlink("gone", "/w/site/link");
    files.link("/w/shared-too", "/w/site/shared");
    this.machine.disk.syncAll();
    end();
  }

  /** Runs a command whose `at`-th mutating call fails with an errno. */
  async runFaulty(
    module: CommandModule,
    args: readonly string[],
    at: number,
    fault: string,
  ): Promise<Life & { readonly afterFailedSync: readonly string[] }> {
    const process = this.machine.process("/w");
    const system = new MortalSystem(process.system, at, "before", fault);
    let exit: number | undefined;
    let said = "";
    try {
      const ran = await runCommand(module, system, "/w", args);
      exit = ran.exit;
      said = ran.out + ran.err;
    } catch (thrown) {
      said = (thrown as Error).stack ?? String(thrown);
      // main.ts turns a fault of the world into exit 1; anything else would be a bug.
      if (faultIn(thrown)) exit = 1;
    }
    const last = system.trace[at - 1] ?? "";
    system.bury();
    process.end();
    return { died: false, calls: system.calls, exit, said, last, afterFailedSync: system.afterFailedSync };
  }

  /** Runs a command in a process that dies at its `at`-th mutating call (0: lives). */
  async run(module: CommandModule, args: readonly string[] = [], at = 0, when: "before" | "after" = "before", lies?: Lies): Promise<Life> {
    const process = this.machine.process("/w", lies);
    const mortal = new MortalSystem(process.system, at, when);
    let exit: number | undefined;
    let said = "";
    try {
      const ran = await runCommand(module, mortal, "/w", args);
      exit = ran.exit;
      said = ran.out + ran.err;
    } catch (thrown) {
      said = (thrown as Error).stack ?? String(thrown);
    }
    const { dead: died, calls } = mortal;
    mortal.bury();
    process.end();
    return { died, calls, exit, said, last: mortal.trace.at(-1) ?? "" };
  }

  /** Whether a run was begun. */
  begun(): boolean {
    const { system } = this.machine.process("/w");
    if (!system.files.lstat("/w/state/runs")) return false;
    return system.files.readDirectory("/w/state/runs").some((entry) => system.files.lstat(`/w/state/runs/${entry.name}/journal`));
  }

  /** All below /w but the state directory. */
  snapshot(): { readonly [path: string]: string } {
    const found: Record<string, string> = {};
    const { disk } = this.machine;
    const visit = (ino: number, path: string): void => {
      for (const [name, child] of disk.inode(ino).entries) {
        // A stash has a name that only its run knows.
        const below = `${path}/${name.replace(/^\.[a-z2-7]{16}-(\d+)-stash$/, "stash of $1")}`;
        const inode = disk.inode(child);
        if (below === "/w/state") continue;
        // Which names are one file matters, and so does that they are again.
        const shared = inode.type === "file" && inode.nlink > 1 ? ` inode ${inode.ino}` : "";
        found[below] =
          `${inode.type} ${inode.mode.toString(8)} ${inode.target} ${inode.type === "file" ? `${inode.data.length} ${sha256(inode.data).slice(0, 12)}` : ""}${shared}`;
        if (inode.type === "directory") visit(child, below);
      }
    };
    visit(disk.root.entries.get("w") as number, "/w");
    return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
