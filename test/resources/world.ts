import { dirname, resolve } from "node:path";
import {
  type Address,
  type Command,
  type Contents,
  type Declared,
  type Digest,
  type DirectoryEntry,
  type Json,
  type JsonObject,
  type Operation,
  type PathSight,
  type Ran,
  type Reader,
  type Receipt,
  type RegisterId,
  type State,
  SystemFault,
  sha256,
  type World,
} from "../../src/core/index.ts";

/** Contents in memory. */
export class MemoryContents implements Contents {
  readonly #bytes = new Map<string, Buffer>();

  put(bytes: Uint8Array | string): Digest {
    const digest = sha256(bytes);
    this.#bytes.set(digest, Buffer.from(bytes as Uint8Array));
    return digest;
  }

  bytes(digest: Digest): Buffer {
    const found = this.#bytes.get(digest);
    if (found === undefined) throw new Error(`no content ${digest}`);
    return found;
  }

  text(digest: Digest): string {
    return this.bytes(digest).toString("utf8");
  }

  size(digest: Digest): number | undefined {
    return this.#bytes.get(digest)?.length;
  }
}

type Inode = { content: Digest; mode: number; owner: string; group: string; xattrs?: { readonly [name: string]: string } };

/** What stands at a path of the disk. */
export type Node =
  | { readonly is: "file"; readonly inode: Inode }
  | {
      readonly is: "directory";
      mode: number;
      owner: string;
      group: string;
      xattrs?: { readonly [name: string]: string };
      readonly device: number;
    }
  | { readonly is: "symlink"; readonly to: string }
  | { readonly is: "other"; readonly what: "fifo" };

/**
 * What cases say of a path: a text is a file's content, a text that ends in a slash is no such thing. `{ link: to }`, `{ same: path }` (a hard
 * link), `{ directory: true }`, `{ fifo: true }`, `{ base64: … }`; mode, owner and group where they matter.
 */
export type Sketch =
  | string
  | {
      readonly content?: string;
      readonly base64?: string;
      readonly directory?: true;
      readonly mount?: true;
      readonly link?: string;
      readonly same?: string;
      readonly fifo?: true;
      readonly mode?: string;
      readonly owner?: string;
      readonly group?: string;
    };

/** A file system in memory that knows the operations of paths and complains where the real one would. */
export class Disk {
  readonly nodes = new Map<string, Node>();
  readonly contents: MemoryContents;
  /** Listings and looks, to see what a type costs. */
  reads = 0;

  constructor(contents: MemoryContents, sketches: { readonly [path: string]: Sketch } = {}) {
    this.contents = contents;
    this.nodes.set("/", { is: "directory", mode: 0o755, owner: "root", group: "root", device: 1 });
    for (const [path, sketch] of Object.entries(sketches)) this.draw(path, sketch);
  }

