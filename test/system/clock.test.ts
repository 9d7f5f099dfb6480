import { describe, expect } from "vitest";
import { tally } from "../support/figures.ts";
import { killing } from "../support/real-calls.ts";
import { RealSite, single } from "../support/real-site.ts";
import { shareOf } from "../support/share.ts";
import { onMachine } from "./machine.ts";

const JUMPS = ["-10y", "+0", "+10y"] as const;
const ZONES = ["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati"] as const;

/** A clock that is off by so much, in a zone; what measures durations is left alone, as a jump of the clock leaves it. */
const at = (jump: string, zone: string) => ({
  through: jump === "+0" ? [] : ["faketime", "-f", jump],
  env: { TZ: zone, FAKETIME_DONT_FAKE_MONOTONIC: "1", ...single },
});

describe("I25: a clock that jumps by ten years between commands, and a zone that changes", () => {
  onMachine(
    "an apply that is killed is resumed, verified, tidied up after, and reverted as if the clock were right",
    ["mount", "strace", "faketime"],
    (place) => {
      const site = new RealSite(place.mount("quick", "-t", "tmpfs", "-o", "size=256m,mode=755", "tmpfs"));
      const { before, after } = site.ends();
      const year = new Date().getFullYear();
      const rounds = shareOf(27);
      for (let round = 0; round < rounds; round += 1) {
        site.fresh();
        // Each of the four commands at each of the three times, in another combination each round.
        const jump = (step: number) => JUMPS[Math.floor(round / 3 ** (step % 3) + (step > 2 ? round : 0)) % 3] as string;
        const clock = (step: number) => at(jump(step), ZONES[(round + step) % ZONES.length] as string);
        const story = [0, 1, 2, 3].map((step) => `${jump(step)} ${ZONES[(round + step) % ZONES.length]}`).join(", ");
        const { through, env } = clock(0);
        const killed = site.setpoint(["apply"], {
          through: [...killing({ name: "rename", n: 6 + (round % 8), line: "" }), ...through],
          env,
        });
        // The program faketime waits for the killed one, and says that it failed.
        expect([null, 137, 1], story + killed.err).toContain(killed.code);
        site.finish(story, clock(1));
        expect(site.look(), story).toEqual(after);
        expect(site.setpoint(["plan", site.book], clock(2)).code, story).toBe(0);
        const tidied = site.setpoint(["gc", "--keep", "0", "--days", "1"], clock(2));
        expect(tidied.code, `${story}\n${tidied.err}`).toBe(0);
        const reverted = site.settled(["revert"], clock(3));
        expect(reverted.code, `${story}\n${reverted.out}${reverted.err}`).toBe(0);
        expect(site.look(), story).toEqual(before);
      }
      // The run's own id tells that the clock was believed for what is shown.
      site.fresh();
      expect(site.setpoint(["apply"], at("+10y", "UTC")).code).toBe(0);
      expect(site.setpoint(["history", "--json"]).out).toMatch(new RegExp(`"${year + 10}|"${year + 9}`));
      tally({ invariants: ["I25"], what: "jumps of the clock", count: 4 * rounds });
    },
    1_200_000,
  );
});
