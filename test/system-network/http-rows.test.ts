import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Json } from "../../src/core/index.ts";
import { Certificates } from "../support/certificates.ts";
import { HttpPeer } from "../support/http-peer.ts";
import type { PeerAnswer, PeerFault, PeerManner, PeerRequest } from "../support/http-peer-model.ts";
import { RemoteStage } from "../support/remote-stage.ts";

let stage: RemoteStage;
let peer: HttpPeer;
const HOUR = 3_600_000;

beforeEach(async () => {
  stage = new RemoteStage();
  peer = await HttpPeer.start({ deeds: ["/charges", "/refunds"], dedupe: 24 * HOUR });
});

afterEach(async () => {
  await peer.stop();
  await stage.close();
});

const writes = ({ method }: PeerRequest) => method !== "GET" && method !== "HEAD";
const reads = ({ method }: PeerRequest) => method === "GET";
const says = (status: number, headers: PeerAnswer["headers"] = {}, body?: Json): PeerFault => ({
  do: "answer",
  answer: { status, headers, ...(body !== undefined && { body }) },
});
const lost: PeerFault = { do: "drop", executed: true };
const unheard: PeerFault = { do: "drop", executed: false };

/** Objects that are to be inactive. */
const object = (more = "") => `  - http: ${peer.origin}/users/5\n    body: { status: inactive }\n${more}`;
const charge = (more = "    dedupe: 1h\n") =>
  `  - call: charge\n    url: ${peer.origin}/charges\n    body: { amount: 5 }\n    undo: { url: "${peer.origin}/refunds", body: { amount: 5 } }\n${more}`;

const five = { name: "five", status: "active" };

function objectThere(manner: PeerManner = {}): void {
  peer.model.manner = { ...peer.model.manner, ...manner };
  peer.model.objects.set("/users/5", five);
  stage.book(object());
}

const stateNow = () => peer.model.objects.get("/users/5");
const sent = () => peer.model.writes.map(({ method, status }) => `${method} ${status}`);

describe("DNS, refused, TLS: nothing was sent", () => {
  test("a name that is not known and a port that nobody listens at are tried 5 times", async () => {
    for (const origin of ["http://setpoint.invalid", `http://127.0.0.1:${await freePort()}`]) {
      stage.book(`  - call: charge\n    url: ${origin}/charges\n    undo: none\n`);
      const report = await stage.json("apply");
      expect(report.exit).toBe(6);
      expect(report.actions).toMatchObject([{ status: expect.stringMatching(/failed|blocked/) }]);
      expect(stage.waits.length).toBeGreaterThanOrEqual(4);
      // It was certainly not executed: the next apply sends it without asking anybody.
      expect(report.summary.in_doubt).toBe(0);
    }
  });

  test("a certificate that is not trusted is not tried again", async () => {
    const secure = await HttpPeer.start({ deeds: ["/charges"] }, new Certificates().server("localhost"));
    stage.book(`  - call: charge\n    url: ${secure.origin}/charges\n    undo: none\n`);
    const report = await stage.json("apply");
    await secure.stop();
    expect(secure.model.seen).toEqual([]);
    expect(report.actions).toMatchObject([{ status: "failed" }]);
    expect(report.summary.in_doubt).toBe(0);
    expect(stage.waits).toEqual([]);
  });
});

