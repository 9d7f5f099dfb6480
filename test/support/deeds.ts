import fc from "fast-check";
import { abandon } from "../../src/cli/commands/abandon.ts";
import { answer } from "../../src/cli/commands/answer.ts";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { gc } from "../../src/cli/commands/gc.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { UsageError } from "../../src/cli/context.ts";
import { StateDirectory } from "../../src/journal/index.ts";
import { faultIn, readWhole } from "../../src/system/index.ts";
import { type Program, SimulatedMachine } from "../../src/system/simulated/index.ts";
import { runCommand } from "./in-process.ts";
import { Killed, MortalSystem } from "./mortal-system.ts";

const SECRET = "correct-horse-battery";

/** What a stack's playbook may say: files, parts of a file, debts, receipts, a secret, and a step that fails. */
interface Book {
  readonly files: readonly number[];
  readonly line: boolean;
  readonly command: "none" | "once" | "watch" | "fails";
  readonly secret: boolean;
}

function textOf(stack: string, { files, line, command, secret }: Book): string {
  const resources = files.map((text, index) => `  - file: ${stack}/f${index}\n    content: "${text}"\n`);
  if (line) resources.push(`  - line: shared\n    text: of ${stack}\n`);
  if (secret) resources.push(`  - file: ${stack}/secret\n    content: "key=\${{ inputs.token }}"\n`);
  if (command === "once") resources.push("  - command: once\n    run: [ work ]\n    once: true\n    undo: none\n");
  if (command === "watch") resources.push(`  - command: watch\n    run: [ work ]\n    run_when: [ 'file:*' ]\n    undo: none\n`);
  if (command === "fails") resources.push("  - command: fails\n    run: [ fail ]\n    creates: never\n    undo: none\n");
  const inputs = secret ? "inputs:\n  token: { type: string, secret: true }\n" : "";
  return `setpoint: 1\nname: ${stack}\n${inputs}resources:\n${resources.length > 0 ? resources.join("") : "  []\n"}`;
}

/** One thing that happens to a machine. */
export type Deed =
  | { readonly do: "apply"; readonly stack: "a" | "b"; readonly book: Book; readonly prune: boolean; readonly dies: number }
  | { readonly do: "resume" | "revert" | "abandon" | "answer"; readonly which: number; readonly dies: number; readonly happened: boolean }
  | { readonly do: "gc"; readonly keep: number; readonly dies: number }
  | { readonly do: "clock"; readonly by: number }
  | { readonly do: "edit"; readonly text: number };

const book: fc.Arbitrary<Book> = fc.record({
  files: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 3 }),
  line: fc.boolean(),
  command: fc.constantFrom("none", "none", "once", "watch", "watch", "fails"),
  secret: fc.boolean(),
});
/** Mostly lives; else dies at that mutating call. */
const dies = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.integer({ min: 1, max: 90 }) });
/** Any of them. */
export const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("apply" as const), stack: fc.constantFrom("a", "b"), book, prune: fc.boolean(), dies }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom("resume" as const, "revert" as const, "revert" as const, "abandon" as const, "answer" as const),
      which: fc.nat(6),
      dies,
      happened: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("gc" as const), keep: fc.nat(3), dies }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clock" as const), by: fc.constantFrom(-3_600_000, -86_400_000, 3_600_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("edit" as const), text: fc.nat(2) }) },
);

const work: Program = () => ({ code: 0, stdout: "", stderr: "" });
const fail: Program = () => ({ code: 1, stdout: "", stderr: "no" });

/** A simulated machine with two stacks, on which deeds are done. */
export class DeedWorld {
  readonly machine = new SimulatedMachine(1, { work, fail });

  constructor() {
    this.write((files) => {
      for (const folder of ["/w", "/etc", "/w/a", "/w/b"]) files.makeDirectory(folder, 0o755);
      this.put(files, "/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
      this.put(files, "/etc/group", "root:x:0:\n");
      this.put(files, "/etc/machine-id", "00000000000000000000000000000001\n");
      this.put(files, "/w/shared", "first\n");
    });
  }

  write(body: (files: ReturnType<SimulatedMachine["process"]>["files"]) => void): void {
    const { files, end } = this.machine.process("/w");
    body(files);
    this.machine.disk.syncAll();
    end();
  }

  put(files: ReturnType<SimulatedMachine["process"]>["files"], path: string, text: string): void {
    if (files.lstat(path)) files.unlink(path);
    const fd = files.createNew(path, 0o644);
    files.writeAll(fd, Buffer.from(text));
    files.close(fd);
  }

  /** Runs a command, which may die. What it refuses is no matter here; a bug comes through. */
  async run(module: CommandModule, args: readonly string[], at: number, options: object = {}): Promise<void> {
    const process = this.machine.process("/w");
    const system = new MortalSystem(process.system, at, "after");
    try {
      await runCommand(module, system, "/w", args, options);
    } catch (thrown) {
      if (!system.dead && !(thrown instanceof Killed) && !(thrown instanceof UsageError) && faultIn(thrown) === undefined) throw thrown;
    } finally {
      system.bury();
      process.end();
    }
  }

  async act(deed: Deed): Promise<void> {
    switch (deed.do) {
      case "apply":
        this.write((files) => this.put(files, "/w/book.yaml", textOf(deed.stack, deed.book)));
        return this.run(apply, ["book.yaml"], deed.dies, {
          prune: deed.prune,
          ...(deed.book.secret && { var: [`token=${SECRET}`] }),
        });
      case "resume":
        return this.run(resume, this.some(deed.which), deed.dies, { var: [`token=${SECRET}`] });
      case "revert":
        return this.run(revert, this.some(deed.which), deed.dies, { var: [`token=${SECRET}`] });
      case "abandon":
        return this.run(abandon, this.some(deed.which), deed.dies);
      case "answer":
        return this.run(answer, [`command:${deed.which % 2 === 0 ? "once" : "watch"}`, deed.happened ? "happened" : "not"], deed.dies);
      case "gc":
        return this.run(gc, [], deed.dies, { keep: String(deed.keep), days: "0" });
      case "clock":
        this.machine.wall += deed.by;
        return;
      case "edit":
        this.write((files) => this.put(files, "/w/a/f0", `by hand ${deed.text}`));
        return;
    }
  }

  private some(which: number): readonly string[] {
    const runs = this.look((state) => state.runs());
    const run = runs[which];
    return run === undefined ? [] : [run];
  }

  look<T>(body: (state: StateDirectory, file: Buffer | undefined) => T): T {
    const { system, end } = this.machine.process("/w");
    const state = new StateDirectory(system, "/w/state");
    const found = body(state, readWhole(system.files, "/w/state/ledger"));
    end();
    return found;
  }
}
