import { describe, expect, test } from "vitest";
import { answer } from "../../src/cli/commands/answer.ts";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { type Chooser, type Loss, seeded } from "../../src/system/simulated/index.ts";
import { tally } from "../support/figures.ts";
import { PeerModel } from "../support/http-peer-model.ts";
import { shareOf } from "../support/share.ts";
import { simulatedPeer } from "../support/simulated-peer.ts";
import { type Life, Scenario } from "../support/simulated-scenario.ts";
import type { World } from "../support/simulated-world.ts";

const ORIGIN = "http://bank.example";
const HOUR = 3_600_000;
const TRIALS = shareOf(1000);

/** How a peer and a playbook end the doubt about a payment. */
const WAYS = {
  dedupe: { playbook: "    dedupe: 24h", remembers: 24 * HOUR },
  verify: { playbook: `    verify: { url: "${ORIGIN}/charges?key={key}", where: { state: paid } }`, remembers: 0 },
  neither: { playbook: "", remembers: 0 },
} as const;

function world(way: keyof typeof WAYS): World {
  return {
    playbook: `
setpoint: 1
name: pay
resources:
  - file: before
    content: b
  - call: charge
    url: ${ORIGIN}/charges
    body: { amount: 5 }
    undo: { url: "${ORIGIN}/refunds", body: { amount: 5 } }
${WAYS[way].playbook}
  - file: behind
    content: c
    needs: [ "call:charge" ]
`,
    folders: [],
    files: {},
  };
}

/** One story: a simulated machine, a bank, and a network that loses what chance says. */
class Story {
  readonly scenario: Scenario;
  readonly bank: PeerModel;
  readonly told: string[] = [];
  private readonly choose: Chooser;

  constructor(base: Scenario, way: keyof typeof WAYS, seed: number) {
    this.choose = seeded(seed);
    this.scenario = base.fork(seed);
    const { machine } = this.scenario;
    this.bank = new PeerModel({ deeds: ["/charges", "/refunds"], dedupe: WAYS[way].remembers, now: () => machine.wall });
    machine.network.peers.set(ORIGIN, simulatedPeer(this.bank));
    machine.network.loss = () => "none";
  }

  /** From now on a request is lost, or its answer is, with such a chance in 100. */
  lose(chance: number): void {
    this.scenario.machine.network.loss = (): Loss => {
      if (this.choose(100) >= chance) return "none";
      return this.choose(2) === 0 ? "before" : "after";
    };
  }

  async run(module: CommandModule, args: readonly string[] = [], at = 0, when: "before" | "after" = "before"): Promise<Life> {
    const life = await this.scenario.run(module, args, { at, when });
    this.told.push(`${args.join(" ")} at ${at} ${when}: exit ${life.exit}, ${life.died ? `died at ${life.last}` : life.said}`);
    if (life.bug !== undefined) throw new Error(this.story);
    return life;
  }

  /** Goes on with what was begun, or begins it. */
  onward(at = 0, when: "before" | "after" = "before"): Promise<Life> {
    return this.scenario.begun() ? this.run(resume, [], at, when) : this.run(apply, ["book.yaml"], at, when);
  }

  /** Until it ends with 0, over further deaths and losses, of which there are fewer and fewer; none where it is calm. */
  async finish(module?: CommandModule, calm = false): Promise<void> {
    for (let round = 0; round < 20; round++) {
      const dies = !calm && round < 3 && this.choose(2) === 0;
      if (round === 3) this.scenario.machine.network.loss = () => "none";
      // Past the cool-down of a breaker that opened.
      this.scenario.machine.process("/w").system.clock.sleep(HOUR / 4);
      const at = dies ? 1 + this.choose(40) : 0;
      const when = this.choose(2) === 0 ? "before" : "after";
      const life = module === undefined ? await this.onward(at, when) : await this.run(module, [], at, when);
      if (life.exit === 0) return;
    }
    throw new Error(`it never ended:\n${this.story}`);
  }

  count(path: string): number {
    return this.bank.deeds.filter((one) => one.path === path).length;
  }

  get story(): string {
    return this.told.join("\n");
  }
}

/** A call of so many, another one in each trial, spread evenly over them however few trials there are. */
function callOf(trial: number, calls: number): number {
  return 1 + Math.floor(((trial * 0.618_034) % 1) * calls);
}

/** The calls of an apply that nothing befalls. */
async function callsOf(base: Scenario, way: keyof typeof WAYS): Promise<number> {
  const { exit, calls, said } = await new Story(base, way, 1).run(apply, ["book.yaml"]);
  expect(exit, said).toBe(0);
  return calls;
}

