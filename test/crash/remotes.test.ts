import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { type Chooser, type Loss, type Sent, seeded } from "../../src/system/simulated/index.ts";
import { tally } from "../support/figures.ts";
import { share } from "../support/share.ts";
import { type BrokerSort, SimulatedBroker } from "../support/simulated-broker.ts";
import { SimulatedDatabase } from "../support/simulated-database.ts";
import { type Life, Scenario } from "../support/simulated-scenario.ts";
import type { World } from "../support/simulated-world.ts";

const DB = "sqlite:///srv/app.sqlite";
const BROKER = "nats://broker.example:4222";
const HOUR = 3_600_000;
const STEP = Math.max(1, Math.round(1 / share / 4));

const WORLD: World = {
  playbook: `
setpoint: 1
name: shop
resources:
  - file: before
    content: b
  - sql_row: users
    database: ${DB}
    key: { id: 5 }
    set: { status: gone, name: null }
  - sql_row: users
    database: ${DB}
    key: { id: 8 }
    set: { status: new }
  - sql_query: pay
    database: ${DB}
    run: [ { text: "INSERT INTO ledger VALUES (?)", values: [ paid ] } ]
    undo: INSERT INTO ledger VALUES ('paid back')
  - message: placed
    broker: ${BROKER}
    subject: orders.placed
    body: { order: 5 }
    undo: { subject: orders.cancelled, body: { order: 5 } }
  - file: behind
    content: c
    needs: [ "message:placed" ]
`,
  folders: [],
  files: {},
};

const EMPTY = (() => {
  const database = new SimulatedDatabase();
  database.rows("CREATE TABLE users (id int PRIMARY KEY, name text, status text)");
  database.rows("CREATE TABLE ledger (what text)");
  database.rows("INSERT INTO users VALUES (5, 'Ada', 'active'), (6, 'Bob', 'active')");
  const content = database.save();
  database.end();
  return content;
})();

/** A simulated machine, a database and a broker, and a network that loses what chance says. */
class Story {
  readonly scenario: Scenario;
  readonly database = new SimulatedDatabase(EMPTY);
  readonly broker: SimulatedBroker;
  readonly told: string[] = [];
  lost = 0;
  private readonly choose: Chooser;

  constructor(base: Scenario, sort: BrokerSort, seed: number) {
    this.choose = seeded(seed);
    this.scenario = base.fork(seed);
    const { machine } = this.scenario;
    const { network } = machine;
    this.broker = new SimulatedBroker(sort, () => machine.wall);
    network.databases.set(DB, ({ readOnly }) => this.database.open(readOnly === true));
    network.brokers.set(BROKER, () => this.broker.open());
    network.loss = () => "none";
  }

  /** From now on what is sent is lost, or its answer is, with such a chance in 100. */
  lose(chance: number): void {
    this.scenario.machine.network.loss = (sent: Sent): Loss => {
      if (this.choose(100) >= chance) return "none";
      this.lost += 1;
      const loss = this.choose(2) === 0 ? "before" : "after";
      this.told.push(`  lost ${loss}: ${sent.method}`);
      return loss;
    };
  }

  async run(module: CommandModule, args: readonly string[] = [], at = 0, when: "before" | "after" = "before"): Promise<Life> {
    const life = await this.scenario.run(module, args, { at, when });
    this.told.push(`${args.join(" ")} at ${at} ${when}: exit ${life.exit}, ${life.died ? `died at ${life.last}` : life.said}`);
    if (life.bug !== undefined) throw new Error(this.story);
    return life;
  }

  /** Past the cool-down of a breaker that opened, and within what the broker remembers. */
  rest(): Promise<void> {
    return this.scenario.machine.process("/w").system.clock.sleep(HOUR / 4);
  }

  /** Until it ends with 0, with further deaths and losses, of which there are none in the end. */
  async finish(module: CommandModule): Promise<void> {
    for (let round = 0; round < 12; round++) {
      if (round === 3) this.lose(0);
      await this.rest();
      const at = round < 3 && this.choose(2) === 0 ? 1 + this.choose(60) : 0;
      const begun = module === revert || this.scenario.begun();
      const life = await this.run(begun ? module : apply, begun ? [] : ["book.yaml"], at, this.choose(2) === 0 ? "before" : "after");
      if (life.exit === 0) return;
    }
    throw new Error(`it never ended:\n${this.story}`);
  }