describe("reset, timeout, 502, 504: nobody knows", () => {
  const troubles: readonly (readonly [string, PeerFault])[] = [
    ["a reset after it was done", lost],
    ["a reset before it was done", unheard],
    ["a timeout", { do: "delay", ms: 800 }],
    ["a body that never ends", { do: "slow", ms: 800 }],
    ["502 after it was done", { ...says(502), executed: true } as PeerFault],
    ["502 before it was done", says(502)],
    ["504 after it was done", { ...says(504), executed: true } as PeerFault],
  ];

  test.each(troubles)("%s: an object is read, and set if that did not happen", async (_, fault) => {
    objectThere();
    stage.book(object("    timeout: 200ms\n"));
    peer.model.next(writes, fault);
    const report = await stage.json("apply");
    expect(report).toMatchObject({ exit: 0, status: "applied", summary: { verified: true } });
    expect(stateNow()).toEqual({ name: "five", status: "inactive" });
    expect(sent().length).toBeLessThanOrEqual(2);
  });

  test.each(troubles)("I22: %s: an effect is sent again under the same key, and done once", async (_, fault) => {
    stage.book(charge("    dedupe: 1h\n    timeout: 200ms\n"));
    peer.model.next(writes, fault);
    expect(await stage.json("apply")).toMatchObject({ exit: 0, status: "applied" });
    expect(peer.model.deeds).toHaveLength(1);
    expect(new Set(peer.model.writes.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
  });

  test.each(troubles)("%s: without deduplication it is asked whether it was done", async (_, fault) => {
    peer.model.manner = { ...peer.model.manner, dedupe: 0 };
    stage.book(charge(`    verify: { url: "${peer.origin}/charges?key={key}", where: { state: paid } }\n    timeout: 200ms\n`));
    peer.model.next(writes, fault);
    expect(await stage.json("apply")).toMatchObject({ exit: 0, status: "applied" });
    expect(peer.model.deeds).toHaveLength(1);
  });

  test.each(troubles)("I23: %s: with neither it stays in doubt, and nothing is sent until that is answered", async (_, fault) => {
    peer.model.manner = { ...peer.model.manner, dedupe: 0 };
    stage.book(charge("    timeout: 200ms\n"));
    peer.model.next(writes, fault);
    expect(await stage.json("apply")).toMatchObject({ exit: 6, status: "halted", actions: [{ status: "unknown" }] });
    const before = peer.model.writes.length;
    for (const command of ["resume", "apply", "apply"] as const) expect((await stage.json(command)).exit, command).toBe(6);
    expect(peer.model.writes).toHaveLength(before);
  });

  test("I23: what is in doubt is not taken back either, until it is answered", async () => {
    peer.model.manner = { ...peer.model.manner, dedupe: 0 };
    stage.book(charge(""));
    peer.model.next(writes, lost);
    expect((await stage.json("apply")).exit).toBe(6);
    for (const command of ["revert", "revert"] as const) expect((await stage.json(command)).exit, command).toBe(6);
    expect(peer.model.deeds).toHaveLength(1);
    await stage.run("answer", ["call:charge", "happened"]);
    expect(await stage.json("revert")).toMatchObject({ exit: 0, status: "reverted" });
    expect(peer.model.deeds.map(({ path }) => path)).toEqual(["/charges", "/refunds"]);
  });
});

describe("2xx: done", () => {
  test("what was set is read back; what the other side makes of it besides is left out", async () => {
    objectThere();
    peer.model.before = ({ method }) => {
      if (method === "PUT") peer.model.objects.set("/users/5", { ...five, updated: 1 });
    };
    expect(await stage.json("apply")).toMatchObject({ exit: 0, summary: { changed: 1, verified: true } });
    expect(await stage.run("plan")).toMatchObject({ exit: 0 });
  });

  test("202 is polled until the other side says that it is done", async () => {
    peer.model.manner = { ...peer.model.manner, later: { "/charges": 3 } };
    stage.book(charge("    dedupe: 1h\n    poll: { every: 2s, within: 1m, until: { state: done } }\n"));
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect(peer.model.seen.filter(({ target }) => target === "/jobs/1").map(({ status }) => status)).toEqual([202, 202, 202, 200]);
    expect(stage.waited).toBe(8000);
    expect(peer.model.deeds).toHaveLength(1);
  });

  test("202 is polled for so long and no longer: then nobody knows", async () => {
    peer.model.manner = { ...peer.model.manner, later: { "/charges": 1000 } };
    stage.book(charge("    poll: { every: 2s, within: 10s }\n"));
    expect(await stage.json("apply")).toMatchObject({ exit: 6, actions: [{ status: "unknown" }] });
    expect(stage.waited).toBeLessThanOrEqual(12_000);
  });
});

describe("304, 412: somebody was there first", () => {
  test.each([304, 412])("%i with the object as it is to be: found", async (status) => {
    objectThere();
    peer.model.before = () => undefined;
    peer.model.fault = (request) => {
      if (!writes(request)) return undefined;
      peer.model.objects.set("/users/5", { ...five, status: "inactive" });
      return says(status);
    };
    expect(await stage.json("apply")).toMatchObject({ exit: 0, actions: [{ status: "found" }] });
    expect(sent()).toEqual([`PUT ${status}`]);
  });

  test.each([304, 412])("%i with the declared fields as before: once more with the new tag", async (status) => {
    objectThere();
    let first = true;
    peer.model.fault = (request) => {
      if (!writes(request) || !first) return undefined;
      first = false;
      peer.model.objects.set("/users/5", { ...five, phone: "1" });
      return says(status);
    };
    expect(await stage.json("apply")).toMatchObject({ exit: 0, actions: [{ status: "set" }] });
    expect(stateNow()).toEqual({ name: "five", status: "inactive", phone: "1" });
  });

  test.each([304, 412])("%i with anything else: a conflict, and theirs stays", async (status) => {
    objectThere();
    peer.model.fault = (request) => {
      if (!writes(request)) return undefined;
      peer.model.objects.set("/users/5", { ...five, status: "blocked" });
      return says(status);
    };
    expect(await stage.json("apply")).toMatchObject({ exit: 6, actions: [{ status: "conflict" }] });
    expect(stateNow()).toMatchObject({ status: "blocked" });
    expect(sent()).toHaveLength(1);
  });

  test("an object that somebody else made just now is not overwritten", async () => {
    stage.book(object());
    peer.model.before = (request) => {
      if (writes(request) && !peer.model.objects.has("/users/5")) peer.model.objects.set("/users/5", { status: "theirs" });
    };
    expect(await stage.json("apply")).toMatchObject({ exit: 6, actions: [{ status: "conflict" }] });
    expect(stateNow()).toEqual({ status: "theirs" });
    expect(sent()).toEqual(["PUT 412"]);
  });
});

describe("404, 410", () => {
  test.each([404, 410])("GET %i: it is absent, and made", async (status) => {
    stage.book(object());
    peer.model.next(reads, says(status));
    expect(await stage.json("apply")).toMatchObject({ exit: 0, actions: [{ before: { is: "absent" }, status: "set" }] });
  });

  test.each([404, 410])("DELETE %i: it is gone already", async (status) => {
    objectThere();
    stage.book(`  - http: ${peer.origin}/users/5\n    state: absent\n`);
    peer.model.fault = (request) => {
      if (!writes(request)) return undefined;
      peer.model.objects.delete("/users/5");
      return says(status);
    };
    expect(await stage.json("apply")).toMatchObject({ exit: 0, status: "applied", summary: { verified: true } });
    expect(sent()).toEqual([`DELETE ${status}`]);
  });

  test.each([404, 410])("PUT %i: its parent is missing, for good", async (status) => {
    stage.book(object());
    peer.model.next(writes, says(status));
    expect(await stage.json("apply")).toMatchObject({ exit: 6, actions: [{ status: "failed" }] });
    expect(sent()).toHaveLength(1);
  });
});

describe("409, 422", () => {
  test("409 with our key: the first one is still running, so the same key is sent again", async () => {
    stage.book(charge());
    peer.model.next(writes, says(409, { "retry-after": "3" }), says(409));
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect(sent()).toEqual(["POST 409", "POST 409", "POST 201"]);
    expect(stage.waited).toBeGreaterThanOrEqual(3000);
  });

  test("409 without a key: an effect is not sent again", async () => {
    stage.book(charge("    key_format: none\n"));
    peer.model.next(writes, says(409));
    expect(await stage.json("apply")).toMatchObject({ exit: 6, actions: [{ status: "failed" }], summary: { in_doubt: 0 } });
    expect(sent()).toEqual(["POST 409"]);
  });

  test("409 for an object: it is read, and a conflict where it is another one now", async () => {
    objectThere();
    peer.model.fault = (request) => {
      if (!writes(request)) return undefined;
      peer.model.objects.set("/users/5", { ...five, status: "blocked" });
      return says(409);
    };
    expect(await stage.json("apply")).toMatchObject({ exit: 6, actions: [{ status: "conflict" }] });
  });

  test("422 with our key is for good, and no new key is made", async () => {
    stage.book(charge());
    peer.model.next(writes, says(422));
    expect(await stage.json("apply")).toMatchObject({ exit: 6, actions: [{ status: "failed" }] });
    expect(await stage.json("resume")).toMatchObject({ exit: 0 });
    expect(new Set(peer.model.writes.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
  });
});

describe("refused", () => {
  test.each([400, 401, 403, 405, 406, 411, 413, 414, 415, 417, 422, 431, 451])(
    "%i is for good, for an object and an effect",
    async (status) => {
      objectThere();
      stage.book(object("    on_failure: continue\n") + charge());
      peer.model.fault = (request) => (writes(request) ? says(status) : undefined);
      const report = await stage.json("apply");
      expect(report).toMatchObject({ exit: 6, actions: [{ status: "failed" }, { status: "failed" }], summary: { in_doubt: 0 } });
      expect(sent()).toHaveLength(2);
      expect(stage.waits).toEqual([]);
    },
  );

  test("401 renews the token once", async () => {
    peer.model.manner = { ...peer.model.manner, clients: { me: "my-secret" } };
    const auth = `    auth: { oauth: { token_url: "${peer.origin}/token", client_id: me, client_secret: my-secret } }\n`;
    objectThere();
    stage.book(object(auth));
    peer.model.before = ({ method }) => {
      if (method === "PUT" && peer.model.writes.filter((one) => one.method === "PUT").length === 1) peer.model.revokeToken();
    };
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect(sent()).toEqual(["POST 200", "PUT 401", "POST 200", "PUT 200"]);
  });

  test("401 that a new token does not mend is for good", async () => {
    peer.model.manner = { ...peer.model.manner, clients: { me: "my-secret" } };
    objectThere();
    stage.book(object(`    auth: { oauth: { token_url: "${peer.origin}/token", client_id: me, client_secret: my-secret } }\n`));
    peer.model.fault = ({ method }) => (method === "PUT" ? says(401) : undefined);
    expect(await stage.json("apply")).toMatchObject({ exit: 6, actions: [{ status: "failed" }] });
    expect(sent()).toEqual(["POST 200", "PUT 401", "POST 200", "PUT 401"]);
  });
});

describe("408, 421, 423, 425, 428: not done", () => {
  test.each([408, 421, 423, 425])("%i is sent again under a key or a condition", async (status) => {
    objectThere();
    stage.book(object() + charge());
    peer.model.next(({ method }) => method === "PUT", says(status));
    peer.model.next(({ method }) => method === "POST", says(status));
    expect(await stage.json("apply")).toMatchObject({ exit: 0, summary: { changed: 2 } });
    expect(sent().sort()).toEqual(["POST 201", `POST ${status}`, "PUT 200", `PUT ${status}`].sort());
  });

  test.each([
    [408, false],
    [423, false],
    [421, true],
    [425, true],
  ])("%i without either: sent again %s", async (status, again) => {
    stage.book(charge("    key_format: none\n"));
    peer.model.next(writes, says(status));
    const report = await stage.json("apply");
    expect(report.exit).toBe(again ? 0 : 6);
    expect(report.summary.in_doubt).toBe(0);
    expect(sent()).toHaveLength(again ? 2 : 1);
  });

  test("428: the tag is fetched, and the condition sent", async () => {
    objectThere({ conditional: true });
    // The first two readings, for the plan and right before, give no tag.
    const { etags: _, ...manner } = peer.model.manner;
    peer.model.manner = { ...manner, etags: "none" };
    peer.model.fault = (request) => {
      if (writes(request)) peer.model.manner = { ...manner, etags: "strong" };
      return undefined;
    };
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect(sent()).toEqual(["PUT 428", "PUT 200"]);
    expect(peer.model.writes[1]?.headers["if-match"]).toMatch(/^"/);
  });
});

describe("429", () => {
  const date = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms).toUTCString();
  test.each([
    ["seconds", { "retry-after": "90" }, 90_000],
    ["a date, against the answer's Date", { "retry-after": date(120_000), date: date(0) }, 120_000],
    ["a day, of which 15 minutes are waited for", { "retry-after": "86400" }, 900_000],
  ])("Retry-After in %s is kept to, for writes and reads", async (_, headers, wait) => {
    for (const which of [writes, reads]) {
      objectThere();
      stage.book(object() + charge());
      stage.waits.length = 0;
      peer.model.next(which, says(429, headers));
      expect(await stage.json("apply"), which.name).toMatchObject({ exit: 0 });
      // Some of it passes by itself.
      expect(stage.waited).toBeGreaterThan(wait - 2000);
      expect(stage.waited).toBeLessThan(wait + 2000);
      peer.model.fault = () => undefined;
      await stage.json("revert");
    }
  });
});

describe("500, 503", () => {
  test.each([500, 503, 507])("%i: an object is read and set", async (status) => {
    objectThere();
    peer.model.next(writes, says(status), { ...says(status), executed: true } as PeerFault);
    expect(await stage.json("apply")).toMatchObject({ exit: 0, actions: [{ status: "found" }] });
    expect(sent()).toEqual([`PUT ${status}`, `PUT ${status}`]);
  });

  test("the same stored answer twice under a key: failed, and perhaps done", async () => {
    stage.book(charge());
    peer.model.fault = (request) => (writes(request) ? says(500, {}, { error: "stored" }) : undefined);
    expect(await stage.json("apply")).toMatchObject({ exit: 6, actions: [{ status: "failed" }] });
    expect(sent()).toEqual(["POST 500", "POST 500"]);
    // Perhaps done: a resume within the window asks again under the key, and one after it does not.
    stage.offset += 2 * HOUR;
    expect(await stage.json("resume")).toMatchObject({ exit: 6, actions: [{ status: "unknown" }] });
    expect(sent()).toHaveLength(2);
  });

  test("another answer each time is tried 5 times", async () => {
    stage.book(charge());
    peer.model.fault = (request, n) => (writes(request) ? says(500, {}, { error: n }) : undefined);
    expect(await stage.json("apply")).toMatchObject({ exit: 6 });
    expect(sent()).toHaveLength(5);
  });
});

describe("I23: what may have been done is not forgotten by a later request that certainly was not", () => {
  test.each([
    ["refused for good", says(400)],
    ["wanted later", says(429, { "retry-after": "600" })],
  ])("%s, and the window passes", async (_, second) => {
    stage.book(charge("    dedupe: 10m\n"));
    peer.model.next(writes, lost, second, second, second, second);
    peer.model.manner = { ...peer.model.manner, dedupe: 600_000, now: () => stage.system.clock.now() };
    const { exit } = await stage.json("apply");
    expect(exit).toBe(6);
    stage.offset += HOUR;
    await stage.json("resume");
    await stage.json("revert");
    expect(peer.model.deeds.map(({ path }) => path)).toEqual(["/charges"]);
  });

  test("the other side cannot be reached when it is resumed, and the window passes", async () => {
    stage.book(charge("    dedupe: 10m\n"));
    peer.model.manner = { ...peer.model.manner, dedupe: 600_000, now: () => stage.system.clock.now() };
    peer.model.fault = (request) => (writes(request) ? lost : undefined);
    expect(await stage.json("apply")).toMatchObject({ exit: 6 });
    expect(peer.model.deeds).toHaveLength(1);
    // The breaker is open now: nothing is sent, and that says nothing about what was.
    const before = peer.model.seen.length;
    expect(await stage.json("resume")).toMatchObject({ exit: 6, actions: [{ status: "blocked" }] });
    expect(peer.model.seen).toHaveLength(before);
    peer.model.fault = () => undefined;
    stage.offset += HOUR;
    expect(await stage.json("resume")).toMatchObject({ exit: 6, actions: [{ status: "unknown" }] });
    expect(peer.model.deeds).toHaveLength(1);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}
