import { type Chooser, seeded } from "../../src/system/simulated/index.ts";
import type { World } from "./simulated-world.ts";

type Resource = Record<string, unknown>;

/** A world under construction. */
class Builder {
  readonly resources: Resource[] = [];
  readonly folders: string[] = ["w/site"];
  readonly files: Record<string, string> = {};
  readonly modes: Record<string, number> = {};
  readonly links: Record<string, string> = {};
  readonly hardlinks: Record<string, string> = {};
  private readonly choose: Chooser;
  private count = 0;

  constructor(choose: Chooser) {
    this.choose = choose;
  }

  one<T>(options: readonly T[]): T {
    return options[this.choose(options.length)] as T;
  }

  chance(outOf: number): boolean {
    return this.choose(outOf) === 0;
  }

  /** A path that nothing else uses, relative to the playbook. */
  fresh(kind: string): string {
    this.count += 1;
    return `${this.folder()}/${kind}-${this.count}`;
  }

  private folder(): string {
    const known = this.folders.filter((folder) => /^w\/site(\/inner-\d+)*$/.test(folder));
    if (!this.chance(4)) return (this.one(known) ?? "w/site").slice(2);
    this.count += 1;
    const made = `${this.one(known)}/inner-${this.count}`;
    this.folders.push(made);
    return made.slice(2);
  }

  text(): string {
    const lines = Array.from(
      { length: this.choose(4) },
      () => `${this.one(["alpha", "beta", "gamma", "port = 1", "über"])} ${this.choose(5)}`,
    );
    return lines.length === 0 ? "" : `${lines.join("\n")}${this.chance(4) ? "" : "\n"}`;
  }

  /** A file that stands there before, with whatever mode. */
  stands(path: string, content = this.text()): void {
    this.files[`w/${path}`] = content;
    if (this.chance(3)) this.modes[`w/${path}`] = this.one([0o600, 0o640, 0o755, 0o444, 0o4755]);
  }

  attributes(): Resource {
    return {
      ...(this.chance(3) && { mode: this.one(["0600", "0640", "0644", "0755", "1777"]) }),
      ...(this.chance(6) && { owner: this.one([7, 1000]) }),
    };
  }
}