  /** What the others hold. */
  get world(): object {
    return {
      users: this.database.rows("SELECT * FROM users ORDER BY id"),
      ledger: this.database.rows("SELECT * FROM ledger").map(({ what }) => what),
      messages: this.broker.messages.map(({ to }) => to),
    };
  }

  get story(): string {
    return this.told.join("\n");
  }
}

const bob = { id: 6, name: "Bob", status: "active" };
const ada = { id: 5, name: "Ada", status: "active" };
const DONE = {
  users: [{ id: 5, name: null, status: "gone" }, bob, { id: 8, name: null, status: "new" }],
  ledger: ["paid"],
  messages: ["orders.placed"],
};
const UNDONE = { users: [ada, bob], ledger: ["paid", "paid back"], messages: ["orders.placed", "orders.cancelled"] };

describe("a database and a broker, a death at every call, statements, messages and answers lost", () => {
  for (const sort of ["dedupes", "searchable"] as const)
    test(`I3, I4, I22: resumed, all is set once; reverted, all is taken back once (the broker ${sort})`, async () => {
      const base = new Scenario(1, WORLD);
      const { exit, calls, said } = await new Story(base, sort, 1).run(apply, ["book.yaml"]);
      expect(exit, said).toBe(0);
      let kills = 0;
      let lost = 0;
      for (let at = 1 + (STEP >> 1), seed = 2; at <= calls; at += STEP)
        for (const when of ["before", "after"] as const)
          for (const chance of [0, 8]) {
            const story = new Story(base, sort, seed++);
            story.lose(chance);
            const life = await story.run(apply, ["book.yaml"], at, when);
            if (life.died) kills += 1;
            if (life.exit !== 0) await story.finish(resume);
            expect(story.world, story.story).toEqual(DONE);
            story.lose(0);
            await story.rest();
            const again = await story.run(apply, ["book.yaml"]);
            expect([again.exit, story.world], story.story).toEqual([0, DONE]);
            story.lose(chance);
            await story.finish(revert);
            expect(story.world, story.story).toEqual(UNDONE);
            lost += story.lost;
            story.database.end();
          }
      expect(kills).toBeGreaterThan(0);
      expect(lost).toBeGreaterThan(0);
      tally({ invariants: ["I3", "I4", "I22"], what: "simulated kills with databases and brokers", count: kills });
      tally({ invariants: ["I22"], what: "statements, messages and answers lost", count: lost });
    });

  test("I4, I22: reverted after a death at any call, what was done is taken back once, and what was not is not", async () => {
    const base = new Scenario(1, WORLD);
    const { calls } = await new Story(base, "searchable", 1).run(apply, ["book.yaml"]);
    let kills = 0;
    for (let at = 1 + (STEP >> 1), seed = 1000; at <= calls; at += STEP) {
      const story = new Story(base, "searchable", seed++);
      const life = await story.run(apply, ["book.yaml"], at, at % 2 === 0 ? "before" : "after");
      if (!life.died || !story.scenario.begun()) continue;
      kills += 1;
      story.lose(8);
      await story.finish(revert);
      const { users, ledger, messages } = story.world as typeof UNDONE;
      expect(users, story.story).toEqual([ada, bob]);
      expect([[], UNDONE.ledger], story.story).toContainEqual(ledger);
      expect([[], UNDONE.messages], story.story).toContainEqual(messages);
      story.database.end();
    }
    expect(kills).toBeGreaterThan(0);
    tally({ invariants: ["I4", "I22"], what: "simulated kills with databases and brokers", count: kills });
  });

  test("I23: a message to a broker that cannot be asked is never sent twice by itself", async () => {
    const base = new Scenario(1, WORLD);
    const { calls } = await new Story(base, "deaf", 1).run(apply, ["book.yaml"]);
    let doubts = 0;
    for (let at = 1 + (STEP >> 1), seed = 2000; at <= calls; at += STEP)
      for (const chance of [0, 25]) {
        const story = new Story(base, "deaf", seed++);
        story.lose(chance);
        await story.run(apply, ["book.yaml"], at, "after");
        story.lose(0);
        for (let round = 0; round < 3; round++) {
          await story.rest();
          const life = await story.run(story.scenario.begun() ? resume : apply, story.scenario.begun() ? [] : ["book.yaml"]);
          if (life.exit === 6) doubts += 1;
        }
        expect(story.broker.messages.length, story.story).toBeLessThanOrEqual(1);
        story.database.end();
      }
    expect(doubts).toBeGreaterThan(0);
    tally({ invariants: ["I23"], what: "doubts that stayed", count: doubts });
  });
});
