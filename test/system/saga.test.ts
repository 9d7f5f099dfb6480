import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { tally } from "../support/figures.ts";
import { HttpPeer } from "../support/http-peer.ts";
import type { PeerRequest } from "../support/http-peer-model.ts";
import { MortalPlace } from "../support/mortal-place.ts";
import { startNats } from "../support/servers/nats.ts";
import { Postgres, postgresLacks } from "../support/servers/postgres.ts";
import { share } from "../support/share.ts";
import { must, run } from "./machine.ts";
import { needing } from "./servers.ts";

const lacks = postgresLacks();
const nats = needing("nats-server");
/** Every n-th moment; a full run takes each. */
const STEP = Math.max(1, Math.round(1 / share));

interface Servers {
  readonly pg: Postgres;
  readonly broker: Awaited<ReturnType<typeof startNats>>;
}

let scenes = 0;

/** What each member did and was taken back, as its own side tells it. */
interface Told {
  readonly done: number;
  readonly undone: number;
}

/** Six members on four kinds of other sides, a file before them and one behind. */
class Scene extends MortalPlace {
  readonly told: string[] = [];
  private readonly name = `saga${++scenes}`;
  private readonly servers: Servers;
  readonly peer: HttpPeer;

  private constructor(servers: Servers, peer: HttpPeer) {
    super("saga");
    this.servers = servers;
    this.peer = peer;
  }

  static async in(servers: Servers): Promise<Scene> {
    const peer = await HttpPeer.start({ deeds: ["/charges", "/refunds"], dedupe: 86_400_000 });
    peer.model.objects.set("/orders/5", { buyer: "ada", placed: false });
    const scene = new Scene(servers, peer);
    scene.makeTables();
    await scene.listen("placed");
    await scene.listen("cancelled");
    mkdirSync(join(scene.folder, "site"));
    writeFileSync(join(scene.folder, "db.url"), servers.pg.url());
    writeFileSync(join(scene.folder, "book.yaml"), scene.book());
    scene.like();
    return scene;
  }

  /** A table that remembers each change of its row, and one for what statements did and took back. */
  private makeTables(): void {
    this.servers.pg.sql(`
      DROP TABLE IF EXISTS setpoint_receipts, stock, changes, deeds;
      CREATE TABLE stock (id int PRIMARY KEY, reserved int);
      CREATE TABLE changes (reserved int);
      CREATE TABLE deeds (what text);
      INSERT INTO stock VALUES (5, 0);
      CREATE OR REPLACE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO changes VALUES (NEW.reserved); RETURN NEW; END';
      CREATE TRIGGER remember AFTER UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION remember();`);
  }

  private book(): string {
    const { origin } = this.peer;
    return `
setpoint: 1
name: ${this.name}
inputs:
  db: { type: string, secret: true, from: { file: db.url } }
resources:
  - file: before
    content: stays
  - transaction: order
    mode: saga
    check: [sh, ${join(this.folder, "check")}]
    resources:
      - sql_row: stock
        database: \${{ inputs.db }}
        key: { id: 5 }
        set: { reserved: 1 }
      - sql_query: note the order
        database: \${{ inputs.db }}
        run: INSERT INTO deeds VALUES ('done')
        undo: INSERT INTO deeds VALUES ('undone')
      - http: ${origin}/orders/5
        body: { placed: true }
      - call: charge
        url: ${origin}/charges
        body: { amount: 5 }
        dedupe: 24h
        undo: { url: "${origin}/refunds", body: { amount: 5 } }
      - file: site/order
        content: placed
      - message: announce
        broker: ${this.servers.broker.url}
        subject: ${this.subject("placed")}
        body: placed
        undo: { subject: ${this.subject("cancelled")}, body: cancelled }
  - file: behind
    content: c
`;
  }

  private subject(what: string): string {
    return `${this.name}.${what}`;
  }

  /** A stream takes messages on a subject. */
  async listen(what: "placed" | "cancelled"): Promise<void> {
    await this.servers.broker.stream({ name: `${this.name}-${what}`, subjects: [this.subject(what)], storage: MEMORY });
  }

  /** No stream takes them any more. */
  async deafen(what: "placed" | "cancelled"): Promise<void> {
    await (await this.servers.broker.client.jetstreamManager()).streams.delete(`${this.name}-${what}`);
  }

  sql(text: string): string {
    return this.servers.pg.sql(text);
  }

