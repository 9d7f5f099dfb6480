import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { SystemFault } from "../core/index.ts";

/** How a detached program is started. */
export interface Detached {
  /** Environment variables besides our own. */
  readonly env: { readonly [name: string]: string };
  /** The file that takes its output; made where it is missing, readable by its owner alone. */
  readonly log: string;
  readonly umask: number;
}

/**
 * Starts a program that outlives this process and its terminal: a session of its own, no input, output to a file. Nobody waits for
 * it. Throws SystemFault where it cannot be started.
 */
export function startDetached(argv: readonly [string, ...string[]], { env, log, umask }: Detached): void {
  const [program, ...words] = argv;
  const before = process.umask(umask);
  let fd: number | undefined;
  try {
    fd = openSync(log, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    const child = spawn(program, words, { detached: true, stdio: ["ignore", fd, fd], env: { ...process.env, ...env } });
    // Without a listener it would end us; that it was not started is known at once by its missing pid.
    child.on("error", () => undefined);
    if (child.pid === undefined) throw new SystemFault("not-started", `${program} could not be started`);
    child.unref();
  } catch (thrown) {
    if (thrown instanceof SystemFault) throw thrown;
    throw new SystemFault("not-started", `${program} could not be started: ${(thrown as Error).message}`, { cause: thrown });
  } finally {
    if (fd !== undefined) closeSync(fd);
    process.umask(before);
  }
}
