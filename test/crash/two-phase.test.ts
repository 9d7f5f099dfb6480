import { describe, expect, test } from "vitest";
import { abandon } from "../../src/cli/commands/abandon.ts";
import { answer } from "../../src/cli/commands/answer.ts";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { doctor } from "../../src/cli/commands/doctor.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { status } from "../../src/cli/commands/status.ts";
import type { HttpRequest } from "../../src/core/index.ts";
import { type Chooser, type Loss, type Peer, seeded } from "../../src/system/simulated/index.ts";
import { tally } from "../support/figures.ts";
import { Reservations } from "../support/reservations.ts";
import { share, shareOf } from "../support/share.ts";
import { type Life, Scenario } from "../support/simulated-scenario.ts";
import type { World } from "../support/simulated-world.ts";

const HOTEL = "http://hotel.example";
const AIRLINE = "http://airline.example";
const HOUR = 3_600_000;
/** Every n-th call; a full run takes each. */
const STEP = Math.max(1, Math.round(0.2 / share));

/** One participant is ended where its answer leads, the other by its key. */
const world: World = {
  playbook: `
setpoint: 1
name: trip
resources:
  - transaction: trip
    mode: two_phase
    resources:
      - file: site/ticket
        content: booked
      - call: room
        url: ${HOTEL}/bookings
        body: { nights: 2 }
        undo: { url: "${HOTEL}/refunds" }
        verify: { url: "${HOTEL}/all?key={key}", where: { is: confirmed } }
        two_phase:
          confirm: { method: PUT, url: "{location}" }
          cancel: { url: "{answer.links.0.self}" }
      - call: seat
        url: ${AIRLINE}/holds
        body: { seat: 4A, key: "{key}" }
        undo: { url: "${AIRLINE}/refunds" }
        two_phase:
          confirm: { url: "${AIRLINE}/holds/confirm", body: { key: "{key}" } }
          cancel: { method: POST, url: "${AIRLINE}/holds/cancel", body: { key: "{key}" } }
      - file: site/changed
        content: after
`,
  folders: ["w/site"],
  files: { "w/site/changed": "before" },
};

class Story {
  readonly scenario: Scenario;
  readonly hotel = new Reservations();
  readonly airline = new Reservations();
  readonly told: string[] = [];

  constructor(base: Scenario, seed: number) {
    this.scenario = base.fork(seed);
    const { network } = this.scenario.machine;
    network.peers.set(HOTEL, peerOf(this.hotel));
    network.peers.set(AIRLINE, peerOf(this.airline));
    network.loss = () => "none";
  }

  /** Requests are lost as chance says. */
  loseSome(choose: Chooser): void {
    this.scenario.machine.network.loss = () => (["none", "none", "none", "before", "after"] as const)[choose(5)] ?? "none";
  }

  lose(loss: (request: HttpRequest) => Loss): void {
    this.scenario.machine.network.loss = loss;
  }

  async run(module: CommandModule, at = 0, when: "before" | "after" = "before", args: readonly string[] = []): Promise<Life> {
    const life = await this.scenario.run(module, module === apply ? ["book.yaml"] : args, { at, when });
    this.told.push(`at ${at} ${when}: exit ${life.exit}, ${life.died ? `died at ${life.last}` : life.said}`);
    if (life.bug !== undefined) throw new Error(this.story);
    // A breaker that opened is closed by the next hour.
    this.scenario.machine.process("/w").system.clock.sleep(HOUR);
    return life;
  }

  /** The files, and of each participant how often it took effect and what it still keeps prepared. */
  get state(): string {
    const { files } = this.scenario.machine.process("/w").system;
    const read = (path: string) => {
      if (files.lstat(path) === undefined) return "none";
      const fd = files.openRead(path);
      const buffer = Buffer.alloc(10);
      const text = buffer.toString("utf8", 0, files.read(fd, buffer, 0, 10, null));
      files.close(fd);
      return text.trim();
    };
    const { hotel, airline } = this;
    return [
      read("/w/site/ticket"),
      read("/w/site/changed"),
      ...[hotel, airline].map(({ effects, prepared }) => `${effects} held ${prepared}`),
    ].join(", ");
  }

  get story(): string {
    return [
      ...this.told,
      `hotel: ${JSON.stringify(this.hotel.all)} ${this.hotel.seen.join("; ")}`,
      `airline: ${JSON.stringify(this.airline.all)}`,
    ].join("\n");
  }

  /** None took effect twice. */
  once(): void {
    for (const { effects } of [...this.hotel.all, ...this.airline.all]) expect(effects, this.story).toBeLessThanOrEqual(1);
  }
}

