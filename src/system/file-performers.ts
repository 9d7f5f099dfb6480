import { type Operation, SystemFault } from "../core/index.ts";
import { bytesUnlessInFile, copyContent } from "./copy-content.ts";
import { fault } from "./read-file.ts";
import { keepInode, restoreInode } from "./stash.ts";
import type { ActionContext, Prepared, Workbench } from "./workbench.ts";

/** A file's whole content and metadata, by a temp file beside it and one rename (reliability.md §6). Throws SystemFault. */
export function replaceFile(
  bench: Workbench,
  operation: Operation & { do: "replaceFile" },
  context: ActionContext,
): Prepared | Promise<Prepared> {
  const { system, directories } = bench.parts;
  const { files } = system;
  const { path } = operation;
  const target = directories.leaf(path);
  const last = bench.keepStanding(path, context);
  const restored = context.back ? restoreInode(bench, operation, context, target, last) : undefined;
  if (restored) return restored;
  const { direct, name } = bench.temp(path, context);
  let fd: number | undefined;
  const abandon = () => {
    if (files.lstat(name)) files.unlink(name);
  };
  try {
    fd = bench.createTemp(name);
    copyContent(files, bench.parts.contents, operation.content, fd);
    const stays = operation.over === "file" ? bench.xattrs.get(path) : undefined;
    bench.setMetadata(fd, direct, {
      ...operation,
      mode: operation.mode ?? 0o644,
      ...((operation.xattrs ?? stays) && { xattrs: operation.xattrs ?? stays ?? {} }),
    });
  } catch (thrown) {
    if (fd !== undefined) {
      files.close(fd);
      abandon();
    }
    throw fault(thrown, `writing ${path}`);
  }
  const temp = fd;
  let standing = last;
  let forget: () => void = () => undefined;
  try {
    if (operation.breaks && !context.back) ({ standing, forget } = keepInode(bench, path, target, context, last));
  } catch (thrown) {
    files.close(temp);
    abandon();
    throw thrown;
  }
  bench.temps.push({ fd: temp, path });
  const prepared: Prepared = {
    commit: () => {
      if (operation.over === "absent") {
        bench.linkInto(name, target, path);
        files.unlink(name);
      } else {
        bench.stillThere(path, target, standing);
        bench.rename(name, target, path);
      }
      bench.touch(path);
      bench.parts.placed?.(path, operation.content, files.fstat(temp));
    },
    abandon: () => {
      forget();
      abandon();
    },
  };
  const validate = context.manner.validate ?? [];
  return validate.length === 0 ? prepared : validated(bench, prepared, path, direct, validate);
}

async function validated(
  bench: Workbench,
  prepared: Prepared,
  path: string,
  temp: string,
  validate: readonly (readonly string[])[],
): Promise<Prepared> {
  for (const words of validate) {
    const argv = words.map((word) => word.replaceAll("%s", temp));
    const ran = await bench.parts.system.processes.run({ argv });
    if (ran.code === 0) continue;
    prepared.abandon();
    const said = `${ran.stdout}${ran.stderr}`.trim().replaceAll(temp, path);
    const how =
      ran.failed !== undefined
        ? `cannot be run (${ran.failed})`
        : ran.code === undefined
          ? `was ended by ${ran.signal}`
          : `refused it with exit code ${ran.code}`;
    throw new SystemFault(
      "validate",
      `the new content of ${path} was not accepted: ${argv[0]} ${how}${said === "" ? "" : `: ${said.slice(0, 4000)}`}`,
    );
  }
  return prepared;
}

/** The same inode with another content, for what cannot be renamed over: readers may see half of it. Throws SystemFault. */
export function writeInPlace(bench: Workbench, operation: Operation & { do: "writeInPlace" }, context: ActionContext): Prepared {
  const { system, directories } = bench.parts;
  const { path } = operation;
  const target = directories.leaf(path);
  const last = bench.keepStanding(path, context);
  // Everything that can be known to fail is known before the first byte of the old content goes.
  const size = bench.parts.contents.size(operation.content) ?? 0;
  const free = system.files.freeSpace(target);
  if (free.bytes + (last?.size ?? 0) < size)
    throw new SystemFault("ENOSPC", `writing ${path}: ${size} bytes are needed and ${free.bytes} free`);
  bytesUnlessInFile(system.files, bench.parts.contents, operation.content);
  return {
    commit: () => {
      bench.stillThere(path, target, last);
      // Once more: what was done since the preparation may have changed the file that has it.
      const bytes = bytesUnlessInFile(system.files, bench.parts.contents, operation.content);
      const fd = system.files.openWrite(target);
      bench.open.push(fd);
      try {
        system.files.truncate(fd, 0);
        if (bytes === undefined) copyContent(system.files, bench.parts.contents, operation.content, fd);
        else system.files.writeAll(fd, bytes);
        bench.setMetadata(fd, path, operation);
      } catch (thrown) {
        throw fault(thrown, `writing ${path}`, "maybe");
      }
    },
    abandon: () => undefined,
  };
}