  draw(path: string, sketch: Sketch): void {
    const missing: string[] = [];
    for (let up = dirname(path); !this.nodes.has(up); up = dirname(up)) missing.unshift(up);
    for (const folder of missing)
      this.nodes.set(folder, { is: "directory", mode: 0o755, owner: "root", group: "root", device: this.#deviceOf(folder) });
    const given = typeof sketch === "string" ? { content: sketch } : sketch;
    const mode = given.mode === undefined ? undefined : Number.parseInt(given.mode, 8);
    const { owner = "root", group = "root" } = given;
    if (given.link !== undefined) this.nodes.set(path, { is: "symlink", to: given.link });
    else if (given.fifo) this.nodes.set(path, { is: "other", what: "fifo" });
    else if (given.directory || given.mount)
      this.nodes.set(path, { is: "directory", mode: mode ?? 0o755, owner, group, device: given.mount ? 2 : this.#deviceOf(path) });
    else if (given.same !== undefined) this.nodes.set(path, { is: "file", inode: this.#file(given.same) });
    else {
      const content = this.contents.put(given.base64 === undefined ? (given.content ?? "") : Buffer.from(given.base64, "base64"));
      this.nodes.set(path, { is: "file", inode: { content, mode: mode ?? 0o644, owner, group } });
    }
  }

  look(path: string): PathSight {
    this.reads += 1;
    const node = this.nodes.get(path);
    if (node === undefined) return { is: "absent" };
    if (node.is === "directory") return { is: "directory", mode: node.mode, owner: node.owner, group: node.group };
    if (node.is !== "file") return node;
    const links = [...this.nodes.values()].filter((other) => other.is === "file" && other.inode === node.inode).length;
    const { content, mode, owner, group } = node.inode;
    return { is: "file", content, mode, owner, group, size: this.contents.size(content) ?? 0, ...(links > 1 && { links }) };
  }

  list(path: string): readonly DirectoryEntry[] | undefined {
    this.reads += 1;
    if (this.nodes.get(path)?.is !== "directory") return undefined;
    const prefix = path === "/" ? "/" : `${path}/`;
    return [...this.nodes]
      .filter(([other]) => other !== "/" && other.startsWith(prefix) && !other.slice(prefix.length).includes("/"))
      .map(([other, node]): DirectoryEntry => ({ name: other.slice(prefix.length), type: node.is === "other" ? node.what : node.is }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  resolve(path: string): string {
    let walked = "";
    for (const name of path
      .split("/")
      .filter((part) => part !== "")
      .slice(0, -1)) {
      const node = this.nodes.get(`${walked}/${name}`);
      if (node?.is === "symlink") walked = this.resolve(`${node.to.startsWith("/") ? node.to : `${walked}/${node.to}`}/.`).slice(0, -2);
      else if (name === "..") walked = dirname(walked) === "/" ? "" : dirname(walked);
      else walked += `/${name}`;
    }
    return path === "/" ? path : `${walked}/${path.split("/").at(-1) ?? ""}`;
  }

  /** Performs an operation on a path as the real performers do; others are left to the test. */
  perform(operation: Operation): void {
    if (!("path" in operation)) return;
    const { path } = operation;
    const node = this.nodes.get(path);
    const stands = node?.is ?? "absent";
    const needs = (fits: boolean): void => {
      if (!fits) throw new Error(`${JSON.stringify(operation)} while ${path} is ${stands}`);
    };
    const fresh = { mode: 0o644, owner: "me", group: "me" };
    if (operation.do !== "remove") needs(this.nodes.get(dirname(path))?.is === "directory");
    switch (operation.do) {
      case "replaceFile": {
        needs(stands === operation.over);
        const { content, mode, owner, group, xattrs } = operation;
        const kept = node?.is === "file" ? node.inode : fresh;
        this.nodes.set(path, { is: "file", inode: { content, ...attributes(kept, { mode, owner, group }), ...(xattrs && { xattrs }) } });
        break;
      }
      case "writeInPlace":
        needs(node?.is === "file");
        if (node?.is === "file") Object.assign(node.inode, { content: operation.content }, attributes(node.inode, operation));
        break;
      case "setAttributes":
        needs(stands === operation.is);
        if (node?.is === "file") Object.assign(node.inode, attributes(node.inode, operation));
        if (node?.is === "directory") Object.assign(node, attributes(node, operation));
        break;
      case "remove":
        needs(stands === operation.is && (stands !== "directory" || this.list(path)?.length === 0));
        this.nodes.delete(path);
        break;
      case "makeDirectory":
        needs(stands === "absent");
        this.nodes.set(path, {
          is: "directory",
          ...attributes({ ...fresh, mode: 0o755 }, operation),
          device: this.#deviceOf(path),
          ...(operation.xattrs && { xattrs: operation.xattrs }),
        });
        break;
      case "makeLink":
        needs(stands === operation.over);
        this.nodes.set(path, { is: "symlink", to: operation.to });
        break;
      case "makeHardLink":
        needs(stands === operation.over);
        this.nodes.set(path, { is: "file", inode: this.#file(operation.to) });
        break;
    }
  }

  #file(path: string): Inode {
    const node = this.nodes.get(path);
    if (node?.is !== "file") throw new Error(`${path} is no file`);
    return node.inode;
  }

  #deviceOf(path: string): number {
    for (let up = dirname(path); ; up = dirname(up)) {
      const node = this.nodes.get(up);
      if (node?.is === "directory") return node.device;
    }
  }

  deviceAt(path: string): number | undefined {
    const node = this.nodes.get(path);
    return node === undefined ? undefined : node.is === "directory" ? node.device : this.#deviceOf(path);
  }
}

type Owned = { mode: number; owner: string; group: string };

function attributes(
  kept: Owned,
  given: { readonly mode?: number | undefined; readonly owner?: string | undefined; readonly group?: string | undefined },
): Owned {
  return { mode: given.mode ?? kept.mode, owner: given.owner ?? kept.owner, group: given.group ?? kept.group };
}

const accounts: { readonly [id: string]: string } = { "0": "root", "33": "www-data" };

/** What a command of a test answers: an exit code by its words. */
export type Answers = { readonly [words: string]: number };

/** A reader on a disk. */
const refused = () => Promise.reject(new SystemFault("ECONNREFUSED", "there is no network in this test"));
const noRemote: Reader["remote"] = { http: refused, message: refused, stored: refused, sql: refused };

export function readerOn(
  disk: Disk,
  options: { readonly answers?: Answers; readonly receipts?: { readonly [key: string]: Receipt }; readonly mayAsk?: boolean } = {},
): Reader & { readonly asked: Command[] } {
  const asked: Command[] = [];
  return {
    asked,
    contents: disk.contents,
    remote: noRemote,
    mayAsk: options.mayAsk ?? true,
    lookAt: (paths) => paths.map((path) => disk.look(path)),
    list: (path) => disk.list(path),
    resolve: (path) => disk.resolve(path),
    source(path) {
      const sight = disk.look(disk.resolve(path));
      return sight.is === "file" ? { content: sight.content, mode: sight.mode, size: sight.size } : undefined;
    },
    sameFile(a, b) {
      const [one, other] = [disk.nodes.get(a), disk.nodes.get(b)];
      return one?.is === "file" && other?.is === "file" && one.inode === other.inode;
    },
    device: (path) => disk.deviceAt(path),
    xattrs: (paths) =>
      new Map(
        paths.flatMap((path) => {
          const node = disk.nodes.get(path);
          const xattrs = node?.is === "file" ? node.inode.xattrs : node?.is === "directory" ? node.xattrs : undefined;
          return xattrs === undefined ? [] : [[path, xattrs] as const];
        }),
      ),
    async ask(command): Promise<Ran> {
      asked.push(command);
      return { code: options.answers?.[command.argv.join(" ")] ?? 1, stdout: "", stderr: "" };
    },
    receipt: (key) => options.receipts?.[key],
    ownerName: (owner) => accounts[owner] ?? owner,
    groupName: (group) => accounts[group] ?? group,
  };
}

/** A problem as a type reports it. */
export type Reported = Parameters<World["report"]>[0];

/** A world around a reader; what is reported is gathered in `reported`. */
export function worldOn(
  reader: Reader,
  more: {
    readonly common?: JsonObject;
    readonly registers?: { readonly [address: string]: readonly string[] };
    readonly address?: string;
  } = {},
): World & { readonly reported: Reported[] } {
  const reported: Reported[] = [];
  const place = { file: "site.yaml", line: 1, column: 1 };
  const address = (more.address ?? "type:name") as Address;
  const declared: Declared = {
    type: "type",
    name: "name",
    address,
    at: place,
    spec: {},
    place: () => place,
    common: more.common ?? {},
    scope: {},
    selected: true,
    folder: "/book",
  };
  return {
    reported,
    stack: "site",
    declared,
    contents: reader.contents,
    reader,
    target: (path) =>
      reader.resolve(resolve(path.startsWith("~/") ? `/home/me/${path.slice(2)}` : path.startsWith("/") ? path : `/work/${path}`)),
    source: (path) => (path.startsWith("/") ? path : `/book/${path}`),
    render: (text, vars) =>
      text.replace(/\{\{ *(\w+) *\}\}/g, (_, name: string) => String((vars as { [name: string]: Json })[name] ?? `<${name}>`)),
    registersOf: (wanted) => (more.registers?.[wanted] ?? []) as readonly RegisterId[],
    report: (problem) => reported.push(problem),
  };
}

/** A state in a test's own words: contents as text. */
export function spelled(state: State, contents: Contents): JsonObject {
  return typeof state.content === "string" ? { ...state, content: contents.text(state.content as Digest) } : state;
}
