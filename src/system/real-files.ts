import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { type DirectoryEntry, type FileStat, type Files, SystemFault } from "../core/index.ts";
import { fromNative, toNative } from "./native-path.ts";
import { writeFully } from "./write-fully.ts";

const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = fs.constants;

/** Which of the types a mode's file-type bits name. */
const TYPES: { readonly [bits: number]: FileStat["type"] } = {
  [fs.constants.S_IFREG]: "file",
  [fs.constants.S_IFDIR]: "directory",
  [fs.constants.S_IFLNK]: "symlink",
  [fs.constants.S_IFIFO]: "fifo",
  [fs.constants.S_IFSOCK]: "socket",
  [fs.constants.S_IFBLK]: "block device",
  [fs.constants.S_IFCHR]: "character device",
};

const { S_IFMT, S_IFREG } = fs.constants;

function typeOf(mode: number): FileStat["type"] {
  const bits = mode & S_IFMT;
  return bits === S_IFREG ? "file" : (TYPES[bits] ?? "character device");
}

function statOf(stats: fs.Stats): FileStat {
  return {
    type: typeOf(stats.mode),
    dev: stats.dev,
    ino: stats.ino,
    size: stats.size,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    nlink: stats.nlink,
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
    blocks: stats.blocks,
  };
}

function entryType(entry: fs.Dirent<string> | fs.Dirent<Buffer>): FileStat["type"] {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  if (entry.isSymbolicLink()) return "symlink";
  if (entry.isFIFO()) return "fifo";
  if (entry.isSocket()) return "socket";
  return entry.isBlockDevice() ? "block device" : "character device";
}

function write(fd: number, bytes: Uint8Array, position: number | null): void {
  writeFully(bytes.length, (offset, count) => fs.writeSync(fd, bytes, offset, count, position === null ? null : position + offset));
}

