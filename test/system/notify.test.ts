import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { HttpPeer } from "../support/http-peer.ts";
import { RemoteStage } from "../support/remote-stage.ts";
import { startNats } from "../support/servers/nats.ts";
import { startSmtp } from "../support/servers/smtp.ts";
import { needing } from "./servers.ts";

let stage: RemoteStage;
beforeEach(() => {
  stage = new RemoteStage();
});
afterEach(() => stage.close());

const mail = (url: string, more = ""): string =>
  `  - notify: owner\n    smtp: ${url}\n    from: Us <us@example.com>\n    to: [ a@example.com, b@example.com ]\n    subject: done\n    text: It is done.\n    undo: none\n${more}`;

describe("a mail", () => {
  let smtp: Awaited<ReturnType<typeof startSmtp>>;
  beforeEach(async () => {
    smtp = await startSmtp();
  });
  afterEach(() => smtp.stop());

  test("is sent once, to all, with a Message-ID made of its key", async () => {
    stage.book(mail(smtp.url));
    expect(await stage.json("apply")).toMatchObject({ status: "applied", exit: 0 });
    expect(await stage.json("apply")).toMatchObject({ summary: { changed: 0 } });
    expect(smtp.mails).toHaveLength(1);
    expect(smtp.mails[0]?.to).toHaveLength(2);
    expect(smtp.mails[0]?.text).toMatch(/^Message-ID: <sp1_[a-z2-7]{32}@example\.com>$/m);
  });

  test("I23: whose answer is lost is in doubt, and not sent again before that is answered", async () => {
    smtp.state.manner = "drop";
    stage.book(mail(smtp.url));
    expect(await stage.json("apply")).toMatchObject({ exit: 6, summary: { in_doubt: 1 } });
    expect(await stage.json("apply")).toMatchObject({ exit: 6 });
    expect(smtp.mails).toHaveLength(1);
    smtp.state.manner = "accept";
    await stage.json("answer", ["notify:owner", "not"]);
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect(smtp.mails).toHaveLength(2);
    expect(new Set(smtp.mails.map(({ text }) => /^Message-ID: .*$/m.exec(text)?.[0])).size).toBe(1);
  });

  test("whose answer is lost is sent again with in_doubt: retry, and not with skip", async () => {
    smtp.state.manner = "drop";
    stage.book(mail(smtp.url, "    in_doubt: skip\n"));
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect(smtp.mails).toHaveLength(1);
    const other = new RemoteStage();
    try {
      other.book(mail(smtp.url, "    in_doubt: retry\n"));
      expect((await other.json("apply")).exit).not.toBe(0);
      expect(smtp.mails.length).toBeGreaterThan(2);
    } finally {
      await other.close();
    }
  });

  test("that the server refuses was not sent: no doubt is left", async () => {
    smtp.state.manner = "refuse";
    stage.book(mail(smtp.url));
    expect(await stage.json("apply")).toMatchObject({ summary: { failed: 1, in_doubt: 0 } });
    smtp.state.manner = "accept";
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect(smtp.mails).toHaveLength(1);
  });
});

describe("a webhook", () => {
  test("gets a text as chats understand it, once, with the key", async () => {
    const peer = await HttpPeer.start({ deeds: ["/hook"] });
    try {
      stage.book(`  - notify: ops\n    webhook: ${peer.origin}/hook\n    text: user 5 is gone\n    undo: none`);
      expect(await stage.json("apply")).toMatchObject({ exit: 0 });
      expect(await stage.json("apply")).toMatchObject({ summary: { changed: 0 } });
      const posts = peer.model.seen.filter(({ method }) => method === "POST");
      expect(posts).toHaveLength(1);
      expect(JSON.parse(posts[0]?.body ?? "")).toEqual({ text: "user 5 is gone" });
      expect(posts[0]?.headers["idempotency-key"]).toMatch(/^sp1_/);
    } finally {
      await peer.stop();
    }
  });
});

describe("NATS JetStream", () => {
  const { lacks, skip } = needing("nats-server");
  let nats: Awaited<ReturnType<typeof startNats>>;
  beforeAll(async () => {
    if (!lacks) nats = await startNats();
  });
  afterAll(() => nats?.stop());

  test("a subject that no stream keeps is an error that says so, and nothing is in doubt", async (context) => {
    skip(context);
    stage.book(`  - message: m\n    broker: ${nats.url}\n    subject: nobody.listens\n    body: x\n    undo: none`);
    const report = await stage.json("apply");
    expect(report).toMatchObject({ summary: { failed: 1, in_doubt: 0 } });
    expect(JSON.stringify(report)).toContain("no stream keeps nobody.listens");
  });

  test("behind the window a message is looked for: by its own subject, or behind where the stream ended", async (context) => {
    skip(context);
    await nats.stream({ name: "OLD", subjects: ["old.>"], duplicate_window: 1e9 });
    const key = `sp1_${"a".repeat(32)}`;
    const session = await stage.system.network.broker({ url: nats.url });
    try {
      const window = { age: 500 };
      const old = { age: 3_600_000 };
      const own = { to: "old.{key}", body: "x", headers: {}, key };
      const shared = { to: "old.shared", body: "x", headers: {}, key: `${key}b` };
      const mark = (await session.mark(shared)) ?? {};
      expect(await session.find(own, window)).toBe("again");
      expect(await session.find(own, old)).toBe("not");
      expect(await session.find(shared, { ...old, mark })).toBe("not");
      expect(await session.find(shared, old)).toBe("unknown");
      await session.publish(own);
      await session.publish(shared);
      await session.publish({ ...shared, key: `${key}c` });
      expect(await session.find(own, old)).toBe("there");
      expect(await session.find(shared, { ...old, mark })).toBe("there");
      // The window of the stream is one second: its own subject still keeps it from being there twice.
      await stage.system.network.close();
      expect(await session.publish(own)).toMatchObject({ duplicate: true });
      expect((await nats.messages("OLD")).filter(({ subject }) => subject === `old.${key}`)).toHaveLength(1);
    } finally {
      await session.close();
    }
  });
});
