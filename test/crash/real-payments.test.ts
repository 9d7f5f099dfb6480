import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tally } from "../support/figures.ts";
import { HttpPeer } from "../support/http-peer.ts";
import type { PeerFault, PeerRequest } from "../support/http-peer-model.ts";
import { shareOf } from "../support/share.ts";

const BIN = new URL("../../bin/setpoint.js", import.meta.url).pathname;
const HOUR = 3_600_000;

let base: string;
let peer: HttpPeer;
/** The process that runs now. */
let child: ChildProcess | undefined;

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), "setpoint-pay-"));
  peer = await HttpPeer.start({ deeds: ["/charges", "/refunds"], dedupe: 24 * HOUR });
});

afterEach(async () => {
  child?.kill("SIGKILL");
  await peer.stop();
  rmSync(base, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** The real program, from its start to its end; the peer answers meanwhile. Killed after so many ms. */
function setpoint(words: readonly string[], killedAfter?: number): Promise<Ended> {
  const running = spawn(process.execPath, [BIN, ...words, "--state-dir", join(base, "state")], {
    cwd: base,
    env: { ...process.env, CI: "" },
  });
  child = running;
  let said = "";
  for (const stream of [running.stdout, running.stderr])
    stream.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  const timer = killedAfter === undefined ? undefined : setTimeout(() => running.kill("SIGKILL"), killedAfter);
  return new Promise((done) => {
    running.once("close", (code) => {
      clearTimeout(timer);
      done({ code, said });
    });
  });
}

function book(end: string): void {
  rmSync(join(base, "state"), { recursive: true, force: true });
  mkdirSync(join(base, "site"), { recursive: true });
  writeFileSync(
    join(base, "book.yaml"),
    `setpoint: 1
name: pay
resources:
  - file: site/before
    content: b
  - call: charge
    url: ${peer.origin}/charges
    body: { amount: 5 }
    undo: { url: "${peer.origin}/refunds", body: { amount: 5 } }
${end}
`,
  );
}

const apply = (killedAfter?: number) => setpoint(["apply", "book.yaml", "--yes"], killedAfter);

/** Resumes what was begun, or begins it. */
async function onward(): Promise<Ended> {
  const resumed = await setpoint(["resume"]);
  return /no such run/.test(resumed.said) ? apply() : resumed;
}

const isPost = ({ method, target }: PeerRequest) => method === "POST" && target === "/charges";

/** The peer kills whoever asks, before or after it does what it was asked. */
function killOnPost(executed: boolean): void {
  let first = true;
  peer.model.fault = (request): PeerFault | undefined => {
    if (!isPost(request) || !first) return undefined;
    first = false;
    child?.kill("SIGKILL");
    return { do: "drop", executed };
  };
}

const charges = () => peer.model.deeds.filter(({ path }) => path === "/charges").length;

const ways = {
  "a peer that deduplicates": () => "    dedupe: 24h",
  "a peer that can be asked": () => `    verify: { url: "${peer.origin}/charges?key={key}", where: { state: paid } }`,
};

describe("a payment by the real program, kill -9", () => {
  for (const [name, end] of Object.entries(ways)) {
    const times = shareOf(30);
    test(`I22: as its request arrives and after it was done: one charge (${name})`, async () => {
      if (name !== "a peer that deduplicates") peer.model.manner = { ...peer.model.manner, dedupe: 0 };
      for (let time = 0; time < times * 2; time++) {
        book(end());
        peer.model.deeds.length = 0;
        killOnPost(time % 2 === 0);
        // Another stack each time would be another key; the peer forgets in place of that.
        peer.model.forget();
        expect((await apply()).code).toBe(null);
        const { code, said } = await onward();
        expect([code, charges()], said).toEqual([0, 1]);
      }
      tally({ invariants: ["I22"], what: "real kills", count: times * 2 });
    }, 1_200_000);

    const moments = shareOf(40);
    test(`I22: at random moments, with the answer lost in half of them: one charge (${name})`, async () => {
      if (name !== "a peer that deduplicates") peer.model.manner = { ...peer.model.manner, dedupe: 0 };
      book(end());
      const started = performance.now();
      expect((await apply()).code).toBe(0);
      const whole = performance.now() - started;
      for (let moment = 0; moment < moments; moment++) {
        book(end());
        peer.model.deeds.length = 0;
        peer.model.forget();
        peer.model.fault = () => undefined;
        if (moment % 2 === 0) peer.model.next(isPost, { do: "drop", executed: true });
        // The start of the program takes most of the time and changes nothing.
        const ms = whole * (0.4 + Math.random() * 0.8);
        await apply(ms);
        const { code, said } = await onward();
        expect([code, charges()], `after ${ms} ms: ${said}`).toEqual([0, 1]);
      }
      tally({ invariants: ["I22"], what: "real kills", count: moments });
    }, 1_200_000);
  }

  const times = shareOf(20);
  test("I23: with neither, exit 6 and in doubt; nothing is sent until it is answered", async () => {
    peer.model.manner = { ...peer.model.manner, dedupe: 0 };
    for (let time = 0; time < times * 2; time++) {
      const executed = time % 2 === 0;
      book("");
      peer.model.deeds.length = 0;
      killOnPost(executed);
      expect((await apply()).code).toBe(null);
      const before = peer.model.writes.length;
      for (const words of [["resume"], ["apply", "book.yaml", "--yes"]]) {
        const { code, said } = await setpoint(words);
        expect(code, said).toBe(6);
      }
      const { said } = await setpoint(["status"]);
      expect(said).toMatch(/in doubt +call:charge/);
      expect(peer.model.writes).toHaveLength(before);
      expect((await setpoint(["answer", "call:charge", executed ? "happened" : "not"])).code).toBe(0);
      const end = await apply();
      expect([end.code, charges()], end.said).toEqual([0, 1]);
    }
    tally({ invariants: ["I23"], what: "effects in doubt", count: times * 2 });
  }, 1_200_000);
});
