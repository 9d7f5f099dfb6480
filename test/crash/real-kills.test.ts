import { once } from "node:events";
import { describe, expect } from "vitest";
import { tally } from "../support/figures.ts";
import { type Call, changingCalls, everyNth, killing, spread } from "../support/real-calls.ts";
import { RealSite, single } from "../support/real-site.ts";
import { share, shareOf } from "../support/share.ts";
import { onMachine, type Place, start } from "../system/machine.ts";

/** Every n-th call is tried; the full run tries each. */
const STEP = Math.max(1, Math.round(1 / share));

/** In memory: thousands of runs, and nothing of a disk matters to a kill. */
function siteOf(place: Place): { readonly site: RealSite; readonly folder: string } {
  const folder = place.mount("quick", "-t", "tmpfs", "-o", "size=256m,mode=755", "tmpfs");
  return { site: new RealSite(folder), folder };
}

/**
 * Runs to the call and dies there. Where a child such as flock came to it first, the child died, and the run says what failed; one that
 * never comes to it ends. Either is counted as no kill.
 */
function killedAt(site: RealSite, words: readonly string[], call: Call): 0 | 1 {
  const { code, out, err } = site.settled(words, { through: killing(call), env: single });
  if (code === null || code === 137) return 1;
  expect([0, 1, 6], `${words.join(" ")}, not killed at ${call.line}\n${out}${err}`).toContain(code);
  return 0;
}

const needed = ["mount", "strace"];

describe("the real program, killed on entry to each call that changes something", () => {
  for (const [promise, invariant, turn] of [
    ["I3: an apply killed there and resumed is as one that was not killed", "I3", 0],
    ["I4: an apply killed there and reverted leaves what was there before", "I4", 1],
  ] as const) {
    onMachine(
      promise,
      needed,
      (place) => {
        const { site, folder } = siteOf(place);
        const { before, after } = site.ends();
        const calls = changingCalls(site, ["apply"], folder);
        expect(calls.length).toBeGreaterThan(80);
        let kills = 0;
        for (const call of everyNth(calls, STEP, turn)) {
          site.fresh();
          kills += killedAt(site, ["apply"], call);
          if (invariant === "I3") site.finish(call.line);
          else site.undo(call.line);
          expect(site.look(), call.line).toEqual(invariant === "I3" ? after : before);
        }
        expect(kills).toBeGreaterThan(0);
        tally({ invariants: [invariant], what: "real kills", count: kills });
      },
      3_600_000,
    );
  }

  for (const command of ["resume", "revert"] as const) {
    onMachine(
      `I5: a ${command} killed there, and the same again, ends as one that was not killed`,
      needed,
      (place) => {
        const { site, folder } = siteOf(place);
        const { before, after } = site.ends();
        const first = changingCalls(site, ["apply"], folder);
        // From the moment at which the run is begun: early deaths leave much to do, late ones much to find.
        const begun = first.findIndex(({ name, line }) => name === "rename" && line.includes("journal.new"));
        const deaths = spread(first.slice(begun + 1), shareOf(10));
        let kills = 0;
        for (const [turn, death] of deaths.entries()) {
          site.fresh();
          kills += killedAt(site, ["apply"], death);
          // The k-th call is not the same one each time: threads and children take turns. Then there may be nothing to go on with.
          if (!site.begun()) continue;
          const calls = changingCalls(site, [command], folder);
          for (const call of everyNth(calls, STEP, turn)) {
            const story = `killed at ${death.line}, then ${command} at ${call.line}`;
            site.fresh();
            kills += killedAt(site, ["apply"], death);
            if (!site.begun()) continue;
            kills += killedAt(site, [command], call);
            const again = site.settled([command]);
            expect(again.code, `${story}\n${again.out}${again.err}`).toBe(0);
            expect(site.look(), story).toEqual(command === "resume" ? after : before);
          }
        }
        expect(kills).toBeGreaterThan(0);
        tally({ invariants: ["I5", command === "resume" ? "I3" : "I4"], what: "real kills", count: kills });
      },
      3_600_000,
    );
  }

  onMachine(
    "I5: a revert of a whole run killed there, and again, leaves what was there before",
    needed,
    (place) => {
      const { site, folder } = siteOf(place);
      const { before } = site.ends();
      site.setpoint(["apply"]);
      const calls = changingCalls(site, ["revert"], folder);
      let kills = 0;
      for (const call of everyNth(calls, STEP)) {
        site.fresh();
        expect(site.setpoint(["apply"]).code).toBe(0);
        kills += killedAt(site, ["revert"], call);
        const again = site.settled(["revert"]);
        expect(again.code, `${call.line}\n${again.out}${again.err}`).toBe(0);
        expect(site.look(), call.line).toEqual(before);
      }
      expect(kills).toBeGreaterThan(0);
      tally({ invariants: ["I5", "I4"], what: "real kills", count: kills });
    },
    3_600_000,
  );
});

/** Starts a command and kills it after so many ms; whether it was still there to be killed. */
async function killedAfter(site: RealSite, words: readonly string[], ms: number): Promise<0 | 1> {
  const child = start(site.argv(words));
  const ended = once(child, "exit") as Promise<[number | null, string | null]>;
  const timer = setTimeout(() => child.kill("SIGKILL"), ms);
  const [, signal] = await ended;
  clearTimeout(timer);
  return signal === "SIGKILL" ? 1 : 0;
}

describe("the real program, kill -9 at random moments", () => {
  onMachine(
    "I3, I4, I5: killed again and again, then resumed or reverted",
    ["mount"],
    async (place) => {
      const { site } = siteOf(place);
      const { before, after } = site.ends();
      const began = performance.now();
      expect(site.setpoint(["apply"]).code).toBe(0);
      const whole = performance.now() - began;
      let kills = 0;
      for (const rounds = share === 1 ? 1500 : shareOf(200); kills < rounds; ) {
        site.fresh();
        const moments: string[] = [];
        const words = kills % 2 === 0 ? "resume" : "revert";
        // The kills of one story: the first in the apply, the others in what should mend it.
        for (let deaths = 1 + Math.floor(Math.random() * 3), n = 0; n < deaths; n++) {
          const ms = Math.random() * whole;
          moments.push(`${n === 0 ? "apply" : words} after ${ms.toFixed(1)} ms`);
          kills += await killedAfter(site, [n === 0 ? "apply" : words], ms);
        }
        const story = moments.join(", ");
        if (words === "resume") site.finish(story);
        else site.undo(story);
        expect(site.look(), story).toEqual(words === "resume" ? after : before);
      }
      tally({ invariants: ["I3", "I4", "I5"], what: "real kills", count: kills });
    },
    3_600_000,
  );
});
