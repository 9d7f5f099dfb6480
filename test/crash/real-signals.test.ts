import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished } from "vitest";
import { tally } from "../support/figures.ts";
import { RealSite } from "../support/real-site.ts";
import { until } from "../support/real-wait.ts";
import { share, shareOf } from "../support/share.ts";
import { BIN, onMachine, type Place, textOf } from "../system/machine.ts";

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Signal = keyof typeof SIGNALS;
const names = Object.keys(SIGNALS) as Signal[];

function siteOf(place: Place): { readonly site: RealSite; readonly folder: string } {
  const folder = place.mount("quick", "-t", "tmpfs", "-o", "size=256m,mode=755", "tmpfs");
  return { site: new RealSite(folder), folder };
}

/** What became of a started program. */
interface Death {
  readonly code: number | null;
  readonly signal: string | null;
  readonly said: string;
}

/** Starts a command whose output goes to a file, so that nobody need read it. */
function started(argv: readonly string[], log: string): { readonly child: ChildProcess; readonly ended: Promise<Death> } {
  const out = openSync(log, "w");
  const [program, ...words] = argv as [string, ...string[]];
  const child = spawn(program, words, { stdio: ["ignore", out, out] });
  closeSync(out);
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = (once(child, "exit") as Promise<[number | null, string | null]>).then(([code, signal]) => ({
    code,
    signal,
    said: readFileSync(log, "utf8"),
  }));
  return { child, ended };
}

/** How the site's last run stands, as `status` and `history` tell it. */
function standing(site: RealSite): string | undefined {
  const { code, out, err } = site.setpoint(["history", "--json"]);
  expect(code, err).toBe(0);
  return (JSON.parse(out) as { runs: readonly { status: string }[] }).runs[0]?.status;
}

/** How long a whole apply takes here and now, in ms. */
function timeOf(site: RealSite): number {
  site.fresh();
  const began = performance.now();
  expect(site.setpoint(["apply"]).code).toBe(0);
  return performance.now() - began;
}

describe("a signal at any moment", () => {
  onMachine(
    "I28: an apply that gets one is halted or finished, says how to go on, and can be resumed and reverted",
    ["mount"],
    async (place) => {
      const { site, folder } = siteOf(place);
      const { before, after } = site.ends();
      const whole = timeOf(site);
      const rounds = share === 1 ? 1000 : shareOf(400);
      for (let round = 0; round < rounds; round++) {
        site.fresh();
        const name = names[round % names.length] as Signal;
        const ms = Math.random() * whole * 1.1;
        const { child, ended } = started(site.argv(["apply"]), join(folder, "said"));
        const timer = setTimeout(() => child.kill(name), ms);
        const { code, signal, said } = await ended;
        clearTimeout(timer);
        const story = `${name} after ${ms.toFixed(1)} ms: ${code ?? signal}\n${said}`;
        const status = standing(site);
        // Before the program listens to signals it has not begun anything.
        if (code === null) expect([signal, status, site.look()], story).toEqual([name, undefined, before]);
        else if (code === 0) expect([status, site.look()], story).toEqual(["applied", after]);
        else {
          expect(code, story).toBe(SIGNALS[name]);
          if (status === undefined) expect(site.look(), story).toEqual(before);
          else expect([status, said], story).toEqual(["halted", expect.stringMatching(/setpoint resume \d/)]);
        }
        if (round % 2 === 0) {
          site.finish(story);
          expect(site.look(), story).toEqual(after);
        } else {
          site.undo(story);
          expect(site.look(), story).toEqual(before);
        }
      }
      tally({ invariants: ["I28"], what: "signals", count: rounds });
    },
    3_600_000,
  );

  onMachine(
    "I28: so is a revert, which says how to go on with itself",
    ["mount"],
    async (place) => {
      const { site, folder } = siteOf(place);
      const { before } = site.ends();
      const whole = timeOf(site);
      const rounds = share === 1 ? 150 : shareOf(60);
      for (let round = 0; round < rounds; round++) {
        site.fresh();
        expect(site.setpoint(["apply"]).code).toBe(0);
        const name = names[round % names.length] as Signal;
        const ms = Math.random() * whole;
        const { child, ended } = started(site.argv(["revert"]), join(folder, "said"));
        const timer = setTimeout(() => child.kill(name), ms);
        const { code, signal, said } = await ended;
        clearTimeout(timer);
        const story = `${name} after ${ms.toFixed(1)} ms: ${code ?? signal}\n${said}`;
        if (code !== null && code !== 0)
          expect([code, standing(site), said], story).toEqual([
            SIGNALS[name],
            "revert-halted",
            expect.stringMatching(/setpoint revert \d/),
          ]);
        const again = site.settled(["revert"]);
        expect(again.code, `${story}\n${again.out}${again.err}`).toBe(0);
        expect(site.look(), story).toEqual(before);
      }
      tally({ invariants: ["I28", "I5"], what: "signals", count: rounds });
    },
    3_600_000,
  );
});