  /** Requests of a method to a path are answered with a status, and not executed. */
  refuse(method: string, path: string, status = 403): void {
    this.peer.model.fault = (request: PeerRequest) =>
      request.method === method && request.target.startsWith(path)
        ? { do: "answer", answer: { status, body: { error: "no" } } }
        : undefined;
  }

  heal(): void {
    this.peer.model.fault = () => undefined;
    this.peer.model.before = () => undefined;
  }

  /** The check of the transaction does not like what it sees, and does something of its own before it says so. */
  dislike(doing = ""): void {
    writeFileSync(this.at("check"), `${doing}\nexit 1\n`);
  }

  like(): void {
    writeFileSync(this.at("check"), "exit 0\n");
  }

  /** Something happens each time when a charge reaches the peer. */
  onCharge(happens: () => void): void {
    this.peer.model.before = ({ method, target }) => {
      if (method === "POST" && target === "/charges") happens();
    };
  }

  override async run(module: CommandModule, at = 0, when: "before" | "after" = "before") {
    const ran = await super.run(module, at, when);
    const name = module === apply ? "apply" : module === resume ? "resume" : "revert";
    this.told.push(ran.dead ? `${name} died ${when} ${at}: ${ran.last}` : `${name}: exit ${ran.exit}\n${ran.said}`);
    return ran;
  }

  get story(): string {
    return this.told.join("\n");
  }

  /** How often each member took effect, and was taken back. */
  async members(): Promise<{ readonly [member: string]: Told }> {
    const { broker } = this.servers;
    const rows = this.sql("SELECT 'row ' || reserved FROM changes UNION ALL SELECT what FROM deeds").split("\n");
    const count = (line: string) => rows.filter((row) => row === line).length;
    const { deeds, writes } = this.peer.model;
    const puts = (placed: boolean) =>
      writes.filter(({ target, status, body }) => target === "/orders/5" && status < 300 && JSON.parse(body).placed === placed).length;
    const calls = (path: string) => deeds.filter((deed) => deed.path === path).length;
    const messages = async (what: string) =>
      (
        await broker.messages(`${this.name}-${what}`).catch((thrown: Error) => {
          if (thrown.message.includes("stream not found")) return [];
          throw thrown;
        })
      ).length;
    return {
      row: { done: count("row 1"), undone: count("row 0") },
      query: { done: count("done"), undone: count("undone") },
      object: { done: puts(true), undone: puts(false) },
      call: { done: calls("/charges"), undone: calls("/refunds") },
      message: { done: await messages("placed"), undone: await messages("cancelled") },
    };
  }

  /** What the registers have: the row, the object, the file. */
  registers(): string {
    const object = this.peer.model.objects.get("/orders/5");
    return `${this.sql("SELECT reserved FROM stock")} ${object?.placed} ${existsSync(this.at("site/order"))}`;
  }

  /** All members are set; each was done once more than taken back. */
  async expectDone(): Promise<void> {
    for (const [name, { done, undone }] of Object.entries(await this.members()))
      expect(done - undone, `${name}: ${done} ${undone}\n${this.story}`).toBe(1);
    expect(this.registers(), this.story).toBe("1 true true");
    expect([existsSync(this.at("before")), existsSync(this.at("behind"))], this.story).toEqual([true, true]);
  }

  /** Each member was taken back exactly as often as it was done, and that is once at most, or `times`. */
  async expectUndone(times?: number): Promise<void> {
    for (const [name, { done, undone }] of Object.entries(await this.members())) {
      expect(undone, `${name}\n${this.story}`).toBe(done);
      if (times === undefined) expect(done, `${name}\n${this.story}`).toBeLessThanOrEqual(1);
      else expect(done, `${name}\n${this.story}`).toBe(times);
    }
    expect(this.registers(), this.story).toBe("0 false false");
  }

  override async end(): Promise<void> {
    run(["chattr", "-R", "-f", "-i", this.folder]);
    await this.peer.stop();
    const manager = await this.servers.broker.client.jetstreamManager();
    for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name);
    super.end();
  }
}

const MEMORY = "memory" as never;

/** A way in which something fails for good, and how that ends. */
interface Trouble {
  readonly name: string;
  make(scene: Scene): void | Promise<void>;
  mend(scene: Scene): void | Promise<void>;
}

const sqlTrouble = (name: string, make: string, mend: string): Trouble => ({
  name,
  make: (scene) => void scene.sql(make),
  mend: (scene) => void scene.sql(mend),
});

const httpTrouble = (name: string, method: string, path: string, status: number): Trouble => ({
  name,
  make: (scene) => scene.refuse(method, path, status),
  mend: (scene) => scene.heal(),
});

