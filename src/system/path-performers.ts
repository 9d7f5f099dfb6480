import { errnoOf, type Operation, SystemFault } from "../core/index.ts";
import { fault } from "./read-file.ts";
import { keepInode } from "./stash.ts";
import type { ActionContext, Prepared, Workbench } from "./workbench.ts";

/** Mode, owner, group and extended attributes, on a descriptor. Throws SystemFault. */
export function setAttributes(bench: Workbench, operation: Operation & { do: "setAttributes" }): Prepared {
  const { system, directories } = bench.parts;
  const { path } = operation;
  let fd: number;
  try {
    const target = directories.leaf(path);
    fd = operation.is === "directory" ? system.files.openDirectory(target) : system.files.openRead(target);
    if (operation.owner !== undefined) bench.parts.accounts.uid(operation.owner);
    if (operation.group !== undefined) bench.parts.accounts.gid(operation.group);
  } catch (thrown) {
    throw fault(thrown, `opening ${path} to set its attributes`);
  }
  bench.open.push(fd);
  return {
    commit: () => {
      try {
        bench.setMetadata(fd, path, operation);
      } catch (thrown) {
        throw fault(thrown, `setting the attributes of ${path}`, errnoOf(thrown) === "EPERM" ? "no" : "maybe");
      }
    },
    abandon: () => undefined,
  };
}

/** One name less; a directory must be empty. Throws SystemFault. */
export function remove(bench: Workbench, operation: Operation & { do: "remove" }, context: ActionContext): Prepared {
  const { system, directories } = bench.parts;
  const { path } = operation;
  const target = directories.leaf(path);
  const last = operation.is === "file" ? bench.keepStanding(path, context) : undefined;
  const shared = (last?.nlink ?? 1) > 1 && !context.back;
  const { standing, forget } = shared ? keepInode(bench, path, target, context, last) : { standing: last, forget: () => undefined };
  return {
    commit: () => {
      try {
        if (operation.is === "directory") {
          directories.forget(path);
          system.files.removeDirectory(target);
          bench.touched.delete(path);
        } else {
          if (operation.is === "file") bench.stillThere(path, target, standing);
          system.files.unlink(target);
        }
      } catch (thrown) {
        throw fault(thrown, `removing ${path}`);
      }
      bench.touch(path);
    },
    abandon: forget,
  };
}

/** A new directory with its attributes. Throws SystemFault. */
export function makeDirectory(bench: Workbench, operation: Operation & { do: "makeDirectory" }): Prepared {
  const { system, directories, accounts } = bench.parts;
  const { path } = operation;
  const target = directories.leaf(path);
  if (operation.owner !== undefined) accounts.uid(operation.owner);
  if (operation.group !== undefined) accounts.gid(operation.group);
  return {
    commit: () => {
      try {
        system.files.makeDirectory(target, operation.mode ?? 0o755);
      } catch (thrown) {
        if (errnoOf(thrown) === "EEXIST") throw new SystemFault("moved", `${path}: something stands there now that was not there before`);
        throw fault(thrown, `creating ${path}`);
      }
      try {
        const fd = system.files.openDirectory(target);
        bench.open.push(fd);
        // mkdir takes setuid, setgid and sticky away on some systems, and a parent's setgid bit adds one.
        bench.setMetadata(fd, path, operation);
        const mode = operation.mode ?? 0o755;
        if ((mode & 0o7000) !== 0) system.files.chmod(fd, mode);
      } catch (thrown) {
        throw fault(thrown, `setting the attributes of ${path}`, "maybe");
      }
      bench.touch(path);
    },
    abandon: () => undefined,
  };
}

/** A symbolic link, in its place at once. Throws SystemFault. */
export function makeLink(bench: Workbench, operation: Operation & { do: "makeLink" }, context: ActionContext): Prepared {
  const { files } = bench.parts.system;
  const { host } = bench.parts.system;
  const uid = operation.owner === undefined ? host.uid : bench.parts.accounts.uid(operation.owner);
  const gid = operation.group === undefined ? host.gid : bench.parts.accounts.gid(operation.group);
  const given = uid !== host.uid || gid !== host.gid;
  return placed(bench, operation.path, operation.over, context, given, (name) => {
    files.symlink(operation.to, name);
    if (given) files.chownLink(name, uid, gid);
  });
}

/** A second name of a file, in its place at once. Throws SystemFault. */
export function makeHardLink(bench: Workbench, operation: Operation & { do: "makeHardLink" }, context: ActionContext): Prepared {
  const { files } = bench.parts.system;
  return placed(bench, operation.path, operation.over, context, false, (name) =>
    files.link(bench.parts.directories.leaf(operation.to), name),
  );
}

/**
 * Something that is made in one call: in its place where nothing stands there, else under a temp name and renamed. What takes
 * `several` calls to make gets its place by a link, so that it is never seen half made.
 */
function placed(
  bench: Workbench,
  path: string,
  over: "absent" | "file" | "symlink",
  context: ActionContext,
  several: boolean,
  make: (name: string) => void,
): Prepared {
  const { files } = bench.parts.system;
  const target = bench.parts.directories.leaf(path);
  const last = bench.keepStanding(path, context);
  if (over === "absent" && !several) {
    return {
      commit: () => {
        try {
          make(target);
        } catch (thrown) {
          if (errnoOf(thrown) === "EEXIST") throw new SystemFault("moved", `${path}: something stands there now that was not there before`);
          throw fault(thrown, `creating ${path}`);
        }
        bench.touch(path);
      },
      abandon: () => undefined,
    };
  }
  const { name } = bench.temp(path, context);
  const abandon = () => {
    if (files.lstat(name)) files.unlink(name);
  };
  try {
    abandon();
    make(name);
  } catch (thrown) {
    abandon();
    throw fault(thrown, `creating ${path}`);
  }
  return {
    commit: () => {
      if (over === "file") bench.stillThere(path, target, last);
      if (over === "absent") bench.linkInto(name, target, path);
      else bench.rename(name, target, path);
      // A rename between two names of one file does nothing and leaves the temp.
      abandon();
      bench.touch(path);
    },
    abandon,
  };
}

/** Makes durable what is there already; changes nothing. */
export function settle(bench: Workbench, operation: Operation & { do: "sync" }): Prepared {
  const { path } = operation;
  const { files } = bench.parts.system;
  const target = bench.parts.directories.leaf(path);
  return {
    commit: () => {
      if (operation.is === "file") bench.open.push(files.openRead(target));
      else if (operation.is === "directory") bench.open.push(files.openDirectory(target));
      bench.touch(path);
    },
    abandon: () => undefined,
  };
}
