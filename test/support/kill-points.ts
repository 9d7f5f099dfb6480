import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import type { System } from "../../src/core/index.ts";
import { realSystem } from "../../src/system/index.ts";
import { runCommand } from "./in-process.ts";
import { MortalSystem } from "./mortal-system.ts";
import { snapshot } from "./tree.ts";

const PLAYBOOK = `
setpoint: 1
name: kill
resources:
  - directory: site
    exact: true
  - directory: site/new/deep/er
    mode: '0750'
  - tree: site/copied
    source: source
    exact: true
  - file: site/changed
    content: after
    mode: '0600'
  - file: site/mode-only
    mode: '0640'
  - file: site/gone
    state: absent
  - file: site/twice
    content: "first\\n"
  - link: site/link
    to: changed
  - command: an opaque step
    run: [ sh, -c, 'echo made by a command > made' ]
    creates: made
    undo: [ rm, -f, made ]
  - line: site/tentative
    text: from the playbook
  - line: site/found
    text: only when it drifts
`;

/** Declares the suite: every `step`-th mutating call of an apply is a moment of death, then a resume and, separately, a revert. */
export function killPoints(step: number): void {
  let base: string;
  let work: string;
  const system = realSystem();

  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), "setpoint-kill-"));
    const start = join(base, "start");
    mkdirSync(join(start, "source/inner/most"), { recursive: true });
    for (let index = 0; index < 5; index++) writeFileSync(join(start, "source", `f${index}`), `content ${index}\n`);
    writeFileSync(join(start, "source/inner/most/x"), "deep\n");
    mkdirSync(join(start, "site/stray/below"), { recursive: true });
    mkdirSync(join(start, "site/copied/old"), { recursive: true });
    const files = {
      "stray/below/file": "stray\n",
      "copied/f1": "another content\n",
      "copied/old/left": "left\n",
      changed: "before",
      "mode-only": "kept",
      gone: "going",
      twice: "zero\n",
      tentative: "one\ntwo\n",
      found: "only when it drifts\n",
    };
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(start, "site", name), content);
      chmodSync(join(start, "site", name), 0o644);
    }
    symlinkSync("gone", join(start, "site/link"));
    writeFileSync(join(start, "book.yaml"), PLAYBOOK);
    work = join(base, "work");
  });

  afterAll(() => rmSync(base, { recursive: true, force: true }));

  function fresh(): void {
    rmSync(work, { recursive: true, force: true });
    cpSync(join(base, "start"), work, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  }

  const tree = () => snapshot(work, new Set(["state"]));

  interface Life {
    readonly died: boolean;
    readonly calls: number;
    readonly exit: number | undefined;
    /** The call at which it died. */
    readonly last: string;
  }

  /** Runs a command that dies at its `at`-th mutating call, if it gets so far. */
  async function mortal(module: CommandModule, args: readonly string[], at: number, when: "before" | "after"): Promise<Life> {
    const mine = new MortalSystem(system, at, when);
    let exit: number | undefined;
    try {
      exit = (await runCommand(module, mine as System, work, args)).exit;
    } catch (thrown) {
      if (!mine.dead) throw thrown;
    }
    const died = mine.dead;
    mine.bury();
    return { died, calls: mine.calls, exit, last: mine.trace.at(-1) ?? "" };
  }

  /** Whether a run was begun, so that there is something to resume or revert. */
  function begun(): boolean {
    try {
      return readdirSync(join(work, "state/runs")).some((run) => readdirSync(join(work, "state/runs", run)).includes("journal"));
    } catch {
      return false; // it died before it made the folder
    }
  }

  /** Runs a command that must succeed; `story` says what went before. */
  async function immortal(module: CommandModule, story: string, args: readonly string[] = []): Promise<void> {
    const ran = await runCommand(module, system, work, args).catch((thrown: unknown) => {
      throw new Error(`${story}: ${(thrown as Error).stack}`);
    });
    expect(ran.exit, `${story}:\n${ran.out}${ran.err}`).toBe(0);
  }

  describe("killed at any moment", () => {
    let initial: ReturnType<typeof snapshot>;
    let final: ReturnType<typeof snapshot>;
    let calls = 0;

    beforeAll(async () => {
      fresh();
      initial = tree();
      const whole = await mortal(apply, ["book.yaml"], 0, "before");
      expect(whole.exit).toBe(0);
      calls = whole.calls;
      final = tree();
    });

    test("an uninterrupted apply and revert give back what was there", async () => {
      fresh();
      await immortal(apply, "first", ["book.yaml"]);
      expect(tree()).toEqual(final);
      expect(final).not.toEqual(initial);
      await immortal(revert, "then");
      expect(tree()).toEqual(initial);
    });

    for (const when of ["before", "after"] as const) {
      test(`I3: killed ${when} any call, resume reaches the final state`, async () => {
        for (let at = 1; at <= calls; at += step) {
          fresh();
          const life = await mortal(apply, ["book.yaml"], at, when);
          const story = `killed ${when} call ${at} (${life.last})`;
          if (begun()) await immortal(resume, story);
          else await immortal(apply, story, ["book.yaml"]);
          expect(tree(), story).toEqual(final);
        }
      }, 300_000);

      test(`I4: killed ${when} any call, revert reaches the state before`, async () => {
        for (let at = 1; at <= calls; at += step) {
          fresh();
          const life = await mortal(apply, ["book.yaml"], at, when);
          const story = `killed ${when} call ${at} (${life.last})`;
          if (begun()) await immortal(revert, story);
          expect(tree(), story).toEqual(initial);
        }
      }, 300_000);
    }

    test("I5: killed again while resuming and while reverting", async () => {
      for (let at = 7; at <= calls; at += step * 7) {
        for (const module of [resume, revert]) {
          for (let again = 1; ; again += step * 5) {
            fresh();
            await mortal(apply, ["book.yaml"], at, "after");
            if (!begun()) break;
            const second = await mortal(module, [], again, again % 2 === 0 ? "before" : "after");
            const story = `killed after ${at}, ${module === resume ? "resume" : "revert"} killed at ${again} (${second.last})`;
            await immortal(module, story);
            expect(tree(), story).toEqual(module === resume ? final : initial);
            if (!second.died) break;
          }
        }
      }
    }, 300_000);

    test("killed, killed in a resume, killed in a revert from there, and reverted", async () => {
      for (let at = 5; at <= calls; at += step * 11) {
        fresh();
        await mortal(apply, ["book.yaml"], at, "before");
        if (!begun()) continue;
        await mortal(resume, [], 20, "after");
        await mortal(revert, [], 15, "after");
        await immortal(revert, `killed before ${at}`);
        expect(tree(), `killed before ${at}`).toEqual(initial);
      }
    }, 300_000);
  });
}
