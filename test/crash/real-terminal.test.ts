import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { tally } from "../support/figures.ts";
import { RealSite } from "../support/real-site.ts";
import { until } from "../support/real-wait.ts";
import { share, shareOf } from "../support/share.ts";
import { onMachine, type Place, run, textOf } from "../system/machine.ts";

function siteOf(place: Place): { readonly site: RealSite; readonly folder: string } {
  const folder = place.mount("quick", "-t", "tmpfs", "-o", "size=256m,mode=755", "tmpfs");
  return { site: new RealSite(folder), folder };
}

const quoted = (words: readonly string[]) => words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");

describe("output that nobody reads", () => {
  for (const [name, streams] of [
    ["stdout", "| head -c 0"],
    ["stdout and stderr", "2>&1 | head -c 0"],
    ["a full device", "> /dev/full 2>&1"],
    ["closed descriptors", ">&- 2>&-"],
  ] as const) {
    onMachine(`I28: ${name}: apply and revert do all of it, and are told apart by their exit code`, ["mount"], (place) => {
      const { site } = siteOf(place);
      const { before, after } = site.ends();
      const through = (words: readonly string[]) =>
        run(["bash", "-c", `${quoted(site.argv(words))} ${streams}; exit \${PIPESTATUS[0]}`], { cwd: place.folder });
      expect(through(["apply"]).code).toBe(0);
      expect(site.look()).toEqual(after);
      expect(through(["revert"]).code).toBe(0);
      expect(site.look()).toEqual(before);
      // Nor does a plan die of EPIPE.
      expect(through(["plan", site.book]).code).toBe(2);
      expect(through(["plan", site.book, "--json", "--full"]).code).toBe(2);
      tally({ invariants: ["I28"], what: "closed outputs", count: 4 });
    });
  }

  onMachine("I28: a reader that goes away at any moment stops nothing", ["mount"], async (place) => {
    const { site } = siteOf(place);
    const { after } = site.ends();
    const rounds = share === 1 ? 60 : shareOf(30);
    for (let round = 0; round < rounds; round++) {
      site.fresh();
      const [program, ...words] = site.argv(["apply", "--full"]) as [string, ...string[]];
      const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
      const ended = once(child, "exit") as Promise<[number | null, string | null]>;
      const timer = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, Math.random() * 400);
      const [code, signal] = await ended;
      clearTimeout(timer);
      expect([code, signal]).toEqual([0, null]);
      expect(site.look()).toEqual(after);
    }
    tally({ invariants: ["I28"], what: "closed outputs", count: rounds });
  });
});

/** Starts a shell line at a terminal of its own, whose other end is the program script. */
function atTerminal(line: string, log: string): ChildProcess {
  return spawn("script", ["-qefc", line, log], { stdio: ["pipe", "ignore", "ignore"] });
}

/** The program writes its exit code to a file, through a shell that outlives the hangup. */
const noted = (words: readonly string[], file: string) => `trap : HUP; ${quoted(words)}; echo $? > ${file}`;

describe("a terminal that is closed", () => {
  onMachine(
    "I28: at any moment: the run is halted or finished, and can be resumed and reverted",
    ["mount", "script"],
    async (place) => {
      const { site, folder } = siteOf(place);
      const { before, after } = site.ends();
      const began = performance.now();
      expect(site.setpoint(["apply"]).code).toBe(0);
      const whole = performance.now() - began;
      const rounds = share === 1 ? 150 : shareOf(60);
      for (let round = 0; round < rounds; round++) {
        site.fresh();
        const code = join(folder, "code");
        rmSync(code, { force: true });
        const terminal = atTerminal(noted(site.argv(["apply"]), code), join(folder, "typescript"));
        const ended = once(terminal, "exit");
        const ms = Math.random() * whole * 1.3;
        const timer = setTimeout(() => terminal.kill("SIGKILL"), ms);
        await ended;
        clearTimeout(timer);
        await until("the shell noted how the program ended, or was gone before", () => {
          if (/^\d+\n$/.test(textOf(code) ?? "")) return true;
          return run(["pgrep", "-f", site.state]).code !== 0;
        });
        const exit = textOf(code)?.trim();
        const story = `closed after ${ms.toFixed(1)} ms: exit ${exit}`;
        if (exit !== undefined) expect(["0", "129"], story).toContain(exit);
        if (round % 2 === 0) site.finish(story);
        else site.undo(story);
        expect(site.look(), story).toEqual(round % 2 === 0 ? after : before);
      }
      tally({ invariants: ["I28"], what: "closed terminals", count: rounds });
    },
    1_200_000,
  );

  for (const [how, act] of [
    ["closed", (terminal: ChildProcess) => void terminal.kill("SIGKILL")],
    ["given Ctrl-C", (terminal: ChildProcess) => void terminal.stdin?.write("\x03")],
    ["given Ctrl-D", (terminal: ChildProcess) => void terminal.stdin?.write("\x04")],
  ] as const) {
    onMachine(`I28: a question whose terminal is ${how} is answered no: nothing is begun`, ["mount", "script"], async (place) => {
      const { site, folder } = siteOf(place);
      const { before } = site.ends();
      const code = join(folder, "code");
      const log = join(folder, "typescript");
      const words = site.argv(["apply"]).filter((word) => word !== "--yes");
      const terminal = atTerminal(noted(words, code), log);
      const ended = once(terminal, "exit");
      await until("it asked", () => /\[y\/N\]/.test(textOf(log) ?? ""));
      act(terminal);
      await ended;
      await until("the program ended", () => /^\d+\n$/.test(textOf(code) ?? ""));
      const exit = textOf(code)?.trim();
      const said = textOf(log);
      expect(site.look(), said).toEqual(before);
      expect(site.setpoint(["resume"]).err, said).toMatch(/no such run/);
      // Which comes first when a terminal goes, the end of its input or the signal, is the kernel's affair.
      expect(how === "closed" ? ["1", "129"] : how === "given Ctrl-C" ? ["130"] : ["1"], said).toContain(exit);
    });
  }
});
