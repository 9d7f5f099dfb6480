import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tally } from "../support/figures.ts";
import { RemoteRuns, type Stack } from "../support/remote-runs.ts";
import { RemoteStage } from "../support/remote-stage.ts";
import { startCeph } from "../support/servers/ceph.ts";
import { startConsul } from "../support/servers/consul.ts";
import { startEtcd } from "../support/servers/etcd.ts";
import { startRedis } from "../support/servers/redis.ts";
import { startS3 } from "../support/servers/s3.ts";
import { shareOf } from "../support/share.ts";
import { needing } from "./servers.ts";

/** A store, and a way to look at it and change it behind setpoint's back. */
interface Store {
  readonly port: number;
  readonly resource: (port: number, value: string, key?: string) => string;
  get(key: string): Promise<string | undefined>;
  put(key: string, value: string): Promise<unknown>;
  stop(): Promise<void>;
}

const objectOf =
  (secret: string): Store["resource"] =>
  (port, value, key = "app/a") =>
    `  - object: ${key}\n    store: s3+http://127.0.0.1:${port}/bucket?region=eu-central-1\n    value: ${value}\n    auth: { access_key: ID, secret_key: ${secret} }`;

const stores: { readonly [name: string]: { readonly program: string; start(): Promise<Store> } } = {
  Redis: {
    program: "redis-server",
    async start() {
      const redis = await startRedis();
      return {
        port: redis.server.port,
        resource: (port, value, key = "app/a") => `  - kv: ${key}\n    store: redis://127.0.0.1:${port}/0\n    value: ${value}`,
        get: async (key) => ((await redis.call("GET", key)) as string | null) ?? undefined,
        put: (key, value) => redis.call("SET", key, value),
        stop: () => redis.stop(),
      };
    },
  },
  etcd: {
    program: "etcd",
    async start() {
      const etcd = await startEtcd();
      return {
        port: etcd.server.port,
        resource: (port, value, key = "app/a") => `  - kv: ${key}\n    store: etcd://127.0.0.1:${port}\n    value: ${value}`,
        get: (key) => etcd.get(key),
        put: (key, value) => etcd.put(key, value),
        stop: () => etcd.stop(),
      };
    },
  },
  "the S3 gateway of Ceph": {
    program: "radosgw",
    async start() {
      const ceph = await startCeph();
      return {
        port: ceph.port,
        resource: objectOf(ceph.secret),
        get: ceph.get,
        put: ceph.put,
        stop: ceph.stop,
      };
    },
  },
  "an S3 peer": {
    program: "node",
    async start() {
      const s3 = await startS3();
      return {
        port: s3.port,
        resource: objectOf(s3.secret),
        get: async (key) => s3.get(key)?.body.toString(),
        put: async (key, value) => s3.put(key, value),
        stop: () => s3.stop(),
      };
    },
  },
  "a Consul peer": {
    program: "node",
    async start() {
      const consul = await startConsul();
      return {
        port: consul.port,
        resource: (port, value, key = "app/a") => `  - kv: ${key}\n    store: consul://127.0.0.1:${port}\n    value: ${value}`,
        get: async (key) => consul.get(key),
        put: async (key, value) => consul.put(key, value),
        stop: () => consul.stop(),
      };
    },
  },
};

/** All bytes of a state directory. */
function bytesOf(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, "latin1"))
    .join("\n");
}