function peerOf(model: Reservations): Peer {
  return ({ method, url, headers = {}, body = "" }) => {
    const { pathname, search } = new URL(url);
    const {
      status,
      headers: more,
      body: said,
    } = model.take({ method, target: pathname + search, headers, body: Buffer.from(body).toString() });
    return {
      status,
      headers: { "content-type": "application/json", ...more },
      body: Buffer.from(said === undefined ? "" : JSON.stringify(said)),
    };
  };
}

const DONE = "booked, after, 1 held 0, 1 held 0";
const NONE = "none, before, 0 held 0, 0 held 0";

describe("two files and two peers that prepare, confirm and cancel", () => {
  test("all is confirmed, again is nothing, and a revert takes all back", async () => {
    const story = new Story(new Scenario(1, world), 1);
    const applied = await story.run(apply);
    expect(applied.exit, applied.said).toBe(0);
    expect(story.state).toBe(DONE);
    expect((await story.run(apply)).said).toContain("Nothing to do");
    const reverted = await story.run(revert);
    expect(reverted.exit, reverted.said).toBe(0);
    expect(story.state).toBe(NONE);
    const again = await story.run(apply);
    expect(again.exit, again.said).toBe(0);
    expect(story.state).toBe(DONE);
  });

  test("one that refuses to prepare drops them all, and a resume does it anew under new keys", async () => {
    const story = new Story(new Scenario(1, world), 2);
    story.airline.instead = ({ target }) => (target === "/holds" ? { status: 422, body: { error: "sold out" } } : undefined);
    const applied = await story.run(apply);
    expect(applied.exit, applied.said).toBe(6);
    expect(applied.said).toContain("sold out");
    expect(story.state).toBe(NONE);
    story.airline.instead = () => undefined;
    const resumed = await story.run(resume);
    expect(resumed.exit, story.story).toBe(0);
    expect(story.state).toBe(DONE);
    expect(story.hotel.all.map(({ is }) => is)).toEqual(["cancelled", "confirmed"]);
  });

  for (const lost of ["before", "after"] as const)
    test(`a prepare lost ${lost} it is executed, again and again, is cancelled`, async () => {
      const story = new Story(new Scenario(1, world), 3);
      story.lose(({ method, url }) => (url === `${HOTEL}/bookings` && method === "POST" ? lost : "none"));
      const applied = await story.run(apply);
      expect([6, 1], applied.said).toContain(applied.exit);
      story.lose(() => "none");
      // What cannot be found without its answer is asked for once more, and then cancelled.
      const resumed = await story.run(resume);
      expect(resumed.exit, story.story).toBe(0);
      expect(story.state).toBe(DONE);
      story.once();
    });

  test("one that is down after the decision leaves the run open with exit 6, and a resume confirms it", async () => {
    const story = new Story(new Scenario(1, world), 4);
    story.lose(({ url }) => (url.endsWith("/holds/confirm") ? "before" : "none"));
    const applied = await story.run(apply);
    expect(applied.exit, applied.said).toBe(6);
    expect(story.state).toBe("booked, after, 1 held 0, 0 held 1");
    const at = /airline.example since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, as sp1_/;
    for (const module of [status, doctor]) {
      const { said } = await story.run(module);
      expect(said).toContain("call:seat");
      expect(said).toContain("transaction trip is decided, and it is still to be told to commit; it may hold locks at http://");
      expect(said).toMatch(at);
      expect(said, "the room was told").not.toContain("hotel.example");
    }
    const down = await story.run(resume);
    expect(down.said).toContain("cannot be told");
    expect(story.state).toBe("booked, after, 1 held 0, 0 held 1");
    // Another apply of the stack first ends it too.
    expect((await story.run(apply)).said).toContain("cannot be told");
    story.lose(() => "none");
    expect((await story.run(resume)).exit, story.story).toBe(0);
    expect(story.state).toBe(DONE);
    for (const module of [status, doctor]) expect((await story.run(module)).said).not.toContain("may hold locks");
  });

  test("one that could not be told that it was dropped is shown until it is; an abandon names what it leaves", async () => {
    for (const module of [resume, abandon]) {
      const story = new Story(new Scenario(1, world), 4);
      // The room cannot be cancelled, and the seat was refused.
      story.airline.instead = ({ target }) => (target === "/holds" ? { status: 422 } : undefined);
      story.lose(({ method }) => (method === "DELETE" ? "before" : "none"));
      expect((await story.run(apply)).exit, story.story).toBe(6);
      const { said } = await story.run(status);
      expect(said).toMatch(
        /prepared +call:room +transaction trip was dropped, and it is still to be told; it may hold locks at http:..hotel/,
      );
      expect(said).not.toContain("call:seat");
      if (module === abandon) {
        const runs = story.scenario.machine.process("/w").system.files.readDirectory("/w/state/runs");
        const { said: left } = await story.run(abandon, 0, "before", [runs[0]?.name ?? ""]);
        expect(left).toMatch(/may be prepared at http:\/\/hotel.example, with its locks, as sp1_\w+: take it back there by hand/);
        continue;
      }
      story.lose(() => "none");
      story.airline.instead = () => undefined;
      expect((await story.run(resume)).exit, story.story).toBe(0);
      expect(story.state).toBe(DONE);
      expect((await story.run(status)).said).toContain("nothing is pending");
    }
  });

  test("what expired before it is confirmed is left in doubt, loud, until somebody answers", async () => {
    const story = new Story(new Scenario(1, world), 5);
    story.airline.instead = ({ target }) => {
      if (target === "/holds/confirm") story.airline.expire();
      return undefined;
    };
    const applied = await story.run(apply);
    expect(applied.exit, applied.said).toBe(6);
    expect(applied.said).toContain("expired or was cancelled");
    expect(story.state).toBe("booked, after, 1 held 0, 0 held 0");
    const resumed = await story.run(resume);
    expect(resumed.exit, story.story).toBe(6);
    expect(resumed.said).toContain("setpoint answer");
    expect(story.airline.all.length, "nothing is prepared anew unasked").toBe(1);
    story.airline.instead = () => undefined;
    await story.run(answer, 0, "before", ["call:seat", "not"]);
    expect((await story.run(resume)).exit, story.story).toBe(0);
    expect(story.state).toBe(DONE);
    expect(story.airline.all.map(({ is }) => is)).toEqual(["cancelled", "confirmed"]);
  });

  test("a confirm that is refused as it was done before is found by `verify`", async () => {
    const story = new Story(new Scenario(1, world), 6);
    // A peer that does not keep the contract: it confirms once only.
    story.hotel.instead = ({ method, target }) =>
      method === "PUT" && story.hotel.all.some(({ id, is }) => target.endsWith(id) && is === "confirmed") ? { status: 409 } : undefined;
    let lost = false;
    story.lose(({ method }) => {
      if (method !== "PUT" || lost) return "none";
      lost = true;
      return "after";
    });
    const applied = await story.run(apply);
    expect(applied.exit, story.story).toBe(0);
    expect(story.state).toBe(DONE);
  });

  test("I24: killed at every step, requests lost: all confirmed or all cancelled, once", async () => {
    const base = new Scenario(1, world);
    const first = new Story(base, 1);
    const { calls, exit, said } = await first.run(apply);
    expect(exit, said).toBe(0);
    let kills = 0;
    const ends = { resumed: 0, reverted: 0, applied: 0 };
    for (let at = 1; at <= calls; at += STEP) {
      for (const when of ["before", "after"] as const) {
        for (const module of [resume, revert, apply]) {
          const story = new Story(base, at);
          await story.run(apply, at, when);
          kills += 1;
          const begun = story.scenario.begun();
          const life = begun || module === apply ? await story.run(module) : await story.run(apply);
          expect(life.exit, story.story).toBe(0);
          expect(story.state, story.story).toBe(begun && module === revert ? NONE : DONE);
          story.once();
          ends[module === resume ? "resumed" : module === revert ? "reverted" : "applied"] += 1;
        }
      }
    }
    expect(Object.values(ends).every((count) => count > 0)).toBe(true);
    tally({ invariants: ["I24"], what: "kills of the coordinator", count: kills });
  }, 1_200_000);

  test("I24: requests lost at random and killed again and again: all confirmed or all cancelled, once", async () => {
    const base = new Scenario(1, world);
    const { calls } = await new Story(base, 1).run(apply);
    const trials = shareOf(400);
    let kills = 0;
    for (let seed = 1; seed <= trials; seed++) {
      const choose = seeded(seed);
      const story = new Story(base, seed);
      story.loseSome(choose);
      await story.run(apply, 1 + choose(calls), choose(2) === 0 ? "before" : "after");
      kills += 1;
      for (let more = choose(3); more > 0; more--) {
        const module = story.scenario.begun() ? resume : apply;
        await story.run(module, 1 + choose(calls), choose(2) === 0 ? "before" : "after");
        kills += 1;
      }
      story.lose(() => "none");
      const back = choose(2) === 0 && story.scenario.begun();
      const life = await story.run(back ? revert : story.scenario.begun() ? resume : apply);
      expect(life.exit, story.story).toBe(0);
      expect(story.state, story.story).toBe(back ? NONE : DONE);
      story.once();
    }
    tally({ invariants: ["I24"], what: "kills of the coordinator", count: kills });
  }, 1_200_000);
});