/** A command that says that it has begun and then waits for a file, and a file after it. */
const waiting = (folder: string) => `setpoint: 1
name: waiting
resources:
  - file: ${folder}/first
    content: first
  - command: wait
    run: [ sh, -c, 'echo > ${folder}/entered; until [ -e ${folder}/release ] || [ ! -e ${folder} ]; do sleep 0.02; done; echo > ${folder}/done' ]
    creates: ${folder}/done
    undo: [ rm, -f, ${folder}/done ]
    needs: 'file:${folder}/first'
  - file: ${folder}/last
    content: last
    needs: 'command:wait'
`;

describe("a signal while a command is at work", () => {
  for (const name of names) {
    onMachine(`I28: ${name} lets the command come to its end and begins nothing more`, [], async (place) => {
      place.write("live/here", "");
      const book = place.write("book.yaml", waiting(place.at("live")));
      const words = (...more: string[]) => [process.execPath, BIN, ...more, "--state-dir", place.state];
      const { child, ended } = started(words("apply", book, "--yes"), place.at("said"));
      await until("the command began", () => textOf(place.at("live/entered")) !== undefined);
      child.kill(name);
      await until("the signal was seen", () => /stopping/.test(textOf(place.at("said")) ?? ""));
      place.write("live/release", "");
      const { code, said } = await ended;
      expect(code, said).toBe(SIGNALS[name]);
      expect(said).toMatch(/setpoint resume \d/);
      expect([textOf(place.at("live/done")), textOf(place.at("live/last"))]).toEqual(["\n", undefined]);
      expect(place.setpoint(["resume"]).json).toMatchObject({ exit: 0, status: "applied" });
      expect(textOf(place.at("live/last"))).toBe("last");
      tally({ invariants: ["I28"], what: "signals", count: 1 });
    });

    onMachine(`I28: a second ${name} ends the program at once, and what it had begun can be resumed`, [], async (place) => {
      place.write("live/here", "");
      const book = place.write("book.yaml", waiting(place.at("live")));
      const words = (...more: string[]) => [process.execPath, BIN, ...more, "--state-dir", place.state];
      const { child, ended } = started(words("apply", book, "--yes"), place.at("said"));
      await until("the command began", () => textOf(place.at("live/entered")) !== undefined);
      child.kill(name);
      await until("the signal was seen", () => /stopping/.test(textOf(place.at("said")) ?? ""));
      child.kill(name);
      // The command still waits, as nobody has released it: the program did not.
      const { code, said } = await ended;
      expect(code, said).toBe(SIGNALS[name]);
      expect(textOf(place.at("live/done"))).toBeUndefined();
      place.write("live/release", "");
      await until("the command ended", () => textOf(place.at("live/done")) !== undefined);
      await until("it was resumed", () => place.setpoint(["resume"]).code === 0);
      expect(textOf(place.at("live/last"))).toBe("last");
      tally({ invariants: ["I28"], what: "signals", count: 2 });
    });
  }
});