for (const [name, { program, start }] of Object.entries(stores)) {
  describe(name, () => {
    let store: Store;
    let runs: RemoteRuns;
    const { lacks, skip } = needing(program);

    beforeAll(async () => {
      if (lacks) return;
      store = await start();
      runs = await RemoteRuns.before(store.port);
    });
    afterAll(async () => {
      await runs?.close();
      await store?.stop();
    });

    test("a key is made, changed, taken away, and put back by reverts", async (context) => {
      skip(context);
      const stage = new RemoteStage();
      try {
        const steps: [string, string | undefined][] = [
          [store.resource(store.port, "one", "made"), "one"],
          [store.resource(store.port, "two", "made"), "two"],
          [store.resource(store.port, "two", "made").replace(/value: .*/, "state: absent"), undefined],
        ];
        const ids: string[] = [];
        for (const [book, value] of steps) {
          const report = await stage.book(book).json("apply");
          expect(report).toMatchObject({ status: "applied", exit: 0, summary: { changed: 1 } });
          ids.push((report as unknown as { run: string }).run);
          expect(await store.get("made")).toBe(value);
          expect(await stage.json("apply")).toMatchObject({ exit: 0, summary: { changed: 0 } });
        }
        for (const [id, value] of [
          [ids[2], "two"],
          [ids[1], "one"],
          [ids[0], undefined],
        ] as const) {
          expect(await stage.json("revert", [id as string])).toMatchObject({ status: "reverted", exit: 0 });
          expect(await store.get("made")).toBe(value);
        }
      } finally {
        await stage.close();
      }
    });

    test("I11: a change of somebody else between plan and apply is a conflict, and is kept", async (context) => {
      skip(context);
      const stage = new RemoteStage();
      let kept = 0;
      const races = shareOf(1000);
      try {
        stage.book(store.resource(store.port, "ours", "raced"));
        const { store: open } = stage.system.network;
        for (let race = 0; race < races; race++) {
          await store.put("raced", "start");
          const theirs = `theirs ${race}`;
          let writing: Promise<unknown> | undefined;
          // From the moment at which the plan has seen it, somebody writes: at once, a little later, or much later.
          const later = [0, 1, 2, 4, 8, 16, 32][race % 7] ?? 0;
          (stage.system.network as { store: typeof open }).store = async (place) => {
            const session = await open(place);
            const { get } = session;
            session.get = async (key) => {
              const found = await get.call(session, key);
              writing ??= new Promise((done) => setTimeout(() => done(store.put("raced", theirs)), later));
              return found;
            };
            return session;
          };
          const report = await stage.json("apply");
          await writing;
          expect(await store.get("raced"), JSON.stringify(report)).toBe(theirs);
          if (report.exit !== 0) kept += 1;
          await stage.system.network.close();
          // Sessions are kept by the process: each race has its own.
        }
        expect(kept).toBeGreaterThan(0);
        tally({ invariants: ["I11"], what: "races", count: races });
      } finally {
        await stage.close();
      }
    }, 3_600_000);

    test("I3, I4: killed at each step, a resume ends it and a revert brings the very value back", async (context) => {
      skip(context);
      let serial = 0;
      const keyOf = new Map<Stack, string>();
      const fresh = async (): Promise<Stack> => {
        serial += 1;
        const key = `killed/${serial}`;
        await store.put(key, "before é");
        const stack = runs.stack(() => store.resource(runs.gate.port, "after", key));
        keyOf.set(stack, key);
        return stack;
      };
      const deaths = await runs.deaths(fresh, ["apply"]);
      let kills = 0;
      for (const [turn, death] of deaths.entries()) {
        const stack = await fresh();
        const key = keyOf.get(stack) as string;
        if (await stack.killed(["apply"], death)) kills += 1;
        if (turn % 2 === 0) {
          const ended = await stack.apply();
          expect(ended, `${death.name}\n${ended.err}`).toMatchObject({ code: 0 });
          expect(await store.get(key), death.name).toBe("after");
        } else {
          const ended = await stack.run(["revert", "--yes"]);
          expect([0, 1], `${death.name}\n${ended.err}`).toContain(ended.code);
          expect(await store.get(key), death.name).toBe("before é");
        }
        stack.end();
      }
      expect(kills).toBeGreaterThan(0);
      tally({ invariants: ["I3", "I4"], what: "kills", count: kills });
    }, 3_600_000);
  });
}

describe("values", () => {
  const { lacks, skip } = needing("redis-server");
  let redis: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    if (!lacks) redis = await startRedis();
  });
  afterAll(() => redis?.stop());

  test("I19: a secret value and the password of a store stand nowhere in the state directory, and a revert brings both values back", async (context) => {
    skip(context);
    const stage = new RemoteStage();
    try {
      await redis.call("SET", "secret", "older-secret-value");
      stage.book(
        `  - kv: secret\n    store: redis://default:\${{ inputs.pw }}@127.0.0.1:${redis.server.port}/0\n    value: \${{ inputs.token }}`,
        "inputs:\n  token: { type: string, secret: true }\n  pw: { type: string, secret: true }\n",
      );
      await redis.call("CONFIG", "SET", "requirepass", "canary-pass-word");
      const given = { var: ["token=canary-secret-value", "pw=canary-pass-word"] };
      const planned = await stage.run("plan", [], given);
      expect(planned.out + planned.err).not.toMatch(/canary|older-secret/);
      const report = await stage.json("apply", [], given);
      expect(report).toMatchObject({ status: "applied" });
      expect(await redis.call("GET", "secret")).toBe("canary-secret-value");
      expect(bytesOf(stage.folder)).not.toMatch(/canary|older-secret/);
      expect(JSON.stringify(report)).not.toMatch(/canary|older-secret/);
      const reverted = await stage.json("revert", [], given);
      expect(reverted, JSON.stringify(reverted)).toMatchObject({ status: "reverted" });
      expect(await redis.call("GET", "secret")).toBe("older-secret-value");
    } finally {
      await redis.call("CONFIG", "SET", "requirepass", "");
      await stage.close();
    }
  });

  test("a value that goes by itself is set with its time, and bytes of a file come back as they were", async (context) => {
    skip(context);
    const stage = new RemoteStage();
    try {
      writeFileSync(join(stage.folder, "value.bin"), Buffer.from([0, 255, 128, 10]));
      await redis.call("SET", "bytes", "text");
      stage.book(
        [
          `  - kv: passing\n    store: redis://127.0.0.1:${redis.server.port}\n    value: here\n    ttl: 1h`,
          `  - kv: bytes\n    store: redis://127.0.0.1:${redis.server.port}\n    source: value.bin`,
        ].join("\n"),
      );
      expect(await stage.json("apply")).toMatchObject({ status: "applied", summary: { changed: 2 } });
      expect(Number(await redis.call("PTTL", "passing"))).toBeGreaterThan(3_500_000);
      expect(await redis.call("STRLEN", "bytes")).toBe(4);
      expect(await stage.json("apply")).toMatchObject({ summary: { changed: 0 } });
      await redis.call("PERSIST", "passing");
      expect(await stage.json("apply")).toMatchObject({ summary: { changed: 1 } });
    } finally {
      await stage.close();
    }
  });

  test("a key that holds no text is an error that says so", async (context) => {
    skip(context);
    const stage = new RemoteStage();
    try {
      await redis.call("RPUSH", "list", "x");
      stage.book(`  - kv: list\n    store: redis://127.0.0.1:${redis.server.port}\n    value: here`);
      expect((await stage.run("plan")).err).toContain("WRONGTYPE");
    } finally {
      await stage.close();
    }
  });
});
