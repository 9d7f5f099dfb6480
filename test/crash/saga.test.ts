import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { seeded } from "../../src/system/simulated/index.ts";
import { tally } from "../support/figures.ts";
import { PeerModel, type PeerRequest } from "../support/http-peer-model.ts";
import { share } from "../support/share.ts";
import { simulatedPeer } from "../support/simulated-peer.ts";
import { type Life, Scenario } from "../support/simulated-scenario.ts";
import type { World } from "../support/simulated-world.ts";

const ORIGIN = "http://shop.example";
/** Every n-th call; a full run takes each. */
const STEP = Math.max(1, Math.round(0.5 / share));

const world: World = {
  playbook: `
setpoint: 1
name: order
resources:
  - file: before
    content: stays
  - transaction: order
    mode: saga
    resources:
      - file: site/order
        content: placed
      - http: ${ORIGIN}/stock/5
        body: { reserved: true }
      - call: charge
        url: ${ORIGIN}/charges
        body: { amount: 5 }
        dedupe: 24h
        undo: { url: "${ORIGIN}/refunds", body: { amount: 5 } }
      - call: ship
        url: ${ORIGIN}/shipments
        body: { to: Ada }
        dedupe: 24h
        undo: { url: "${ORIGIN}/returns", body: { to: Ada } }
      - file: site/shipped
        content: "yes"
      - call: announce
        url: ${ORIGIN}/mails
        body: { text: shipped }
        dedupe: 24h
        undo: { url: "${ORIGIN}/corrections", body: { text: not shipped } }
  - file: behind
    content: c
`,
  folders: ["w/site"],
  files: {},
};

const DEEDS = ["/charges", "/refunds", "/shipments", "/returns", "/mails", "/corrections"];

class Story {
  readonly scenario: Scenario;
  readonly shop: PeerModel;
  readonly told: string[] = [];

  constructor(base: Scenario, seed: number) {
    this.scenario = base.fork(seed);
    const { machine } = this.scenario;
    this.shop = new PeerModel({ deeds: DEEDS, dedupe: 24 * 3_600_000, now: () => machine.wall });
    this.shop.objects.set("/stock/5", { name: "five", reserved: false });
    machine.network.peers.set(ORIGIN, simulatedPeer(this.shop));
    machine.network.loss = () => "none";
  }

  /** Requests to a path are refused, or fail with a status. */
  refuse(path: string, status = 422): void {
    this.shop.fault = (request: PeerRequest) =>
      request.method !== "GET" && request.target.startsWith(path) ? { do: "answer", answer: { status, body: { error: "no" } } } : undefined;
  }

  heal(): void {
    this.shop.fault = () => undefined;
  }

  async run(module: CommandModule, at = 0, when: "before" | "after" = "before"): Promise<Life> {
    const life = await this.scenario.run(module, module === apply ? ["book.yaml"] : [], { at, when });
    this.told.push(`at ${at} ${when}: exit ${life.exit}, ${life.died ? `died at ${life.last}` : life.said}`);
    if (life.bug !== undefined) throw new Error(this.story);
    // A breaker that opened is closed by the next hour.
    this.scenario.machine.process("/w").system.clock.sleep(3_600_000);
    return life;
  }

  count(path: string): number {
    return this.shop.deeds.filter((deed) => deed.path === path).length;
  }

  /** How often each member was done and taken back, and what the files and the object are. */
  get state(): string {
    const { machine } = this.scenario;
    const { files } = machine.process("/w").system;
    const there = ["before", "site/order", "site/shipped", "behind"].filter((path) => files.lstat(`/w/${path}`) !== undefined);
    const deeds = DEEDS.map((path) => this.count(path)).join("");
    return `${there.join(" ")} | reserved ${this.shop.objects.get("/stock/5")?.reserved} | ${deeds}`;
  }

  get story(): string {
    return this.told.join("\n");
  }
}

const DONE = "before site/order site/shipped behind | reserved true | 101010";
/** All members of the saga taken back, each once; what stands outside of it stays. */
const UNDONE = /^before( behind)? \| reserved (false|null) \| (\d)\3(\d)\4(\d)\5$/;

/** Each compensation ran exactly as often as its deed. */
function balanced(story: Story): void {
  for (const [deed, undo] of [
    ["/charges", "/refunds"],
    ["/shipments", "/returns"],
    ["/mails", "/corrections"],
  ] as const)
    expect(story.count(undo), `${undo}\n${story.story}`).toBe(story.count(deed));
}