/** The real file system by node:fs. Synchronous, because promises are several times slower for small files. */
export const realFiles: Files = {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  openRead: (path) => fs.openSync(toNative(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
  openDirectory: (path) => fs.openSync(toNative(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
  createNew: (path, mode) => fs.openSync(toNative(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode),
  openAppend: (path, create) => fs.openSync(toNative(path), O_RDWR | O_APPEND | O_NOFOLLOW | (create ? O_CREAT : 0), 0o600),
  openLock: (path) => fs.openSync(toNative(path), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600),
  openWrite: (path) => fs.openSync(toNative(path), O_RDWR | O_NOFOLLOW | O_NONBLOCK),
  close: (fd) => fs.closeSync(fd),
  read: (fd, buffer, offset, length, position) => fs.readSync(fd, buffer, offset, length, position),
  writeAll: (fd, bytes) => write(fd, bytes, null),
  writeAt: (fd, bytes, position) => write(fd, bytes, position),
  truncate: (fd, size) => fs.ftruncateSync(fd, size),
  fstat: (fd) => statOf(fs.fstatSync(fd)),
  lstat(path) {
    try {
      const stats = fs.lstatSync(toNative(path), { throwIfNoEntry: false });
      return stats && statOf(stats);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
      throw thrown;
    }
  },
  readDirectory(path) {
    const native = toNative(path);
    const entries = fs.readdirSync(native, { withFileTypes: true });
    if (!entries.some((entry) => entry.name.includes("\ufffd")))
      return entries.map((entry): DirectoryEntry => ({ name: entry.name, type: entryType(entry) }));
    // Typings know no Dirent of bytes together with a path of bytes.
    const raw = fs.readdirSync(native, { withFileTypes: true, encoding: "buffer" }) as unknown as fs.Dirent<Buffer>[];
    return raw.map((entry): DirectoryEntry => ({ name: fromNative(entry.name), type: entryType(entry) }));
  },
  readLink: (path) => fromNative(fs.readlinkSync(toNative(path), { encoding: "buffer" })),
  realpath: (path) => fromNative(fs.realpathSync.native(toNative(path), { encoding: "buffer" })),
  makeDirectory(path, mode) {
    // The umask would take bits away, and a second call to give them back could be cut off from the first.
    const umask = process.umask(0);
    try {
      fs.mkdirSync(toNative(path), { mode });
    } finally {
      process.umask(umask);
    }
  },
  removeDirectory: (path) => fs.rmdirSync(toNative(path)),
  unlink: (path) => fs.unlinkSync(toNative(path)),
  rename: (from, to) => fs.renameSync(toNative(from), toNative(to)),
  link: (existing, path) => fs.linkSync(toNative(existing), toNative(path)),
  symlink: (to, path) => fs.symlinkSync(toNative(to), toNative(path)),
  chmod: (fd, mode) => fs.fchmodSync(fd, mode),
  chown: (fd, uid, gid) => fs.fchownSync(fd, uid, gid),
  chownLink: (path, uid, gid) => fs.lchownSync(toNative(path), uid, gid),
  sync: (fd) => fs.fsyncSync(fd),
  syncData: (fd) => fs.fdatasyncSync(fd),
  async syncAll(fds) {
    const ends = await Promise.allSettled(
      fds.map((fd) => new Promise<void>((done, fail) => fs.fsync(fd, (failed) => (failed ? fail(failed) : done())))),
    );
    const failed = ends.find((end) => end.status === "rejected");
    if (failed) throw failed.reason;
  },
  syncFileSystem(directory) {
    return new Promise((done, fail) => {
      // Handed over open: whatever its path leads to by now, this is the directory.
      const child = spawn("sync", ["-f", "--", "/proc/self/fd/3"], { stdio: ["ignore", "ignore", "ignore", directory] });
      child.once("error", () => done(false));
      child.once("close", (code) =>
        code === 0 ? done(true) : fail(new SystemFault("EIO", `syncing a whole file system failed`, { mutated: "maybe" })),
      );
    });
  },
  clone(from, to) {
    try {
      fs.copyFileSync(toNative(from), toNative(to), fs.constants.COPYFILE_FICLONE_FORCE | fs.constants.COPYFILE_EXCL);
      return true;
    } catch (thrown) {
      const code = (thrown as NodeJS.ErrnoException).code ?? "";
      if (["ENOTSUP", "EOPNOTSUPP", "EXDEV", "EINVAL", "ENOSYS", "ENOTTY"].includes(code)) {
        // libuv leaves the new, empty file behind where the call is not known.
        fs.rmSync(to, { force: true });
        return false;
      }
      throw thrown;
    }
  },
  freeSpace(path) {
    const stats = fs.statfsSync(toNative(path));
    return { bytes: stats.bavail * stats.bsize, files: stats.files === 0 ? Number.MAX_SAFE_INTEGER : stats.ffree, fileSystem: stats.type };
  },
  xattrs(paths) {
    const found = new Map<string, Record<string, string>>();
    const LIMIT = 500;
    for (let from = 0; from < paths.length; from += LIMIT)
      for (const [path, attributes] of xattrsOf(paths.slice(from, from + LIMIT))) found.set(path, attributes);
    return found;
  },
  setXattrs(path, attributes) {
    const names = Object.entries(attributes);
    if (names.length === 0) return;
    const dump = `# file: ${escapeName(path)}\n${names.map(([name, value]) => `${name}=0x${value}\n`).join("")}\n`;
    const ran = spawnSync("setfattr", ["-h", "--restore=-"], { input: Buffer.from(dump, "latin1"), cwd: "/" });
    if (ran.error)
      throw new SystemFault(
        "setfattr-missing",
        `${path} has extended attributes (${names.map(([name]) => name).join(", ")}), and setfattr is not installed (package attr)`,
      );
    if (ran.status !== 0)
      throw new SystemFault("xattr", `setting the extended attributes of ${path} failed: ${ran.stderr.toString().trim()}`, {
        mutated: "maybe",
      });
  },
};

/** getfattr's own escape: backslash, newline and bytes outside ASCII as three octal digits. */
function escapeName(path: string): string {
  const native = toNative(path);
  let text = "";
  for (const byte of typeof native === "string" ? Buffer.from(native) : native) {
    text += byte === 0x5c || byte < 0x20 || byte > 0x7e ? `\\${byte.toString(8).padStart(3, "0")}` : String.fromCharCode(byte);
  }
  return text;
}

function unescapeName(text: string): string {
  const bytes: number[] = [];
  for (let index = 0; index < text.length; index++) {
    const octal = text[index] === "\\" ? /^[0-7]{3}/.exec(text.slice(index + 1, index + 4)) : null;
    if (octal) {
      bytes.push(Number.parseInt(octal[0], 8));
      index += 3;
    } else {
      bytes.push(text.charCodeAt(index));
    }
  }
  return fromNative(Buffer.from(bytes));
}

/** One getfattr for many files: a process a file would cost more than all else. */
function xattrsOf(paths: readonly string[]): ReadonlyMap<string, Record<string, string>> {
  const text = paths.filter((path) => typeof toNative(path) === "string");
  const found = new Map(text.length === 0 ? [] : askXattrs(text, "-h"));
  for (const path of paths) {
    if (typeof toNative(path) === "string") continue;
    const attributes = xattrsOfOpen(path);
    if (attributes !== undefined) found.set(path, attributes);
  }
  return found;
}

/** A name that is no UTF-8 cannot be an argument, so its file is handed over open. A symbolic link has none that a user could set. */
function xattrsOfOpen(path: string): Record<string, string> | undefined {
  let fd: number;
  try {
    fd = fs.openSync(toNative(path), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === "ELOOP" || code === "ENOENT") return undefined;
    throw thrown;
  }
  try {
    return [...askXattrs(["/proc/self/fd/3"], "-L", fd).values()][0];
  } finally {
    fs.closeSync(fd);
  }
}

function askXattrs(paths: readonly string[], how: string, fd?: number): ReadonlyMap<string, Record<string, string>> {
  const found = new Map<string, Record<string, string>>();
  const ran = spawnSync("getfattr", ["--absolute-names", how, "-d", "-m", "-", "-e", "hex", "--", ...paths], {
    maxBuffer: 64 << 20,
    encoding: "latin1",
    env: { LC_ALL: "C", PATH: process.env.PATH },
    stdio: ["ignore", "pipe", "pipe", ...(fd === undefined ? [] : [fd])],
  });
  if (ran.error) {
    if ((ran.error as NodeJS.ErrnoException).code === "ENOENT") return withoutGetfattr(paths);
    throw new SystemFault("xattr", `getfattr could not be run: ${ran.error.message}`, { cause: ran.error });
  }
  // 1 where one of the files is gone or cannot be read; the file system without xattrs answers nothing.
  const failed = ran.stderr.split("\n").find((line) => line !== "" && !/No such file|Operation not supported|Not a directory/.test(line));
  if (failed !== undefined) throw new SystemFault("xattr", `getfattr failed: ${failed}`);
  for (const block of ran.stdout.split("\n\n")) {
    const lines = block.split("\n").filter((line) => line !== "");
    const head = lines.shift();
    if (head === undefined || !head.startsWith("# file: ")) continue;
    const attributes: Record<string, string> = {};
    for (const line of lines) {
      const at = line.indexOf("=");
      attributes[at < 0 ? line : line.slice(0, at)] = at < 0 ? "" : line.slice(at + 3);
    }
    found.set(unescapeName(head.slice("# file: ".length)), attributes);
  }
  return found;
}

/**
 * Without getfattr nobody can tell what a file has. coreutils' ls marks ACLs, which are the common case, so that at
 * least they are never lost unseen.
 */
function withoutGetfattr(paths: readonly string[]): ReadonlyMap<string, Record<string, string>> {
  const ran = spawnSync("ls", ["-ld", "--quoting-style=c", "--", ...paths], {
    encoding: "latin1",
    env: { LC_ALL: "C", PATH: process.env.PATH },
  });
  const marked = ran.error ? undefined : ran.stdout.split("\n").find((line) => /^\S{10}\+/.test(line));
  if (marked !== undefined)
    throw new SystemFault(
      "getfattr-missing",
      `a file to be replaced has an ACL, and getfattr is not installed to keep it (package attr): ${marked}`,
    );
  return new Map();
}
