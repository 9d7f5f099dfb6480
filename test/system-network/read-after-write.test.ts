import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject, RunReport } from "../../src/core/index.ts";
import { HttpPeer } from "../support/http-peer.ts";
import { RemoteStage } from "../support/remote-stage.ts";

let stage: RemoteStage;
let peer: HttpPeer;
/** How many readings still show what was there before, once it was written. */
let behind: number;

beforeEach(async () => {
  stage = new RemoteStage();
  peer = await HttpPeer.start();
  const before: JsonObject = { status: "active" };
  peer.model.objects.set("/users/5", before);
  stage.book(`  - http: ${peer.origin}/users/5\n    body: { status: inactive }\n    read_from: ${peer.origin}/users/5?replica\n`);
  peer.model.fault = ({ method }) => {
    if (method !== "GET" || peer.model.writes.length === 0 || behind <= 0) return undefined;
    behind -= 1;
    return { do: "answer", answer: { status: 200, body: before } };
  };
});

afterEach(async () => {
  await peer.stop();
  await stage.close();
});

type Told = RunReport & { readonly verification?: string };

describe("what another machine shows after it was set", () => {
  test("is verified as soon as it shows it", async () => {
    behind = 3;
    expect(await stage.json<Told>("apply")).toMatchObject({ exit: 0, verification: "verified" });
    expect(stage.waits).toEqual([100, 200, 400]);
    expect(peer.model.writes).toHaveLength(1);
  });

  test("is diverged where it does not show it within 10 s, and nothing is written meanwhile", async () => {
    behind = Number.POSITIVE_INFINITY;
    expect(await stage.json<Told>("apply")).toMatchObject({ exit: 9, status: "applied", verification: "diverged" });
    expect(stage.waited).toBeGreaterThan(5000);
    expect(stage.waited).toBeLessThanOrEqual(10_000);
    expect(peer.model.writes).toHaveLength(1);
  });

  test("is unverified where it cannot be read", async () => {
    peer.model.fault = ({ method }) =>
      method === "GET" && peer.model.writes.length > 0 ? { do: "answer", answer: { status: 403 } } : undefined;
    expect(await stage.json<Told>("apply")).toMatchObject({ exit: 9, status: "applied", verification: "unverified" });
  });

  test("of files nothing is waited for", async () => {
    stage.book("  - file: here\n    content: x\n");
    expect(await stage.json<Told>("apply")).toMatchObject({ exit: 0, verification: "verified" });
    expect(stage.waits).toEqual([]);
  });
});
