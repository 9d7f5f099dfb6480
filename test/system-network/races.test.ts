import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HttpPeer } from "../support/http-peer.ts";
import { RemoteStage } from "../support/remote-stage.ts";

let stage: RemoteStage;
let peer: HttpPeer;

beforeEach(async () => {
  stage = new RemoteStage();
  peer = await HttpPeer.start();
  peer.model.objects.set("/users/5", { name: "five", status: "active", visits: 0 });
});

afterEach(async () => {
  await peer.stop();
  await stage.close();
});

const book = (more = "") => stage.book(`  - http: ${peer.origin}/users/5\n    body: { status: inactive }\n${more}`);

describe("a concurrent writer between plan and apply", () => {
  test("a saved plan is stale where the declared field was changed, and nothing is sent", async () => {
    book();
    expect(await stage.run("plan", [], { out: `${stage.folder}/saved.plan` })).toMatchObject({ exit: 2 });
    peer.model.objects.set("/users/5", { name: "five", status: "blocked" });
    expect(await stage.run("apply", [`${stage.folder}/saved.plan`])).toMatchObject({ exit: 4 });
    expect(peer.model.writes).toEqual([]);
  });

  test("a saved plan is applied where another field was changed, and that change is kept", async () => {
    book();
    await stage.run("plan", [], { out: `${stage.folder}/saved.plan` });
    peer.model.objects.set("/users/5", { name: "five", status: "active", visits: 7 });
    expect(await stage.run("apply", [`${stage.folder}/saved.plan`])).toMatchObject({ exit: 0 });
    expect(peer.model.objects.get("/users/5")).toEqual({ name: "five", status: "inactive", visits: 7 });
  });
});

describe("what a plan says of an object without entity tags", () => {
  test.each([
    ["none", "put", true],
    ["weak", "put", true],
    ["none", "merge_patch", true],
    ["none", "json_patch", false],
    ["strong", "put", false],
    ["strong", "merge_patch", false],
  ] as const)("tags %s, update %s: last-write-wins is said: %s", async (etags, update, said) => {
    peer.model.manner = { etags };
    book(`    update: ${update}\n`);
    expect((await stage.run("plan")).out.includes("last-write-wins")).toBe(said);
    const { changes } = await stage.json<{ changes: { note?: string }[] }>("plan");
    expect(changes[0]?.note).toBe(said ? "last-write-wins" : undefined);
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect(peer.model.objects.get("/users/5")).toMatchObject({ status: "inactive", name: "five", visits: 0 });
    expect(await stage.json("revert")).toMatchObject({ exit: 0 });
    expect(peer.model.objects.get("/users/5")).toEqual({ name: "five", status: "active", visits: 0 });
  });
});
