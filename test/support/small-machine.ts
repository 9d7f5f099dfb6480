import type { CommandModule } from "../../src/cli/commands/command.ts";
import { UsageError } from "../../src/cli/context.ts";
import { sha256 } from "../../src/core/index.ts";
import { faultIn } from "../../src/system/index.ts";
import { type Program, SimulatedMachine } from "../../src/system/simulated/index.ts";
import { runCommand } from "./in-process.ts";
import { MortalSystem } from "./mortal-system.ts";

/** A file, link or folder of a machine; bytes in latin1, so that any file is a text. */
export interface Entry {
  readonly path: string;
  readonly type: "file" | "directory" | "symlink";
  readonly mode: number;
  readonly text: string;
}

/** How a command ended, as the command line would have it. */
export interface Ended {
  readonly exit: number;
  /** All it printed; of a fault its code and message. */
  readonly said: string;
  readonly died: boolean;
  /** Mutating calls that it made. */
  readonly calls: number;
}

/** What every machine has. */
const ETC: readonly Entry[] = [
  { path: "/etc", type: "directory", mode: 0o755, text: "" },
  { path: "/etc/passwd", type: "file", mode: 0o644, text: "root:x:0:0::/root:/bin/sh\n" },
  { path: "/etc/group", type: "file", mode: 0o644, text: "root:x:0:\n" },
  { path: "/etc/machine-id", type: "file", mode: 0o644, text: "00000000000000000000000000000001\n" },
];

/** Writes down that it was sent, once more each time. */
const send: Program = ({ argv }, files) => {
  const path = `/w/${argv[1]}`;
  const fd = files.openAppend(path, true);
  files.writeAll(fd, Buffer.from("sent\n"));
  files.sync(fd);
  files.close(fd);
  return { code: 0, stdout: "", stderr: "" };
};

/** Faults by which a command says that another one leads on, as in src/cli/main.ts. */
const LEADS_ON = ["in-doubt", "revert-open", "still-running", "not-resumable"];

/** A simulated machine with a few files, which commands run on in this process, and that can be copied, spoiled and put back. */
export class SmallMachine {
  readonly machine: SimulatedMachine;

  constructor(entries: readonly Entry[], seed = 1) {
    this.machine = new SimulatedMachine(seed, { send });
    const { files } = this.machine.process("/").system;
    for (const { path, type, mode, text } of [...ETC, ...entries]) {
      if (files.lstat(path)) continue;
      if (type === "directory") files.makeDirectory(path, mode);
      else if (type === "symlink") files.symlink(text, path);
      else {
        const fd = files.createNew(path, mode);
        files.writeAll(fd, Buffer.from(text, "latin1"));
        files.close(fd);
      }
    }
    this.machine.disk.syncAll();
  }

  /** All that is there but /etc, in order. */
  entries(below = "/w"): readonly Entry[] {
    const { files } = this.machine.process("/").system;
    const found: Entry[] = [];
    const visit = (path: string) => {
      const stat = files.lstat(path);
      if (!stat) return;
      const type = stat.type as Entry["type"];
      found.push({ path, type, mode: stat.mode, text: type === "file" ? this.text(path) : type === "symlink" ? files.readLink(path) : "" });
      if (type !== "directory") return;
      const names = files.readDirectory(path).map(({ name }) => name);
      for (const name of names.sort()) visit(`${path}/${name}`);
    };
    visit(below);
    return found;
  }

  /** What is there beside the state directory, in short. */
  world(): string {
    return this.entries()
      .filter(({ path }) => !`${path}/`.startsWith("/w/state/"))
      .map(({ path, type, mode, text }) => `${path} ${type} ${mode.toString(8)} ${sha256(text).slice(0, 12)}`)
      .join("\n");
  }

  text(path: string): string {
    const { files } = this.machine.process("/").system;
    const fd = files.openRead(path);
    const bytes = Buffer.alloc(files.fstat(fd).size);
    files.read(fd, bytes, 0, bytes.length, 0);
    return bytes.toString("latin1");
  }

  has(path: string): boolean {
    return this.machine.process("/").system.files.lstat(path) !== undefined;
  }

  /** The ids of its runs, oldest first. */
  runs(): readonly string[] {
    const { files } = this.machine.process("/").system;
    if (!files.lstat("/w/state/runs")) return [];
    const names = files.readDirectory("/w/state/runs").map(({ name }) => name);
    return names.filter((name) => /^\d{8}T/.test(name)).sort();
  }

  /** Runs a command in a process that dies at its `at`-th mutating call, if that is not 0. */
  async run(module: CommandModule, args: readonly string[] = [], options: object = {}, at = 0): Promise<Ended> {
    const process = this.machine.process("/w");
    const mortal = new MortalSystem(process.system, at, "after");
    let exit = 70;
    let said = "";
    try {
      const ran = await runCommand(module, mortal, "/w", args, options);
      exit = ran.exit;
      said = ran.out + ran.err;
    } catch (thrown) {
      const fault = faultIn(thrown);
      said = fault ? `${fault.code}: ${fault.message}` : ((thrown as Error).stack ?? String(thrown));
      if (fault) exit = LEADS_ON.includes(fault.code) ? 6 : 1;
      else if (thrown instanceof UsageError) exit = 64;
    }
    const { dead: died, calls } = mortal;
    mortal.bury();
    process.end();
    return { exit, said, died, calls };
  }
}

/** Entries with the text of one file changed; without the file where the change gives undefined. */
export function spoiled(entries: readonly Entry[], path: string, change: (text: string) => string | undefined): readonly Entry[] {
  return entries.flatMap((entry) => {
    if (entry.path !== path) return [entry];
    const text = change(entry.text);
    return text === undefined ? [] : [{ ...entry, text }];
  });
}
