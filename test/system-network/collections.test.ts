import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/core/index.ts";
import { HttpPeer } from "../support/http-peer.ts";
import { RemoteStage } from "../support/remote-stage.ts";

let stage: RemoteStage;
let peer: HttpPeer;

beforeEach(async () => {
  stage = new RemoteStage();
  peer = await HttpPeer.start({ collections: { "/users": { page: 2 } } });
  for (let id = 1; id <= 7; id++) peer.model.objects.set(`/users/${id}`, { id, email: `${id}@example.com`, name: `n${id}` });
});

afterEach(async () => {
  await peer.stop();
  await stage.close();
});

const book = (email: string, more: string) => stage.book(`  - http: ${peer.origin}/users\n    key: { email: "${email}" }\n${more}`);
const names = () => [...peer.model.objects.values()].map((one: JsonObject) => `${one.email} ${one.name}`);

describe("an item of a collection", () => {
  test("is found on whatever page it stands, and set under its own URL and tag", async () => {
    book("7@example.com", "    body: { name: seven }\n");
    expect(await stage.json("apply")).toMatchObject({ exit: 0, summary: { changed: 1, verified: true } });
    expect(peer.model.objects.get("/users/7")).toEqual({ id: 7, email: "7@example.com", name: "seven" });
    expect(peer.model.writes).toMatchObject([{ method: "PUT", target: "/users/7", headers: { "if-match": expect.stringMatching(/^"/) } }]);
    expect(await stage.run("plan")).toMatchObject({ exit: 0 });
    expect(await stage.json("revert")).toMatchObject({ exit: 0 });
    expect(names()).toContain("7@example.com n7");
  });

  test("is made by POST where no page has it, found again, and taken away by a revert", async () => {
    book("new@example.com", "    body: { name: new }\n");
    expect(await stage.json("apply")).toMatchObject({ exit: 0, summary: { changed: 1, verified: true } });
    expect(names()).toContain("new@example.com new");
    expect(await stage.run("plan")).toMatchObject({ exit: 0 });
    expect(await stage.json("revert")).toMatchObject({ exit: 0 });
    expect(names()).toHaveLength(7);
  });

  test("is made once although the answer was lost", async () => {
    book("new@example.com", "    body: { name: new }\n");
    peer.model.next(({ method }) => method === "POST", { do: "drop", executed: true });
    expect(await stage.json("apply")).toMatchObject({ exit: 0, actions: [{ status: "found" }] });
    expect(names().filter((one) => one.startsWith("new@"))).toHaveLength(1);
  });

  test("is removed where it is", async () => {
    book("4@example.com", "    state: absent\n");
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect(names()).toHaveLength(6);
    expect(await stage.run("plan")).toMatchObject({ exit: 0 });
  });

  test("stands where `item` says", async () => {
    peer.model.objects.set("/people/3", { id: 3, email: "3@example.com", name: "elsewhere" });
    book("3@example.com", `    item: "${peer.origin}/people/{id}"\n    body: { name: three }\n`);
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect(peer.model.objects.get("/people/3")).toMatchObject({ name: "three" });
    expect(peer.model.objects.get("/users/3")).toMatchObject({ name: "n3" });
  });

  test("must be one: two with the same key are an error, and so is a list without an end", async () => {
    peer.model.objects.set("/users/8", { id: 8, email: "1@example.com" });
    book("1@example.com", "    body: { name: one }\n");
    expect((await stage.run("plan")).err).toMatch(/2 items have/);
    peer.model.objects.delete("/users/8");
    peer.model.fault = ({ target }) =>
      target.startsWith("/users?") || target === "/users"
        ? { do: "answer", answer: { status: 200, headers: { link: '</users>; rel="next"' }, body: [] } }
        : undefined;
    expect((await stage.run("plan")).err).toMatch(/its pages do not end/);
    expect(peer.model.writes).toEqual([]);
  });
});
