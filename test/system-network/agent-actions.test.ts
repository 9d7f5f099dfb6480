import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HttpPeer } from "../support/http-peer.ts";
import { RemoteStage } from "../support/remote-stage.ts";

const example = readFileSync(new URL("../../playbooks/agent-actions.yaml", import.meta.url), "utf8");

let stage: RemoteStage;
let peer: HttpPeer;

beforeEach(async () => {
  stage = new RemoteStage();
  peer = await HttpPeer.start({
    authorization: "Bearer a-long-token",
    deeds: ["/messages", "/withdrawals"],
    dedupe: 86_400_000,
    collections: { "/members": { page: 1 } },
  });
  peer.model.objects.set("/users/5/preferences", { theme: "light", language: "de" });
  peer.model.objects.set("/members/1", { id: 1, email: "first@example.com", role: "owner" });
  stage.write("book.yaml", example);
});

afterEach(async () => {
  await peer.stop();
  await stage.close();
});

const given = (...more: readonly string[]) => ({ var: [`api=${peer.origin}`, "token=a-long-token", ...more] });
const messages = () => peer.model.deeds.filter(({ path }) => path === "/messages").length;

describe("the example of an agent's actions", () => {
  test("is planned, applied, found in sync, asked for again, and reverted", async () => {
    const planned = await stage.run("plan", [], given());
    expect(planned.exit, planned.err).toBe(2);
    expect(planned.out).toMatch(/theme .*"light" .*"dark"|theme/);
    expect(planned.out).not.toContain("a-long-token");
    expect(await stage.json("apply", [], given())).toMatchObject({ exit: 0, summary: { changed: 3, verified: true } });
    expect(peer.model.objects.get("/users/5/preferences")).toEqual({ theme: "dark", language: "de" });
    expect([...peer.model.objects.values()]).toContainEqual(expect.objectContaining({ email: "agent@example.com", role: "reader" }));
    expect(messages()).toBe(1);
    const before = peer.model.writes.length;
    expect(await stage.json("apply", [], given())).toMatchObject({ exit: 0, status: "in-sync" });
    expect(peer.model.writes).toHaveLength(before);
    // Another request of the agent is another message, and nothing else.
    expect(await stage.json("apply", [], given("request=r-2"))).toMatchObject({ exit: 0, summary: { changed: 1 } });
    expect(messages()).toBe(2);
    expect(await stage.json("revert", [], given())).toMatchObject({ exit: 0 });
    expect(stage.stateText()).not.toContain("a-long-token");
  });

  test("puts everything back where it is reverted", async () => {
    await stage.json("apply", [], given());
    expect(await stage.json("revert", [], given())).toMatchObject({ exit: 0, status: "reverted" });
    expect(peer.model.objects.get("/users/5/preferences")).toEqual({ theme: "light", language: "de" });
    expect([...peer.model.objects.keys()]).toEqual(["/users/5/preferences", "/members/1"]);
    expect(peer.model.deeds.map(({ path }) => path)).toEqual(["/messages", "/withdrawals"]);
  });
});