const refusals: readonly Trouble[] = [
  sqlTrouble(
    "a constraint against the row",
    "ALTER TABLE stock ADD CONSTRAINT no CHECK (reserved < 1)",
    "ALTER TABLE stock DROP CONSTRAINT no",
  ),
  sqlTrouble(
    "a constraint against the statement",
    "ALTER TABLE deeds ADD CONSTRAINT no CHECK (what <> 'done')",
    "ALTER TABLE deeds DROP CONSTRAINT no",
  ),
  sqlTrouble("no table for the statement", "ALTER TABLE deeds RENAME TO gone", "ALTER TABLE gone RENAME TO deeds"),
  httpTrouble("403 for the object", "PUT", "/orders/5", 403),
  httpTrouble("503 for the object", "PUT", "/orders/5", 503),
  httpTrouble("422 for the call", "POST", "/charges", 422),
  {
    name: "a folder that is gone by then",
    make: (scene) => scene.onCharge(() => renameSync(scene.at("site"), scene.at("away"))),
    mend(scene) {
      renameSync(scene.at("away"), scene.at("site"));
      scene.heal();
    },
  },
  {
    name: "an immutable folder",
    make: (scene) => void must("chattr", "+i", scene.at("site")),
    mend: (scene) => void must("chattr", "-i", scene.at("site")),
  },
  { name: "no stream for the message", make: (scene) => scene.deafen("placed"), mend: (scene) => scene.listen("placed") },
  { name: "the check", make: (scene) => scene.dislike(), mend: (scene) => scene.like() },
];

/** What makes a compensation fail, beside a check that does not like what was set. */
const stuck: readonly (Trouble & { readonly left: string })[] = [
  {
    ...sqlTrouble(
      "the row",
      `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''never less''; END';
       CREATE TRIGGER no BEFORE UPDATE ON stock FOR EACH ROW WHEN (NEW.reserved < OLD.reserved) EXECUTE FUNCTION no()`,
      "DROP TRIGGER no ON stock; DROP FUNCTION no",
    ),
    left: "stock",
  },
  {
    ...sqlTrouble("the statement", "ALTER TABLE deeds ADD CONSTRAINT no CHECK (what <> 'undone')", "ALTER TABLE deeds DROP CONSTRAINT no"),
    left: "note the order",
  },
  {
    name: "the object",
    make: (scene) => {
      scene.peer.model.fault = ({ method, body }) =>
        method === "PUT" && JSON.parse(body).placed === false ? { do: "answer", answer: { status: 403 } } : undefined;
    },
    mend: (scene) => scene.heal(),
    left: "/orders/5",
  },
  { ...httpTrouble("the call", "POST", "/refunds", 403), left: "charge" },
  {
    name: "the file",
    make: (scene) => scene.dislike(`chattr +i ${scene.at("site")}`),
    mend: (scene) => void must("chattr", "-i", scene.at("site")),
    left: "site/order",
  },
  { name: "the message", make: (scene) => scene.deafen("cancelled"), mend: (scene) => scene.listen("cancelled"), left: "announce" },
];

