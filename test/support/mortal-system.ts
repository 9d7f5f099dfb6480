import type { Files, Processes, System } from "../../src/core/index.ts";

/** What every call of a dead process throws. */
export class Killed extends Error {
  constructor() {
    super("killed");
    this.name = "Killed";
  }
}

/** The calls that change something; each is a moment at which a process can die. */
const MUTATING: ReadonlySet<keyof Files> = new Set<keyof Files>([
  "createNew",
  "openAppend",
  "openLock",
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
]);

const OPENING: ReadonlySet<keyof Files> = new Set<keyof Files>([
  "openRead",
  "openDirectory",
  "createNew",
  "openAppend",
  "openLock",
  "openWrite",
]);

/** A system that dies at a chosen mutating call, as by SIGKILL: from then on nothing it does has an effect. */
export class MortalSystem implements System {
  readonly clock: System["clock"];
  readonly chance: System["chance"];
  readonly host: System["host"];
  readonly files: Files;
  readonly processes: Processes;
  /** Mutating calls so far. */
  calls = 0;
  dead = false;
  /** The names of the calls, for a message. */
  readonly trace: string[] = [];
  private readonly open = new Set<number>();
  private readonly inner: System;
  private readonly at: number;
  private readonly when: "before" | "after";
  private readonly fault: string | undefined;
  /** Syncs tried and mutations made after a sync had failed: W5 allows none. */
  readonly afterFailedSync: string[] = [];
  private syncFailed = false;

  /** Dies at the `at`-th mutating call, counted from 1; 0: never. With a `fault` that call fails in its place, and life goes on. */
  constructor(inner: System, at: number, when: "before" | "after", fault?: string) {
    this.fault = fault;
    this.inner = inner;
    this.at = at;
    this.when = when;
    this.clock = inner.clock;
    this.chance = inner.chance;
    this.host = inner.host;
    this.files = this.mortalFiles();
    this.processes = {
      ...inner.processes,
      run: async (command, live) => {
        this.before("run");
        const ran = await inner.processes.run(command, live);
        this.after();
        return ran;
      },
      lock: (fd) => {
        this.live();
        return inner.processes.lock(fd);
      },
    };
  }

  private live(): void {
    if (this.dead) throw new Killed();
  }

  private before(name: string): void {
    this.live();
    this.calls += 1;
    this.trace.push(name);
    if (this.syncFailed) this.afterFailedSync.push(name);
    if (this.calls !== this.at) return;
    if (this.fault !== undefined) {
      if (/^sync/.test(name)) this.syncFailed = true;
      throw Object.assign(new Error(`${this.fault}: injected at ${name}`), { code: this.fault, syscall: name });
    }
    if (this.when === "before") this.die();
  }

  private after(): void {
    if (this.calls === this.at && this.when === "after" && this.fault === undefined) this.die();
  }

  private die(): never {
    this.dead = true;
    throw new Killed();
  }

  private mortalFiles(): Files {
    const wrapped: Record<string, unknown> = {};
    const inner = this.inner.files as unknown as { readonly [name: string]: (...given: unknown[]) => unknown };
    const names = new Set([...Object.keys(inner), ...Object.getOwnPropertyNames(Object.getPrototypeOf(inner))]);
    for (const name of names as Set<keyof Files>) {
      const method = inner[name];
      if (typeof method !== "function" || String(name) === "constructor") continue;
      wrapped[name] = (...given: unknown[]) => {
        if (name === "close") {
          if (this.dead) return undefined;
          this.open.delete(given[0] as number);
        }
        const mutates = MUTATING.has(name);
        if (mutates) this.before(`${name} ${typeof given[0] === "string" ? given[0] : ""}`);
        else this.live();
        const result = method.apply(this.inner.files, given);
        if (OPENING.has(name)) this.open.add(result as number);
        if (!mutates) return result;
        if (result instanceof Promise) {
          return result.then((value: unknown) => {
            this.after();
            return value;
          });
        }
        this.after();
        return result;
      };
    }
    return wrapped as unknown as Files;
  }

  /** What the kernel does when a process is gone: its descriptors, and with them its locks, are free. */
  bury(): void {
    this.dead = true;
    for (const fd of this.open) this.inner.files.close(fd);
    this.open.clear();
  }
}