describe("a payment, killed at every step and with requests and answers lost", () => {
  for (const way of ["dedupe", "verify"] as const) {
    test(`I22: exactly one charge, every time; and exactly one refund (${way})`, async () => {
      const base = new Scenario(1, world(way));
      const calls = await callsOf(base, way);
      let charges = 0;
      let kills = 0;
      for (let trial = 0; trial < TRIALS; trial++) {
        const story = new Story(base, way, trial + 2);
        story.lose([0, 30, 60][trial % 3] as number);
        const life = await story.run(apply, ["book.yaml"], callOf(trial, calls), trial % 2 === 0 ? "before" : "after");
        if (life.died) kills += 1;
        if (life.exit !== 0) await story.finish();
        expect(story.count("/charges"), story.story).toBe(1);
        charges += 1;
        // A plan finds nothing to do, and taking it back does so once.
        if (trial % 4 !== 0) continue;
        story.lose(30);
        await story.finish(revert);
        expect([story.count("/charges"), way === "dedupe" ? story.count("/refunds") : 1], story.story).toEqual([1, 1]);
      }
      expect(charges).toBe(TRIALS);
      expect(kills).toBeGreaterThan(TRIALS / 2);
      tally({ invariants: ["I22"], what: "simulated kills", count: kills });
    }, 3_600_000);
  }

  test("I23: with neither, nothing is sent until it is answered, and nothing is taken back", async () => {
    const base = new Scenario(1, world("neither"));
    const calls = await callsOf(base, "neither");
    let doubts = 0;
    for (let trial = 0; trial < TRIALS; trial++) {
      const story = new Story(base, "neither", trial + 2);
      if (trial % 3 === 2) story.lose(50);
      await story.run(apply, ["book.yaml"], callOf(trial, calls), trial % 2 === 0 ? "before" : "after");
      const sent = () => story.bank.writes.length;
      const before = sent();
      // With requests that are not lost, what is not in doubt now is done.
      story.scenario.machine.network.loss = () => "none";
      story.scenario.machine.process("/w").system.clock.sleep(HOUR / 4);
      const life = await story.onward();
      if (life.exit === 6) {
        doubts += 1;
        expect(sent(), story.story).toBe(before);
        for (const module of trial % 2 === 0 ? [resume, resume] : [resume, revert])
          expect((await story.run(module)).exit, story.story).toBe(6);
        expect(sent(), story.story).toBe(before);
        const happened = story.count("/charges") === 1;
        await story.run(answer, ["call:charge", happened ? "happened" : "not"]);
        if (trial % 2 === 0) {
          await story.finish(resume, true);
          expect(story.count("/charges"), story.story).toBe(1);
        } else {
          await story.finish(revert, true);
          expect(story.count("/refunds"), story.story).toBe(happened ? 1 : 0);
        }
      } else {
        expect(life.exit, story.story).toBe(0);
        expect(story.count("/charges"), story.story).toBe(1);
      }
    }
    // Between the record that it is sent and the receipt lie few calls; an answer that was lost adds to them.
    expect(doubts).toBeGreaterThan(TRIALS / 25);
    tally({ invariants: ["I23"], what: "effects in doubt", count: doubts });
  }, 3_600_000);

  test("I23: once the window has passed it is not sent again, whatever came in between", async () => {
    const base = new Scenario(1, world("dedupe"));
    const calls = await callsOf(base, "dedupe");
    let doubts = 0;
    const trials = Math.max(30, Math.round(TRIALS / 3));
    for (let trial = 0; trial < trials; trial++) {
      const story = new Story(base, "dedupe", trial + 2);
      const { machine } = story.scenario;
      await story.run(apply, ["book.yaml"], callOf(trial, calls), trial % 2 === 0 ? "before" : "after");
      const before = story.count("/charges");
      // Some of them meet a peer that is not there, within the window.
      if (trial % 4 < 2) {
        machine.network.loss = () => "before";
        await story.onward();
        machine.network.loss = () => "none";
      }
      machine.wall += [22 * HOUR, -1 * HOUR, 1000 * HOUR][trial % 3] as number;
      machine.process("/w").system.clock.sleep(HOUR / 4);
      const life = await story.onward();
      expect([0, 6], story.story).toContain(life.exit);
      if (life.exit === 6) {
        doubts += 1;
        expect(story.count("/charges"), story.story).toBe(before);
        expect((await story.run(revert)).exit, story.story).toBe(6);
        expect(story.count("/refunds"), story.story).toBe(0);
      } else expect(story.count("/charges"), story.story).toBe(1);
    }
    expect(doubts).toBeGreaterThan(0);
    tally({ invariants: ["I23"], what: "effects in doubt", count: doubts });
  }, 3_600_000);
});
