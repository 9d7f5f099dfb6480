import { existsSync, rmSync } from "node:fs";
import { describe, expect } from "vitest";
import { tally } from "../support/figures.ts";
import { shareOf } from "../support/share.ts";
import { leftovers, must, onMachine, type Place, type Report, textOf } from "./machine.ts";
import { differences, type Tree, treeOf } from "./tree.ts";

/**
 * Each call that a run makes, and the errors that a disk gives there. Not `write`: libuv wakes its threads and hands on signals by it,
 * and neither gets through when it fails; disk.test.ts fills real disks instead.
 */
const FAULTS: readonly (readonly [string, string])[] = [
  ["pwrite64", "EIO"],
  ["fsync", "EIO"],
  ["fdatasync", "EIO"],
  ["rename", "EIO"],
  ["link", "EIO"],
  ["unlink", "EIO"],
  ["mkdir", "ENOSPC"],
  ["symlink", "EIO"],
  ["fchmod", "EIO"],
  ["ftruncate", "EIO"],
  ["openat", "EMFILE"],
  ["fsync", "EINTR"],
  ["openat", "EINTR"],
];

/** Calls of one name that are met in the whole suite. */
const MOST = 24;

/** Which calls of so many are met: a share of them, spread over all, at least two. */
function met(calls: number): readonly number[] {
  const count = Math.min(calls, Math.max(2, shareOf(MOST)));
  return Array.from({ length: count }, (_, n) => 1 + Math.floor(((n + 0.5) * calls) / count));
}

const BOOK = `
  - file: live/new
    content: new
    mode: '0640'
  - file: live/old
    content: new content
  - file: live/gone
    state: absent
  - directory: live/folder/inner
    mode: '2750'
  - file: live/folder/inner/file
    content: inner
  - link: live/link
    to: new
  - file: live/large
    source: large.bin
  - file: live/place
    content: in its place
    write: in-place
  - command: make one more
    run: [ sh, -c, 'echo made > live/made' ]
    creates: live/made
    undo: [ rm, -f, live/made ]
  - file: live/last
    content: last
`;

function machine(place: Place): { readonly book: string; readonly before: Tree } {
  place.write("large.bin", Buffer.alloc(1_300_000, "large\n"));
  place.write("live/old", "old content");
  place.write("live/gone", "will go");
  place.write("live/large", Buffer.alloc(1_200_000, "was\n"));
  place.write("live/place", "was here");
  const book = place.playbook(BOOK);
  return { book, before: treeOf(place.at("live")) };
}

const injecting = (call: string, error: string, when: number) => [
  "strace",
  "-f",
  "--seccomp-bpf",
  "-qq",
  "-o",
  "../trace",
  "-e",
  `trace=${call}`,
  "-e",
  `inject=${call}:error=${error}:when=${when}`,
];

/** One thread for what libuv does, so that the k-th call is the k-th. */
const single = { UV_THREADPOOL_SIZE: "1", UV_USE_IO_URING: "0" };

/** strace counts the calls of each thread for itself. */
function mostOfOneThread(log: string): number {
  const counts = new Map<string, number>();
  for (const line of log.split("\n")) {
    const thread = /^\d+/.exec(line)?.[0];
    if (thread !== undefined && !line.includes("resumed>")) counts.set(thread, (counts.get(thread) ?? 0) + 1);
  }
  return Math.max(1, ...counts.values());
}

/** What a person does next, until the run is over. */
function carryOn(place: Place, book: string, failed: Report): Report {
  const resumed = failed.json.run === undefined ? undefined : place.setpoint(["resume"]);
  return resumed?.code === 0 ? resumed : place.apply(book);
}

describe("I16: an error of the disk at the k-th call", () => {
  for (const [call, error] of FAULTS) {
    onMachine(
      `${error} at ${call}: said, and resume and revert reach the same states as without it`,
      ["root", "strace"],
      (place) => {
        const { book, before } = machine(place);
        must("cp", "-a", place.at("live"), place.at("start"));
        const counting = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-o", place.trace, "-e", `trace=${call}`];
        expect(place.apply(book, { through: counting, env: single }).json).toMatchObject({ exit: 0 });
        const after = treeOf(place.at("live"));
        for (const k of met(mostOfOneThread(textOf(place.trace) ?? ""))) {
          rmSync(place.state, { recursive: true });
          rmSync(place.at("live"), { recursive: true });
          must("cp", "-a", place.at("start"), place.at("live"));
          const failed = place.apply(book, { through: injecting(call, error, k), env: single });
          const said = `${call} ${k}: ${failed.out}${failed.err}`;
          expect([0, 1, 6, 9], said).toContain(failed.code);
          if (failed.code !== 0) {
            expect(said).toMatch(/no space left|input\/output error|too many open files|interrupted|could not|failed/i);
            const done = carryOn(place, book, failed);
            expect(done.code, `${said}\n${done.out}${done.err}`).toBe(0);
          }
          expect(differences(after, treeOf(place.at("live"))), said).toEqual([]);
          expect(leftovers(place.at("live")), said).toEqual([]);
          let reverted = place.setpoint(["revert"]);
          // What was superseded is a run of its own, and is undone after the one that superseded it.
          for (let n = 0; n < 3 && reverted.code === 0 && existsSync(place.at("live/new")); n += 1) {
            const open = place.setpoint(["history"]).json.runs as readonly { run: string; status: string }[] | undefined;
            const next = open?.find(({ status }) => status === "superseded" || status === "halted");
            if (next === undefined) break;
            reverted = place.setpoint(["revert", next.run]);
          }
          expect(reverted.code, `${said}\n${reverted.out}`).toBe(0);
          expect(differences(before, treeOf(place.at("live"))), said).toEqual([]);
          tally({ invariants: ["I16", "I3", "I4"], what: "faults", count: 1 });
        }
      },
      600_000,
    );
  }

  onMachine("an error while undoing: revert again ends it", ["root", "strace"], (place) => {
    const { book, before } = machine(place);
    for (const [call, k] of [
      ["rename", 2],
      ["unlink", 3],
      ["fsync", 3],
    ] as const) {
      expect(place.apply(book).json).toMatchObject({ exit: 0 });
      const failed = place.setpoint(["revert"], { through: injecting(call, "EIO", k), env: single });
      expect([0, 1, 6], failed.out).toContain(failed.code);
      if (failed.code !== 0) expect(place.setpoint(["revert"]).json).toMatchObject({ exit: 0, status: "reverted" });
      expect(differences(before, treeOf(place.at("live")))).toEqual([]);
      rmSync(place.state, { recursive: true });
    }
  });
});
