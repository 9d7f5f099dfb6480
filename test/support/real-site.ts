import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { sha256 } from "../../src/core/index.ts";
import { BIN, type Ended, must, run } from "../system/machine.ts";

/**
 * Of most resource types one, and of each way in which a path is changed: created, replaced, removed, linked, written in place, a tree
 * swept away, a name parted from its inode, a content that is sensitive, one too large for a pack, a step that is opaque, and a line
 * whose file is known only behind it. The command makes its own effect durable: a power cut would take it otherwise, rightly.
 */
const playbook = (site: string, source: string) => `setpoint: 1
name: real
resources:
  - directory: ${site}
    exact: true
    exclude: [ made ]
  - directory: ${site}/new/deep
    mode: '0750'
  - tree: ${site}/copied
    source: ${source}/tree
    exact: true
  - file: ${site}/changed
    content: after
    mode: '0640'
  - file: ${site}/private
    content: a new secret
    mode: '0600'
  - file: ${site}/mode-only
    mode: '0711'
  - file: ${site}/shared
    content: its own
    hardlinks: break
  - file: ${site}/gone
    state: absent
  - file: ${site}/large
    source: ${source}/large
  - file: ${site}/in-place
    content: in its place
    write: in-place
  - link: ${site}/link
    to: changed
  - block: ${site}/block
    text: of the playbook
  - config: ${site}/settings.json
    set: { a: 1 }
  - command: an opaque step
    run: [ sh, -c, 'echo made > ${site}/made && sync ${site}/made ${site}' ]
    creates: ${site}/made
    undo: [ sh, -c, 'rm -f ${site}/made && sync ${site}' ]
  - line: ${site}/tentative
    text: from the playbook
`;

const FOLDERS = ["stray", "copied", "copied/old"];
const FILES: { readonly [path: string]: string } = {
  "stray/file": "stray\n",
  "copied/one": "another content\n",
  "copied/old/left": "left\n",
  changed: "before",
  private: "an old secret",
  "mode-only": "kept",
  gone: "going",
  large: `${"was ".repeat(1000)}\n`.repeat(300),
  "in-place": "was here before",
  block: "one\n",
  "settings.json": '{"a": 0, "b": 2}\n',
  tentative: "one\ntwo\n",
};

/** One thread for what libuv does, so that the k-th call is the k-th; io_uring hides calls from strace. */
export const single = { UV_THREADPOOL_SIZE: "1", UV_USE_IO_URING: "0" };

/** All below a folder, a line each: type, mode, owner, content, and how many names. */
export type Look = { readonly [path: string]: string };

/** A folder that a playbook changes in every way, with the real program, before and after as often as one wants. */
export class RealSite {
  readonly site: string;
  readonly state: string;
  readonly book: string;
  private readonly folder: string;
  private readonly start: string;

  /** `disk` is where the site stands and `stateDisk` where the state directory does; the rest stands in the folder. */
  constructor(folder: string, { disk = folder, stateDisk = folder }: { readonly disk?: string; readonly stateDisk?: string } = {}) {
    this.folder = folder;
    this.site = join(disk, "site");
    this.state = join(stateDisk, "state");
    this.book = join(folder, "book.yaml");
    this.start = join(folder, "start");
    const source = join(folder, "source");
    mkdirSync(join(source, "tree/inner"), { recursive: true });
    writeFileSync(join(source, "tree/one"), "one\n");
    writeFileSync(join(source, "tree/inner/two"), "two\n");
    writeFileSync(join(source, "large"), `${"large ".repeat(1000)}\n`.repeat(200));
    writeFileSync(this.book, playbook(this.site, source));
    mkdirSync(this.start);
    for (const path of FOLDERS) mkdirSync(join(this.start, path));
    for (const [path, content] of Object.entries(FILES)) writeFileSync(join(this.start, path), content, { mode: 0o644 });
    must("sh", "-ec", 'cd "$0"; chmod 600 private; ln -s gone link; echo shared > shared; ln shared shared-too', this.start);
    this.fresh();
  }

  /** As before anything was applied, and no state directory. */
  fresh(): void {
    rmSync(this.state, { recursive: true, force: true });
    rmSync(this.site, { recursive: true, force: true });
    must("cp", "-a", this.start, this.site);
  }

  /** Whether there is a run that a command could go on with. */
  begun(): boolean {
    const runs = join(this.state, "runs");
    return existsSync(runs) && readdirSync(runs).some((run) => existsSync(join(runs, run, "journal")));
  }

  /** One command line of the real program; `through` stands before it, such as strace. */
  setpoint(
    words: readonly string[],
    { through = [], env = {} }: { readonly through?: readonly string[]; readonly env?: object } = {},
  ): Ended {
    return run(this.argv(words, through), { cwd: this.folder, env });
  }

  argv(words: readonly string[], through: readonly string[] = []): readonly string[] {
    const [command, ...more] = words;
    const given = command === "apply" ? ["apply", this.book, "--yes", ...more] : words;
    return [...through, process.execPath, BIN, ...given, "--state-dir", this.state];
  }

  /** The same, until no command of a dead run is at work any more. */
  settled(words: readonly string[], options: Parameters<RealSite["setpoint"]>[1] = {}): Ended {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const ended = this.setpoint(words, options);
      if (ended.code !== 6 || !/still running/.test(ended.err + ended.out)) return ended;
      if (Date.now() > deadline) throw new Error(`a command never ended: ${ended.err}`);
    }
  }

  /** Resumes, or applies where no run was begun: either must reach the end. */
  finish(story: string, options: Parameters<RealSite["setpoint"]>[1] = {}): void {
    const resumed = this.settled(["resume"], options);
    if (resumed.code === 0) return;
    expect(resumed.err + resumed.out, story).toMatch(/no such run/);
    const applied = this.setpoint(["apply"], options);
    expect(applied.code, `${story}\n${applied.out}${applied.err}`).toBe(0);
  }

  /** Reverts what was begun. */
  undo(story: string, options: Parameters<RealSite["setpoint"]>[1] = {}): void {
    const reverted = this.settled(["revert"], options);
    if (reverted.code !== 0) expect(reverted.err + reverted.out, story).toMatch(/no such run/);
  }

  /** What stands in the site. A stash has a name that only its run knows. */
  look(): Look {
    const found: Record<string, string> = {};
    const visit = (folder: string, below: string): void => {
      for (const name of readdirSync(folder).sort()) {
        const relative = `${below}${name.replace(/^\.[a-z2-7]{16}-(\d+)-stash$/, "stash of $1")}`;
        const path = join(folder, name);
        const stat = lstatSync(path);
        const kept = `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`;
        if (stat.isDirectory()) {
          found[relative] = `directory ${kept}`;
          visit(path, `${relative}/`);
        } else if (stat.isSymbolicLink()) found[relative] = `link to ${readlinkSync(path)}`;
        else found[relative] = `file ${kept} ${stat.nlink} names, ${stat.size} bytes ${sha256(readFileSync(path)).slice(0, 16)}`;
      }
    };
    visit(this.site, "");
    return found;
  }

  /** The two states between which everything happens: before an apply, and after it. */
  ends(): { readonly before: Look; readonly after: Look } {
    this.fresh();
    const before = this.look();
    const applied = this.setpoint(["apply"]);
    expect(applied.code, applied.out + applied.err).toBe(0);
    const after = this.look();
    expect(after).not.toEqual(before);
    this.undo("uninterrupted");
    expect(this.look()).toEqual(before);
    this.fresh();
    return { before, after };
  }
}
