import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { launcher, type Ran, type Story } from "../stories/story.ts";

/** A line of an event log or of what a state directory notes of events. */
export type Line = { readonly [key: string]: unknown };

/** A log on a server. Its URL is a secret input of the playbooks, as a password stands in it. */
export interface LogOnServer {
  url(): string;
  /** What stands in it, in order. */
  events(): readonly Line[];
}

/**
 * Two stacks, each with a state directory of its own, that know of each other through one event log, a file where none is
 * given: `a` copies `wish` and tells that; `b` copies what `a` made and answers; `a` copies that answer. All is well when all
 * four files are the same.
 */
export class EventStacks {
  readonly story: Story;
  readonly log: string;
  /** What the daemons of a stack said on stderr, all after another. */
  readonly said = { a: "", b: "" };
  private readonly server: LogOnServer | undefined;

  constructor(story: Story, server?: LogOnServer) {
    this.story = story;
    this.server = server;
    this.log = join(story.folder, "events.log");
    // What is copied must be there when the other one is planned.
    story.file("b", "none");
    const head = server ? `inputs: { log: { type: string, secret: true } }\nevents: \${{ inputs.log }}` : `events: file://${this.log}`;
    const copy = (to: string, from: string) => `  - file: ${story.at(to)}\n    source: ${story.at(from)}\n`;
    story.playbook(`${copy("a", "wish")}${copy("answer", "b")}`, {
      name: "a",
      head: `${head}\nemits: { ready: 'file:${story.at("a")}' }\non: { answered: 'file:${story.at("answer")}' }`,
    });
    story.playbook(copy("b", "a"), {
      name: "b",
      head: `${head}\nemits: { answered: 'file:${story.at("b")}' }\non: { ready: '*' }`,
    });
  }

  state(stack: string): string {
    return join(this.story.folder, `state-${stack}`);
  }

  env(stack: string, env: { readonly [name: string]: string } = {}): { readonly [name: string]: string } {
    return { ...env, ...(this.server && { SETPOINT_VAR_log: this.server.url() }), SETPOINT_STATE_DIR: this.state(stack) };
  }

  try(stack: string, words: readonly string[], env?: { readonly [name: string]: string }): Ran {
    return this.story.try(...words, { env: this.env(stack, env), timeout: 120_000 });
  }

  /** The words with which `a` applies its own part. */
  get wishing(): readonly string[] {
    return ["apply", "a.yaml", "--yes", "--only", `file:${this.story.at("a")}`];
  }

  /** `a` is given a wish and applies its own part. */
  wish(text: string, env?: { readonly [name: string]: string }): Ran {
    this.story.file("wish", text);
    return this.try("a", this.wishing, env);
  }

  watchOnce(stack: string, env?: { readonly [name: string]: string }): Ran {
    return this.try(stack, ["watch", `${stack}.yaml`, "--once", "--json"], env);
  }

  /** `through` stands before the program, such as `ip netns exec`. */
  daemon(stack: "a" | "b", through: readonly string[] = []): ChildProcess {
    return this.start(stack, ["watch", `${stack}.yaml`, "--json"], through);
  }

  /** Starts a command of a stack beside others. */
  start(stack: "a" | "b", words: readonly string[], through: readonly string[] = []): ChildProcess {
    const paths = words.map((word) => (word === `${stack}.yaml` ? join(this.story.book, word) : word));
    const [program = "", ...argv] = [...through, process.execPath, launcher, ...paths];
    const child = spawn(program, argv, {
      cwd: this.story.tree,
      env: { ...this.story.env, ...this.env(stack) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr?.on("data", (bytes: Buffer) => {
      this.said[stack] += bytes.toString();
    });
    return child;
  }

  events(): readonly Line[] {
    return this.server ? this.server.events() : linesOf(this.log);
  }

  heard(stack: string): readonly Line[] {
    return linesOf(join(this.state(stack), "events/heard"));
  }

  /** The runs of a stack that an event made due, by event. */
  runsByEvent(stack: string): ReadonlyMap<string, readonly string[]> {
    const path = join(this.state(stack), "ledger");
    if (!existsSync(path)) return new Map();
    const runs = readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("run\t"))
      .map((line) => JSON.parse(line.split("\t")[2] as string) as { status: string; cause?: { event: string } });
    const map = new Map<string, string[]>();
    for (const { status, cause } of runs) if (cause) map.set(cause.event, [...(map.get(cause.event) ?? []), status]);
    return map;
  }

  /** All that waits is handled: then all files are as wished, and every event was handled once. */
  settle(wish: string): void {
    expect(this.wish(wish).exit).toBe(0);
    for (let handled = ["b"]; handled.length > 0; ) {
      handled = ["b", "a"].map((stack) => this.watchOnce(stack)).flatMap((ran) => (ran.exit === 0 ? ran.stdout : `exit ${ran.all}`) || []);
      expect(handled.filter((line) => line.startsWith("exit"))).toEqual([]);
    }
    expect(["a", "b", "answer"].map((name) => this.story.read(name))).toEqual([wish, wish, wish]);
    this.checkOnce();
  }

  /** No event of the log stands in it twice, and each was handled by one run that came through, or needed none. */
  checkOnce(): void {
    const events = this.events();
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    for (const [stack, name] of [
      ["a", "answered"],
      ["b", "ready"],
    ] as const) {
      const due = events.filter((event) => event.name === name).map(({ id }) => id);
      expect(this.heard(stack).map(({ event }) => event)).toEqual(due);
      for (const { event, outcome } of this.heard(stack))
        if (outcome === "applied") expect(this.runsByEvent(stack).get(event as string)).toContain("applied");
      for (const [event, runs] of this.runsByEvent(stack))
        expect(runs.filter((status) => status === "applied").length, `${event}: ${runs.join()}`).toBeLessThanOrEqual(1);
    }
  }
}

/** A torn last line is what it is: none. */
function linesOf(path: string): readonly Line[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Line];
      } catch {
        return [];
      }
    });
}