async function callsOf(base: Scenario): Promise<number> {
  const story = new Story(base, 1);
  const { exit, calls, said } = await story.run(apply);
  expect(exit, said).toBe(0);
  expect(story.state).toBe(DONE);
  return calls;
}

describe("a saga of six members", () => {
  for (const path of ["/stock", "/charges", "/shipments", "/mails"]) {
    test(`${path} refuses: all before it is taken back, exactly once, and a resume does it anew`, async () => {
      const story = new Story(new Scenario(1, world), 2);
      story.refuse(path);
      const life = await story.run(apply);
      expect(life.exit, life.said).toBe(6);
      expect(story.state, story.story).toMatch(UNDONE);
      balanced(story);
      story.heal();
      expect((await story.run(resume)).exit, story.story).toBe(0);
      for (const done of ["/charges", "/shipments", "/mails"]) expect(story.count(done) - story.count(undoOf(done)), done).toBe(1);
    });
  }

  test("a compensation that fails leaves `revert-halted` with what is left, and a later revert finishes", async () => {
    const story = new Story(new Scenario(1, world), 3);
    story.shop.fault = (request) =>
      /mails|refunds/.test(request.target) ? { do: "answer", answer: { status: 403, body: { error: "no" } } } : undefined;
    const life = await story.run(apply);
    expect(life.exit, life.said).toBe(6);
    expect(life.said).toContain("setpoint revert");
    expect([story.count("/charges"), story.count("/refunds")], story.story).toEqual([1, 0]);
    expect((await story.run(resume)).said, "a resume is refused").toContain("`setpoint revert` goes on");
    story.heal();
    const reverted = await story.run(revert);
    expect(reverted.exit, story.story).toBe(0);
    balanced(story);
    expect(story.state.replace(/\d+$/, "")).toBe(" | reserved false | ");
  });

  test("I22: killed at every step, requests lost: resumed it is whole, reverted each is taken back exactly once", async () => {
    const base = new Scenario(1, world);
    const calls = await callsOf(base);
    let kills = 0;
    for (let at = 1; at <= calls; at += STEP) {
      for (const module of [resume, revert]) {
        for (const when of ["before", "after"] as const) {
          const story = new Story(base, at);
          await story.run(apply, at, when);
          kills += 1;
          const begun = story.scenario.begun();
          const life = begun ? await story.run(module) : await story.run(module === resume ? apply : revert);
          if (begun || module === resume) expect(life.exit, story.story).toBe(0);
          if (module === resume) expect(story.state, story.story).toBe(DONE);
          else {
            balanced(story);
            expect(story.state.replace(/\d+$/, ""), story.story).toBe(" | reserved false | ");
          }
        }
      }
    }
    tally({ invariants: ["I22"], what: "kills of sagas", count: kills });
  }, 600_000);

  test("I22: a member fails and the process is killed at every step of taking back: in the end each is taken back exactly once", async () => {
    const base = new Scenario(1, world);
    const first = new Story(base, 4);
    first.refuse("/mails");
    const { calls } = await first.run(apply);
    const choose = seeded(5);
    let kills = 0;
    let resumed = 0;
    for (let at = Math.floor(calls / 3); at <= calls; at += STEP) {
      const story = new Story(base, at);
      story.refuse("/mails");
      await story.run(apply, at, choose(2) === 0 ? "before" : "after");
      kills += 1;
      if (!story.scenario.begun()) continue;
      resumed += 1;
      // Still refused: a resume ends with all of it taken back.
      const again = await story.run(resume);
      expect([0, 6], story.story).toContain(again.exit);
      balanced(story);
      story.heal();
      expect((await story.run(resume)).exit, story.story).toBe(0);
      for (const done of ["/charges", "/shipments", "/mails"]) expect(story.count(done) - story.count(undoOf(done)), story.story).toBe(1);
    }
    expect(resumed).toBeGreaterThan(0);
    tally({ invariants: ["I22"], what: "kills of sagas", count: kills });
  }, 600_000);
});

function undoOf(path: string): string {
  return { "/charges": "/refunds", "/shipments": "/returns", "/mails": "/corrections" }[path] ?? "";
}
