import { errnoOf, type Operation, type System, SystemFault } from "../core/index.ts";
import { replaceFile, writeInPlace } from "./file-performers.ts";
import { sendHttp } from "./network/http-performer.ts";
import { prepareHttp } from "./network/http-two-phase.ts";
import { publish, sendMail } from "./network/message-performers.ts";
import { sendSql } from "./network/sql-performer.ts";
import { prepareSql } from "./network/sql-two-phase.ts";
import { setStored } from "./network/store-performer.ts";
import { makeDirectory, makeHardLink, makeLink, remove, setAttributes, settle } from "./path-performers.ts";
import { fault } from "./read-file.ts";
import { run } from "./run-performer.ts";
import { type ActionContext, type GroupParts, type Prepared, Workbench } from "./workbench.ts";

/** Number of temp files from which one syncfs is cheaper than an fsync each. */
const SYNCFS_FROM = 256;

/**
 * Actions that are prepared one by one, made durable together, and then committed in order: the group commit of
 * reliability.md §3. What must be durable before the commits, and which directories after them, the performers say here.
 */
export class CommitGroup {
  private readonly bench: Workbench;

  constructor(parts: GroupParts) {
    this.bench = new Workbench(parts);
  }

  /** Reads, in one go, the extended attributes of the files that will be replaced, so that they are kept. */
  keepAttributesOf(paths: readonly string[]): void {
    if (paths.length > 0) this.bench.xattrs = this.bench.parts.system.files.xattrs(paths);
  }

  /** Does all that can fail or take long. Throws SystemFault, having left nothing behind. */
  prepare(operation: Operation, context: ActionContext): Prepared | Promise<Prepared> {
    switch (operation.do) {
      case "replaceFile":
        return replaceFile(this.bench, operation, context);
      case "writeInPlace":
        return writeInPlace(this.bench, operation, context);
      case "setAttributes":
        return setAttributes(this.bench, operation);
      case "remove":
        return remove(this.bench, operation, context);
      case "makeDirectory":
        return makeDirectory(this.bench, operation);
      case "makeLink":
        return makeLink(this.bench, operation, context);
      case "makeHardLink":
        return makeHardLink(this.bench, operation, context);
      case "sync":
        return settle(this.bench, operation);
      case "run":
        return run(this.bench, operation, context);
      case "http":
        return context.gid !== undefined && operation.ends !== undefined
          ? prepareHttp(this.bench.parts.remotes, { ...operation, ends: operation.ends }, context)
          : sendHttp(this.bench.parts.remotes, operation, context);
      case "sql":
        if (context.standing !== undefined) this.bench.parts.keepContent(context.standing);
        return context.gid === undefined
          ? sendSql(this.bench.parts.remotes, this.bench.parts.contents, operation, context)
          : prepareSql(this.bench.parts.remotes, this.bench.parts.contents, operation, context, context.gid);
      case "publish":
        return publish(this.bench.parts.remotes, operation, context);
      case "mail":
        return sendMail(this.bench.parts.remotes, operation, context);
      case "store":
        return setStored(this.bench, operation, context);
      case "record":
        return { commit: () => undefined, abandon: () => undefined };
      default:
        throw new SystemFault("unknown-operation", `this version cannot perform ${(operation as { do: string }).do}`);
    }
  }

  /** Makes the temp files durable. Throws SystemFault: final (W5). */
  async syncBefore(): Promise<void> {
    const { files } = this.bench.parts.system;
    try {
      const asides = [...this.bench.asides].map((folder) => this.bench.parts.directories.descriptor(folder));
      const whole = this.bench.temps.length > SYNCFS_FROM && (await this.syncWhole());
      await files.syncAll([...(whole ? [] : this.bench.temps.map(({ fd }) => fd)), ...asides]);
    } catch (thrown) {
      throw fault(thrown, "making new files durable");
    }
  }

  /** One syncfs a file system in place of many fsyncs, where little else is waiting to be written. */
  private async syncWhole(): Promise<boolean> {
    const { files } = this.bench.parts.system;
    if (!fewDirtyPages(this.bench.parts.system)) return false;
    const byDevice = new Map(this.bench.temps.map(({ fd, path }) => [files.fstat(fd).dev, path]));
    for (const path of byDevice.values())
      if (!(await files.syncFileSystem(this.bench.parts.directories.descriptor(path.slice(0, path.lastIndexOf("/")) || "/")))) return false;
    return true;
  }

  /** Makes the commits durable: each touched directory once. */
  async syncAfter(): Promise<void> {
    const { system, directories } = this.bench.parts;
    const fds: number[] = [...this.bench.open];
    try {
      for (const directory of this.bench.touched) {
        // What was removed in this group needs no sync; the nearest that stands has it.
        fds.push(directories.descriptor(directory));
      }
      await system.files.syncAll(fds);
    } catch (thrown) {
      const code = errnoOf(thrown);
      if (code === "EINVAL" || code === "ENOTSUP")
        this.bench.parts.warn(
          "a file system here cannot make directories durable: after a power cut a change may be missing (durability: weak)",
        );
      else throw fault(thrown, "making changes durable", "maybe");
    } finally {
      this.close();
    }
  }

  /** Closes what the group holds open; after abandoning or syncing. */
  close(): void {
    const { files } = this.bench.parts.system;
    for (const { fd } of this.bench.temps) files.close(fd);
    for (const fd of this.bench.open) files.close(fd);
    this.bench.temps.length = 0;
    this.bench.open.length = 0;
    this.bench.parts.directories.trim();
  }
}

/** syncfs flushes strangers' pages too: only where under 256 MiB wait in all. */
function fewDirtyPages(system: System): boolean {
  let text = "";
  try {
    const fd = system.files.openRead("/proc/meminfo");
    const buffer = Buffer.alloc(4096);
    text = buffer.toString("latin1", 0, system.files.read(fd, buffer, 0, buffer.length, null));
    system.files.close(fd);
  } catch {
    return false; // no /proc/meminfo: nothing is known, so each file is synced for itself
  }
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? Number.POSITIVE_INFINITY);
  return kilobytes("Dirty") + kilobytes("Writeback") < 256 * 1024;
}
