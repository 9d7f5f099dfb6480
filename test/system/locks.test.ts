import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished } from "vitest";
import { tally } from "../support/figures.ts";
import { until } from "../support/real-wait.ts";
import { shareOf } from "../support/share.ts";
import { BIN, onMachine, type Place, start, textOf } from "./machine.ts";

const WAITING = `
  - command: wait
    run: [ sh, -c, 'echo in >> entered; while [ -e book.yaml ] && [ ! -e release ]; do sleep 0.05; done' ]
    once: true
    undo: none
`;

function starter(place: Place, book: string) {
  const child = start([process.execPath, BIN, "apply", book, "--yes"], { cwd: place.folder, env: { SETPOINT_STATE_DIR: place.state } });
  // Also where a test fails; its command ends when the place is taken away.
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | string);
  return { child, ended };
}

async function entered(place: Place): Promise<void> {
  for (let tries = 0; textOf(place.at("entered")) === undefined; tries += 1) {
    if (tries > 1200) throw new Error("nobody began");
    await sleep(50);
  }
}

describe("I15: the lock of a state directory", () => {
  onMachine(
    "of many starters exactly one holds it, the others exit 8",
    ["flock"],
    async (place) => {
      const book = place.playbook(WAITING);
      const count = Math.max(12, shareOf(50));
      const starters = Array.from({ length: count }, () => starter(place, book));
      const exits: (number | string)[] = [];
      for (const { ended } of starters) void ended.then((exit) => exits.push(exit));
      for (let tries = 0; exits.length < count - 1; tries += 1) {
        if (tries > 1200) throw new Error(`only ${exits.length} of ${count} ended`);
        await sleep(100);
      }
      expect(exits).toEqual(Array(count - 1).fill(8));
      place.write("release", "");
      await Promise.all(starters.map(({ ended }) => ended));
      expect(exits.slice(-1)).toEqual([0]);
      expect(textOf(place.at("entered"))).toBe("in\n");
      tally({ invariants: ["I15"], what: "starters", count });
    },
    180_000,
  );

  onMachine(
    "a holder that is stopped keeps it from all and is named; killed, running or stopped, it frees it at once",
    ["flock"],
    async (place) => {
      const book = place.playbook(WAITING);
      const rounds = shareOf(20);
      const count = 8;
      for (let round = 0; round < rounds; round += 1) {
        rmSync(place.state, { recursive: true, force: true });
        rmSync(place.at("entered"), { force: true });
        rmSync(place.at("release"), { force: true });
        const holder = starter(place, book);
        await entered(place);
        if (round % 2 === 0) holder.child.kill("SIGSTOP");
        const refused = await Promise.all(Array.from({ length: count }, () => starter(place, book).ended));
        expect(refused).toEqual(Array(count).fill(8));
        expect(place.apply(book).json.problems?.[0]?.detail).toContain(`process ${holder.child.pid}`);
        holder.child.kill("SIGKILL");
        expect(await holder.ended).toBe("SIGKILL");
        // What the file says decides nothing: a pid that is somebody else's by now, or that was never a holder's.
        writeFileSync(join(place.state, "lock"), `${process.pid}\n`);
        expect(place.setpoint(["gc"]).code).toBe(0);
        place.write("release", "");
        await until("its command ended", () => !/still running/.test(place.setpoint(["resume"]).out));
        tally({ invariants: ["I15"], what: "starters", count: count + 2 });
      }
    },
    600_000,
  );

  onMachine("a killed holder frees it, and its command is waited for or named", ["flock"], async (place) => {
    const book = place.playbook(WAITING);
    const holder = starter(place, book);
    await entered(place);
    const refused = place.apply(book);
    expect(refused.code).toBe(8);
    expect(refused.json.problems?.[0]?.detail).toContain(`process ${holder.child.pid}`);
    holder.child.kill("SIGKILL");
    expect(await holder.ended).toBe("SIGKILL");
    const busy = place.setpoint(["resume"]);
    expect(busy.code).not.toBe(8);
    expect(busy.json.problems?.[0]?.detail).toMatch(/still running/);
    place.write("release", "");
    await sleep(500);
    const began = Date.now();
    expect(place.setpoint(["history"]).code).toBe(0);
    const resumed = place.setpoint(["resume"]);
    // Nobody can say whether `once` came to its end; that is told, and not decided.
    expect(resumed.code).toBe(6);
    expect(resumed.json.actions?.[0]?.status).toBe("unknown");
    expect(Date.now() - began).toBeLessThan(20_000);
  });

  onMachine("a stopped holder keeps it, and goes on when it is continued", ["flock"], async (place) => {
    const book = place.playbook(WAITING);
    const holder = starter(place, book);
    await entered(place);
    holder.child.kill("SIGSTOP");
    place.write("release", "");
    expect(place.apply(book).code).toBe(8);
    holder.child.kill("SIGCONT");
    expect(await holder.ended).toBe(0);
    expect(place.apply(book).json).toMatchObject({ exit: 0, status: "in-sync" });
  });
});
