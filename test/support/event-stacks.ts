import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { launcher, type Ran, type Story } from "../stories/story.ts";

/** A line of an event file or of what a state directory notes of events. */
type Line = { readonly [key: string]: unknown };

/**
 * Two stacks, each with a state directory of its own, that know of each other through one event file: `a` copies `wish` and
 * tells that; `b` copies what `a` made and answers; `a` copies that answer. All is well when all four files are the same.
 */
export class EventStacks {
  readonly story: Story;
  readonly log: string;

  constructor(story: Story) {
    this.story = story;
    this.log = join(story.folder, "events.log");
    // What is copied must be there when the other one is planned.
    story.file("b", "none");
    const url = `events: file://${this.log}`;
    const copy = (to: string, from: string) => `  - file: ${story.at(to)}\n    source: ${story.at(from)}\n`;
    story.playbook(`${copy("a", "wish")}${copy("answer", "b")}`, {
      name: "a",
      head: `${url}\nemits: { ready: 'file:${story.at("a")}' }\non: { answered: 'file:${story.at("answer")}' }`,
    });
    story.playbook(copy("b", "a"), {
      name: "b",
      head: `${url}\nemits: { answered: 'file:${story.at("b")}' }\non: { ready: '*' }`,
    });
  }

  private env(stack: string, env: { readonly [name: string]: string } = {}) {
    return { ...env, SETPOINT_STATE_DIR: join(this.story.folder, `state-${stack}`) };
  }

  try(stack: string, words: readonly string[], env?: { readonly [name: string]: string }): Ran {
    return this.story.try(...words, { env: this.env(stack, env), timeout: 120_000 });
  }

  /** `a` is given a wish and applies its own part. */
  wish(text: string, env?: { readonly [name: string]: string }): Ran {
    this.story.file("wish", text);
    return this.try("a", ["apply", "a.yaml", "--yes", "--only", `file:${this.story.at("a")}`], env);
  }

  watchOnce(stack: string, env?: { readonly [name: string]: string }): Ran {
    return this.try(stack, ["watch", `${stack}.yaml`, "--once", "--json"], env);
  }

  daemon(stack: string): ChildProcess {
    return spawn(process.execPath, [launcher, "watch", join(this.story.book, `${stack}.yaml`), "--json"], {
      cwd: this.story.tree,
      env: { ...this.story.env, ...this.env(stack) },
      stdio: "ignore",
    });
  }

  events(): readonly Line[] {
    return linesOf(this.log);
  }

  heard(stack: string): readonly Line[] {
    return linesOf(join(this.story.folder, `state-${stack}`, "events/heard"));
  }

  /** The runs of a stack that an event made due, by event. */
  runsByEvent(stack: string): ReadonlyMap<string, readonly string[]> {
    const path = join(this.story.folder, `state-${stack}`, "ledger");
    if (!existsSync(path)) return new Map();
    const runs = readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("run\t"))
      .map((line) => JSON.parse(line.split("\t")[2] as string) as { status: string; cause?: { event: string } });
    const map = new Map<string, string[]>();
    for (const { status, cause } of runs) if (cause) map.set(cause.event, [...(map.get(cause.event) ?? []), status]);
    return map;
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
