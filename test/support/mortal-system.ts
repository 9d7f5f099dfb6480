import type { BrokerSession, Files, KeyedMessage, Processes, SqlSession, System } from "../../src/core/index.ts";

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

/** One mutating call: a method of Files, `run` of Processes, `request`, `query` or `publish` for what may change something elsewhere. */
export interface Call {
  readonly name: string;
  readonly given: readonly unknown[];
}

/** Somebody who looks on at each mutating call, for as long as the process lives. */
export interface Watcher {
  before?(call: Call): void;
  after?(call: Call): void;
  /** In place of `after`, where the call threw. */
  failed?(call: Call): void;
  /** Whether the process dies before a call, wherever else it may die. */
  kills?(call: Call): boolean;
}

/** A system that dies at a chosen mutating call, as by SIGKILL: from then on nothing it does has an effect. */
export class MortalSystem implements System {
  readonly clock: System["clock"];
  readonly chance: System["chance"];
  readonly host: System["host"];
  readonly network: System["network"];
  readonly files: Files;
  readonly processes: Processes;
  /** Mutating calls so far. */
  calls = 0;
  dead = false;
  /** The names of the calls, for a message. */
  readonly trace: string[] = [];
  private readonly open = new Set<number>();
  private readonly sessions = new Set<{ close(): Promise<void> }>();
  private readonly inner: System;
  private readonly at: number;
  private readonly when: "before" | "after";
  private readonly fault: string | undefined;
  private readonly watchers: readonly Watcher[];

  /** Dies at the `at`-th mutating call, counted from 1; 0: never. With a `fault` that call fails in its place, and life goes on. */
  constructor(inner: System, at: number, when: "before" | "after", fault?: string, watchers: readonly Watcher[] = []) {
    this.fault = fault;
    this.inner = inner;
    this.at = at;
    this.when = when;
    this.watchers = watchers;
    this.clock = inner.clock;
    this.chance = inner.chance;
    this.host = inner.host;
    this.network = this.mortalNetwork();
    this.files = this.mortalFiles();
    this.processes = {
      ...inner.processes,
      run: async (command, live) => {
        const call: Call = { name: "run", given: [command, live] };
        this.before(call);
        const ran = await inner.processes.run(command, live);
        this.after(call);
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

  private before(call: Call): void {
    this.live();
    this.calls += 1;
    const { name, given } = call;
    this.trace.push(typeof given[0] === "string" ? `${name} ${given[0]}` : name);
    for (const watcher of this.watchers) watcher.before?.(call);
    if (this.watchers.some((watcher) => watcher.kills?.(call) === true)) this.die();
    if (this.calls !== this.at) return;
    if (this.fault !== undefined) {
      this.failed(call);
      // As node names what fails.
      const syscall = name === "syncData" ? "fdatasync" : /^sync/.test(name) ? "fsync" : name;
      throw Object.assign(new Error(`${this.fault}: injected at ${this.trace.at(-1)}`), { code: this.fault, syscall });
    }
    if (this.when === "before") this.die();
  }

  private after(call: Call): void {
    for (const watcher of this.watchers) watcher.after?.(call);
    if (this.calls === this.at && this.when === "after" && this.fault === undefined) this.die();
  }

  private failed(call: Call): void {
    for (const watcher of this.watchers) watcher.failed?.(call);
  }

  private die(): never {
    this.dead = true;
    throw new Killed();
  }

  private mortalNetwork(): System["network"] {
    const { network } = this.inner;
    const mine = Object.create(network) as { -readonly [K in keyof typeof network]: (typeof network)[K] };
    mine.http = async (request) => {
      this.live();
      if (request.method === "GET" || request.method === "HEAD") return network.http(request);
      return this.sent({ name: "request", given: [request] }, () => network.http(request));
    };
    mine.sql = async (url, options) => {
      this.live();
      const session = await network.sql(url, options);
      this.sessions.add(session);
      return { dialect: session.dialect, query: (text, values) => this.query(session, text, values), close: () => session.close() };
    };
    mine.broker = async (place) => {
      this.live();
      const session = await network.broker(place);
      this.sessions.add(session);
      return {
        mark: (message) => session.mark(message),
        find: (message, sought) => session.find(message, sought),
        publish: (message) => this.publish(session, message),
        close: () => session.close(),
      };
    };
    return mine;
  }

  private publish(session: BrokerSession, message: KeyedMessage): ReturnType<BrokerSession["publish"]> {
    return this.sent({ name: "publish", given: [message] }, () => session.publish(message));
  }

  /** A statement that only asks is no moment of its own. */
  private async query(session: SqlSession, text: string, values?: Parameters<SqlSession["query"]>[1]): ReturnType<SqlSession["query"]> {
    this.live();
    if (/^\s*(SELECT|SHOW|SET)\b/i.test(text)) return session.query(text, values);
    return this.sent({ name: "query", given: [text, values] }, () => session.query(text, values));
  }

  /** Something for another machine: the process that dies after it is gone before it hears that it was lost. */
  private async sent<T>(call: Call, act: () => Promise<T>): Promise<T> {
    this.before(call);
    const answer = await act().catch((thrown: unknown) => {
      this.failed(call);
      if (this.calls === this.at && this.when === "after" && this.fault === undefined) this.die();
      throw thrown;
    });
    this.after(call);
    return answer;
  }

  private mortalFiles(): Files {
    const wrapped: Record<string, unknown> = {};
    const inner = this.inner.files as unknown as { readonly [name: string]: (...given: unknown[]) => unknown };
    const names = new Set([...Object.keys(inner), ...Object.getOwnPropertyNames(Object.getPrototypeOf(inner))]);
    for (const name of names as Set<keyof Files>) {
      const method = inner[name];
      if (typeof method !== "function" || String(name) === "constructor") continue;
      wrapped[name] = MUTATING.has(name) ? this.mutating(name, method) : this.harmless(name, method);
    }
    return wrapped as unknown as Files;
  }

  private harmless(name: keyof Files, method: (...given: unknown[]) => unknown) {
    return (...given: unknown[]) => {
      if (name === "close") {
        if (this.dead) return undefined;
        this.open.delete(given[0] as number);
      }
      this.live();
      const result = method.apply(this.inner.files, given);
      if (OPENING.has(name)) this.open.add(result as number);
      return result;
    };
  }

  private mutating(name: keyof Files, method: (...given: unknown[]) => unknown) {
    return (...given: unknown[]) => {
      const call: Call = { name, given };
      this.before(call);
      let result: unknown;
      try {
        result = method.apply(this.inner.files, given);
      } catch (thrown) {
        this.failed(call);
        throw thrown;
      }
      if (OPENING.has(name)) this.open.add(result as number);
      if (result instanceof Promise) {
        return result.then((value: unknown) => {
          this.after(call);
          return value;
        });
      }
      this.after(call);
      return result;
    };
  }

  /** What the kernel does when a process is gone: its descriptors, and with them its locks, are free. */
  bury(): void {
    this.dead = true;
    for (const fd of this.open) this.inner.files.close(fd);
    this.open.clear();
    for (const session of this.sessions) session.close().catch(() => undefined);
    this.sessions.clear();
  }
}
