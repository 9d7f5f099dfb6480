import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { seeded } from "../../src/system/simulated/index.ts";
import { tally } from "../support/figures.ts";
import { type PeerManner, PeerModel } from "../support/http-peer-model.ts";
import { shareOf } from "../support/share.ts";
import { simulatedPeer } from "../support/simulated-peer.ts";
import { Scenario } from "../support/simulated-scenario.ts";

const ORIGIN = "http://api.example";
// Fewer would not meet every way in which a race can end.
const RACES = Math.max(100, shareOf(1000));

const world = (update: string) => ({
  playbook: `setpoint: 1
name: race
resources:
  - http: ${ORIGIN}/users/5
    body: { status: inactive, profile: { locale: de } }
    update: ${update}
`,
  folders: [],
  files: {},
});

/** What the other writer does: each leaves a mark that must be found in the end unless it was about a declared field. */
const deeds = ["nothing", "another field", "a declared field", "removes it", "makes it as declared"] as const;

describe("I11: a concurrent writer at any request", () => {
  for (const [name, manner, update] of [
    ["If-Match, PUT", { etags: "strong" }, "put"],
    ["If-Match, merge patch", { etags: "strong" }, "merge_patch"],
    ["no tags, json patch with tests", { etags: "none" }, "json_patch"],
  ] as const satisfies readonly (readonly [string, PeerManner, string])[]) {
    test(`${RACES} races, no lost update (${name})`, async () => {
      const base = new Scenario(1, world(update));
      const ends = new Map<string, number>();
      for (let race = 0; race < RACES; race++) {
        const choose = seeded(race + 7);
        const scenario = base.fork(race + 2);
        const peer = new PeerModel(manner);
        scenario.machine.network.peers.set(ORIGIN, simulatedPeer(peer));
        scenario.machine.network.loss = () => "none";
        peer.objects.set("/users/5", { name: "five", status: "active", profile: { locale: "en" } });
        const deed = deeds[choose(deeds.length)] as (typeof deeds)[number];
        const at = 1 + choose(5);
        let n = 0;
        // Right before the peer carries out our n-th request: as late as another writer can come.
        peer.before = () => {
          n += 1;
          const now = peer.objects.get("/users/5");
          if (n !== at || now === undefined) return;
          if (deed === "another field") peer.objects.set("/users/5", { ...now, theirs: race });
          if (deed === "a declared field") peer.objects.set("/users/5", { ...now, status: "theirs" });
          if (deed === "removes it") peer.objects.delete("/users/5");
          if (deed === "makes it as declared")
            peer.objects.set("/users/5", { ...now, status: "inactive", profile: { locale: "de" }, theirs: race });
        };
        const first = await scenario.run(apply, ["book.yaml"]);
        const story = `race ${race}: ${deed} at request ${at}, exit ${first.exit}\n${first.said}`;
        expect(first.bug, story).toBeUndefined();
        const found = peer.objects.get("/users/5");
        // What came before our write and was about something else is there; what came after it stands, whatever it was.
        if (n >= at && (deed === "another field" || deed === "makes it as declared")) expect(found?.theirs, story).toBe(race);
        // Since the plan looked (request 1) somebody changed what is declared: that stands, whatever came of ours.
        if (at > 1 && n >= at && deed === "a declared field") expect(found?.status, story).toBe("theirs");
        if (at > 1 && n >= at && deed === "removes it") expect(found, story).toBeUndefined();
        if (first.exit === 6) {
          expect(deed === "a declared field" ? found?.status : found, story).toBe(deed === "a declared field" ? "theirs" : undefined);
          const sent = peer.writes.length;
          expect((await scenario.run(resume)).exit, story).toBe(6);
          expect(peer.writes.slice(sent), story).toEqual([]);
        } else if (first.exit === 0 && !(n >= at && (deed === "a declared field" || deed === "removes it"))) {
          expect(found, story).toMatchObject({ name: "five", status: "inactive", profile: { locale: "de" } });
        }
        const end = `${first.exit}`;
        ends.set(end, (ends.get(end) ?? 0) + 1);
      }
      // Applied, in conflict, and changed again right after it was applied: all were met.
      expect([...ends.keys()].sort(), JSON.stringify([...ends])).toEqual(["0", "6", "9"]);
      tally({ invariants: ["I11"], what: "races", count: RACES });
    }, 3_600_000);
  }
});