/** What can stand in a generated playbook: each adds a resource and what is there before it. */
const KINDS: readonly ((world: Builder) => void)[] = [
  function wholeFile(world) {
    const path = world.fresh("file");
    const before = world.one(["absent", "file", "file", "link", "shared"]);
    if (before === "file") world.stands(path);
    if (before === "link") world.links[`w/${path}`] = "nowhere";
    if (before === "shared") {
      const other = world.fresh("bystander");
      world.stands(other);
      world.hardlinks[`w/${path}`] = `w/${other}`;
    }
    world.resources.push({
      file: path,
      content: world.text(),
      ...world.attributes(),
      ...(before === "link" && { replace: true }),
      ...(before === "shared" && { hardlinks: "break" }),
    });
  },
  function inPlace(world) {
    const path = world.fresh("place");
    world.stands(path);
    world.resources.push({ file: path, content: world.text(), write: "in-place", ...world.attributes() });
  },
  function attributesAlone(world) {
    const path = world.fresh("kept");
    world.stands(path);
    world.resources.push({ file: path, mode: world.one(["0600", "0644", "0750"]), ...world.attributes() });
  },
  function noFile(world) {
    const path = world.fresh("gone");
    if (!world.chance(4)) world.stands(path);
    world.resources.push({ file: path, state: "absent" });
  },
  function sharedFileGone(world) {
    const [path, other] = [world.fresh("gone"), world.fresh("bystander")];
    world.stands(other);
    world.hardlinks[`w/${path}`] = `w/${other}`;
    world.resources.push({ file: path, state: "absent", hardlinks: "break" });
  },
  function newFolder(world) {
    const path = `${world.fresh("folder")}/below/deep`;
    world.resources.push({ directory: path, ...world.attributes() });
    if (world.chance(2)) world.resources.push({ file: `${path}/in-it`, content: world.text(), ...world.attributes() });
  },
  function exactFolder(world) {
    const path = world.fresh("exact");
    world.folders.push(`w/${path}`, `w/${path}/stray`);
    world.stands(`${path}/stray/file`);
    if (world.chance(2)) world.stands(`${path}/another`);
    if (world.chance(2)) world.links[`w/${path}/link`] = "somewhere";
    world.resources.push({ directory: path, exact: true, ...world.attributes() });
    if (world.chance(2)) world.resources.push({ file: `${path}/declared`, content: world.text() });
  },
  function noFolder(world) {
    const path = world.fresh("tree-gone");
    world.folders.push(`w/${path}`, `w/${path}/inner`);
    world.stands(`${path}/one`);
    world.stands(`${path}/inner/two`);
    world.resources.push({ directory: path, state: "absent" });
  },
  function tree(world) {
    const path = world.fresh("copy");
    const source = `source-${path.split("-").at(-1)}`;
    world.folders.push(`w/${source}`, `w/${source}/inner`);
    world.stands(`${source}/one`);
    world.stands(`${source}/inner/two`);
    if (world.chance(2)) {
      world.folders.push(`w/${path}`);
      world.stands(`${path}/one`);
      if (world.chance(2)) world.stands(`${path}/own`);
    }
    world.resources.push({ tree: path, source, exact: world.chance(2), ...(world.chance(3) && { file_mode: "0640" }) });
  },
  function link(world) {
    const path = world.fresh("link");
    const before = world.one(["absent", "link", "file"]);
    if (before === "link") world.links[`w/${path}`] = "elsewhere";
    if (before === "file") world.stands(path);
    world.resources.push({ link: path, to: world.one(["a", "../b"]), ...(before === "file" && { replace: true }) });
  },
  function noLink(world) {
    const path = world.fresh("link-gone");
    world.links[`w/${path}`] = "elsewhere";
    world.resources.push({ link: path, state: "absent" });
  },
  function hardLink(world) {
    const [path, other] = [world.fresh("second"), world.fresh("first")];
    world.stands(other);
    if (world.chance(2)) world.stands(path);
    world.resources.push({ link: path, hard: other, replace: true });
  },
  function edits(world) {
    const path = world.fresh("edited");
    world.stands(path, `first\n${world.text()}last\n`);
    const all: Resource[] = [
      { line: path, text: world.one(["from the playbook", "alpha 1"]) },
      { line: path, match: "^beta", state: "absent" },
      { block: path, text: "one\ntwo\n", marker: "m" },
      { replace: path, pattern: "first", with: "changed" },
    ];
    for (const edit of all) if (world.chance(2)) world.resources.push({ ...edit, ...(world.chance(4) && { mode: "0600" }) });
  },
  function config(world) {
    const path = `${world.fresh("config")}.${world.one(["json", "ini", "toml", "yaml"])}`;
    const texts: { readonly [ending: string]: string } = {
      json: '{\n  "a": 1,\n  "b": { "c": 2 }\n}\n',
      ini: "[b]\nc=2\n",
      toml: "a = 1\n\n[b]\nc = 2\n",
      yaml: "a: 1\nb:\n  c: 2\n",
    };
    const there = !world.chance(4);
    if (there) world.stands(path, texts[path.slice(path.lastIndexOf(".") + 1)]);
    world.resources.push({ config: path, set: { "b.c": world.one([2, 3]), "b.d": "new" }, ...(!there && { create: true }) });
  },
  function command(world) {
    const made = `made-${world.fresh("x").split("-").at(-1)}`;
    const guard = world.one<Resource>([{ creates: made }, { creates: made }, { once: true, idempotent: true }]);
    world.resources.push({ command: made, run: ["make", made, "by a program"], ...guard, undo: ["unmake", made] });
    if (world.chance(2)) world.resources.push({ line: made, text: "and by the playbook" });
  },
];

/** A playbook and what stands there before it, the same for the same seed. Without programs nothing of it is tentative. */
export function generatedWorld(seed: number, { programs = true } = {}): World {
  const world = new Builder(seeded(seed * 2_654_435 + 1));
  const kinds = programs ? KINDS : KINDS.filter(({ name }) => name !== "command");
  const count = 1 + Number(world.one([1, 2, 3, 4, 6, 9]));
  for (let index = 0; index < count; index++) world.one(kinds)(world);
  // YAML takes JSON as it is.
  const playbook = `${JSON.stringify({ setpoint: 1, name: "generated", resources: world.resources }, null, 1)}\n`;
  const { folders, files, modes, links, hardlinks } = world;
  return { playbook, folders, files, modes, links, hardlinks };
}
