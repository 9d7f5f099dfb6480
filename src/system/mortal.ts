import { writeFileSync } from "node:fs";
import type { Files, System } from "../core/index.ts";

/** The calls that change something on a disk. */
const CHANGING = [
  "createNew",
  "writeAll",
  "writeAt",
  "truncate",
  "makeDirectory",
  "removeDirectory",
  "unlink",
  "rename",
  "link",
  "symlink",
  "chmod",
  "chown",
  "chownLink",
  "sync",
  "syncData",
  "syncAll",
  "syncFileSystem",
  "clone",
  "setXattrs",
] as const satisfies readonly (keyof Files)[];

/** What a run did that was counted: its calls by name, and its journal's boundaries, such as `append intent` and `sync`. */
export interface Counted {
  readonly calls: readonly string[];
  readonly journal: readonly string[];
}

type Where = "before" | "torn" | "after";

/**
 * The same system, whose process is killed (SIGKILL, by itself) at a given point. `point`:
 *
 * | point | the process dies |
 * | --- | --- |
 * | call:N | before its Nth call that changes something, or starts a command |
 * | journal:N | before the Nth boundary of its journal: a record appended, a sync, the journal getting its name |
 * | journal:N:torn | in the middle of that: half of the record is written |
 * | journal:N:after | right after it |
 * | count:FILE | not; at its end the calls and boundaries are written to FILE as JSON (Counted) |
 *
 * For `setpoint chaos` alone, through the environment variable SETPOINT_DIE_AT.
 */
export function mortal(system: System, point: string): System {
  const [unit = "", at = "", where = "before"] = point.split(":");
  const death = { unit, n: Number(at), where: where as Where };
  const calls: string[] = [];
  const boundaries: string[] = [];
  const journals = new Set<number>();
  if (unit === "count")
    process.on("exit", () => writeFileSync(point.slice("count:".length), JSON.stringify({ calls, journal: boundaries })));

  /** Undefined where a call is no boundary of the journal. */
  function boundaryOf(name: string, args: readonly unknown[]): string | undefined {
    const [first, second] = args;
    if (name === "rename") return isJournal(String(second)) ? "name" : undefined;
    if (typeof first !== "number" || !journals.has(first)) return undefined;
    if (name === "sync" || name === "syncData") return "sync";
    return name === "writeAll"
      ? `append ${/"t":"(\w+)"/.exec(Buffer.from(second as Uint8Array).toString("latin1"))?.[1] ?? ""}`
      : undefined;
  }

  function perform(name: string, args: readonly unknown[], call: () => unknown): unknown {
    calls.push(name);
    if (death.unit === "call" && calls.length === death.n) die();
    const boundary = boundaryOf(name, args);
    if (boundary === undefined) return call();
    boundaries.push(boundary);
    if (death.unit !== "journal" || boundaries.length !== death.n) return call();
    if (death.where === "torn" && name === "writeAll") {
      const bytes = args[1] as Uint8Array;
      system.files.writeAll(args[0] as number, bytes.subarray(0, bytes.length >> 1));
    }
    if (death.where === "after") call();
    return die();
  }

  const files = { ...system.files } as { -readonly [K in keyof Files]: Files[K] };
  const wrapped = files as unknown as { [name: string]: (...args: readonly unknown[]) => unknown };
  for (const name of CHANGING) {
    const call = system.files[name].bind(system.files) as (...args: readonly unknown[]) => unknown;
    wrapped[name] = (...args) => perform(name, args, () => call(...args));
  }
  files.openAppend = (path, create) => {
    const fd = system.files.openAppend(path, create);
    if (isJournal(path) || isJournal(path.replace(/\.new$/, ""))) journals.add(fd);
    return fd;
  };
  files.close = (fd) => {
    journals.delete(fd);
    system.files.close(fd);
  };
  const { run } = system.processes;
  return {
    ...system,
    files,
    processes: { ...system.processes, run: (command, live) => perform("run", [], () => run(command, live)) as ReturnType<typeof run> },
  };
}

function isJournal(path: string): boolean {
  return path.endsWith("/journal");
}

/** SIGKILL to oneself is delivered before the call returns. */
function die(): never {
  process.kill(process.pid, "SIGKILL");
  for (;;);
}