describe("a saga of six members over PostgreSQL, HTTP, a file and NATS JetStream", () => {
  let servers: Servers;

  beforeAll(async () => {
    if (lacks === undefined && !nats.lacks) servers = { pg: await Postgres.start(), broker: await startNats() };
  });
  afterAll(async () => {
    await servers?.pg.stop();
    await servers?.broker.stop();
  });

  function onServers(name: string, body: () => Promise<void>, timeout?: number): void {
    test(
      name,
      async (context: TestContext) => {
        nats.skip(context);
        if (lacks !== undefined) {
          if (process.env.CI === "true") throw new Error(lacks);
          context.skip(lacks);
        }
        await body();
      },
      timeout,
    );
  }

  async function withScene(body: (scene: Scene) => Promise<void>): Promise<void> {
    const scene = await Scene.in(servers);
    try {
      await body(scene);
    } finally {
      await scene.end();
    }
  }

  onServers("all is set, again is nothing, and a revert takes each back once", async () => {
    await withScene(async (scene) => {
      expect((await scene.run(apply)).exit, scene.story).toBe(0);
      await scene.expectDone();
      expect((await scene.run(apply)).said).toContain("Nothing to do");
      expect((await scene.run(revert)).exit, scene.story).toBe(0);
      await scene.expectUndone(1);
    });
  });

  for (const { name, make, mend } of refusals)
    onServers(`${name} refuses: those before are taken back once, and a resume does it anew`, async () => {
      await withScene(async (scene) => {
        await make(scene);
        expect((await scene.run(apply)).exit, scene.story).toBe(6);
        await mend(scene);
        await scene.expectUndone();
        await make(scene);
        expect((await scene.run(resume)).exit, scene.story).toBe(6);
        await mend(scene);
        expect((await scene.run(resume)).exit, scene.story).toBe(0);
        await scene.expectDone();
        expect((await scene.run(revert)).exit, scene.story).toBe(0);
      });
    });

  for (const { name, make, mend, left } of stuck)
    onServers(`${name} cannot be taken back: revert-halted says so, and a later revert finishes`, async () => {
      await withScene(async (scene) => {
        scene.dislike();
        await make(scene);
        const applied = await scene.run(apply);
        expect(applied.exit, scene.story).toBe(6);
        expect(applied.said).toContain(left);
        expect(applied.said).toContain("setpoint revert");
        const members = Object.values(await scene.members());
        const undone = members.filter(({ undone }) => undone === 1).length;
        // The file has no log of its own.
        expect(undone, scene.story).toBe(name === "the file" ? 5 : 4);
        expect(existsSync(scene.at("site/order")), scene.story).toBe(name === "the file");
        expect((await scene.run(resume)).said, "a resume is refused").toContain("`setpoint revert` goes on");
        const again = await scene.run(revert);
        expect(again.exit, scene.story).toBe(6);
        expect(again.said).toContain(left);
        await mend(scene);
        expect((await scene.run(revert)).exit, scene.story).toBe(0);
        await scene.expectUndone(1);
      });
    });

  onServers(
    "a call of which nobody knows whether it happened is left, the others are taken back; once the peer answers, a revert ends it",
    async () => {
      await withScene(async (scene) => {
        // It may have been executed for all that is known: it is not given up, nor compensated as it is.
        scene.refuse("POST", "/charges", 500);
        const applied = await scene.run(apply);
        expect(applied.exit, scene.story).toBe(6);
        expect(applied.said).toContain("Revert halted");
        const { call, query } = await scene.members();
        expect([call, query], scene.story).toEqual([
          { done: 0, undone: 0 },
          { done: 1, undone: 1 },
        ]);
        expect((await scene.run(revert)).exit, scene.story).toBe(6);
        scene.heal();
        expect((await scene.run(revert)).exit, scene.story).toBe(0);
        await scene.expectUndone();
      });
    },
  );

  for (const when of ["before", "after"] as const)
    onServers(
      `I22: killed ${when} each step: resumed it is whole, reverted each is taken back exactly once`,
      async () => {
        let calls = 0;
        await withScene(async (scene) => {
          calls = (await scene.run(apply)).calls;
        });
        let kills = 0;
        for (let at = 1 + (STEP >> 1); at <= calls; at += STEP)
          for (const module of [resume, revert])
            await withScene(async (scene) => {
              await scene.run(apply, at, when);
              kills += 1;
              if (scene.begun()) expect((await scene.run(module)).exit, scene.story).toBe(0);
              else if (module === resume) expect((await scene.run(apply)).exit, scene.story).toBe(0);
              if (module === resume) await scene.expectDone();
              else await scene.expectUndone();
            });
        expect(kills).toBeGreaterThan(0);
        tally({ invariants: ["I22"], what: "kills of sagas", count: kills });
      },
      3_600_000,
    );

  for (const when of ["before", "after"] as const)
    onServers(
      `I22: its check fails and it is killed ${when} each step of taking back: in the end each is taken back exactly once`,
      async () => {
        let calls = 0;
        await withScene(async (scene) => {
          scene.dislike();
          calls = (await scene.run(apply)).calls;
        });
        let kills = 0;
        for (let at = 1 + (STEP >> 1); at <= calls; at += STEP)
          for (const module of [resume, revert])
            await withScene(async (scene) => {
              scene.dislike();
              await scene.run(apply, at, when);
              kills += 1;
              if (!scene.begun()) return;
              const ended = await scene.run(module);
              expect(ended.exit, scene.story).toBe(module === revert ? 0 : 6);
              for (const [name, { done, undone }] of Object.entries(await scene.members()))
                expect(undone, `${name}\n${scene.story}`).toBe(done);
              if (module === revert) return;
              scene.like();
              expect((await scene.run(resume)).exit, scene.story).toBe(0);
              await scene.expectDone();
            });
        expect(kills).toBeGreaterThan(0);
        tally({ invariants: ["I22"], what: "kills of sagas", count: kills });
      },
      3_600_000,
    );
});
