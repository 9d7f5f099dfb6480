import { existsSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { describe, expect } from "vitest";
import { tally } from "../support/figures.ts";
import { RealDisk } from "../support/real-disk.ts";
import { leftovers, must, onMachine, type Place, run, textOf } from "./machine.ts";
import { differences, treeOf } from "./tree.ts";

/** Files of so many bytes each, some of which are there already with another content. */
function files(place: Place, target: string, count: number, bytes: number): string {
  for (let n = 0; n < count; n += 2) place.write(`${target}/f${n}`, `old ${n}\n`, 0o600);
  const source = place.write("source.bin", Buffer.alloc(bytes, "content\n"));
  return Array.from({ length: count }, (_, n) => `  - file: ${target}/f${n}\n    source: ${source}\n`).join("");
}

/** A command that fills a file system, as another process may at any time; a revert leaves the rest to the test. */
function filling(folder: string, guard = "once: true"): string {
  return `  - command: another process fills the disk
    run: [ sh, -c, 'touch filled; dd if=/dev/zero of=${folder}/filler bs=64k 2>/dev/null; dd if=/dev/zero of=${folder}/filler bs=1 count=4096 oflag=append conv=notrunc 2>/dev/null; true' ]
    ${guard}
    undo: [ 'true' ]
`;
}

const whole = (place: Place, count: number) => {
  const wanted = textOf(place.at("source.bin"));
  for (let n = 0; n < count; n += 1) expect(textOf(place.at(`live/f${n}`)) === wanted, `live/f${n}`).toBe(true);
};

describe("I16: a disk without room", () => {
  onMachine("a target that cannot hold the new contents is refused with numbers, before anything", ["mount"], (place) => {
    place.disk("live", 16);
    const book = place.playbook(files(place, "live", 4, 6 << 20));
    const before = treeOf(place.at("live"));
    const refused = place.apply(book);
    expect(refused.code).toBe(1);
    expect(refused.json.problems?.[0]).toMatchObject({ code: "no-room" });
    expect(refused.json.problems?.[0]?.detail).toMatch(/has \d+ bytes free, and \d+ are needed/);
    expect(differences(before, treeOf(place.at("live")), () => true)).toEqual([]);
    expect(readdirSync(`${place.state}/runs`)).toEqual([]);
  });

  onMachine("so is a file system without inodes", ["mount"], (place) => {
    place.mount("live", "-t", "tmpfs", "-o", "size=8m,nr_inodes=40", "tmpfs");
    const refused = place.apply(place.playbook(files(place, "live", 60, 10)));
    expect(refused.code).toBe(1);
    expect(refused.json.problems?.[0]?.detail).toMatch(/can take \d+ more files, and \d+ are needed/);
  });

  onMachine("so is a state directory that cannot hold what goes", ["mount"], (place) => {
    place.mount("state", "-t", "tmpfs", "-o", "size=5m,mode=700", "tmpfs");
    place.write("live/f0", Buffer.alloc(900_000, "x"));
    const refused = place.apply(place.playbook(files(place, "live", 9, 900_000)));
    expect(refused.code).toBe(1);
    expect(refused.json.problems?.[0]).toMatchObject({ code: "no-room" });
    expect(refused.json.problems?.[0]?.detail).toContain(place.state);
  });

  for (const [name, tools, make] of [
    ["ext4", [], (place: Place) => place.disk("live", 16)],
    ["xfs", ["mkfs.xfs"], (place: Place) => new RealDisk(place, "live", "xfs", place.folder).folder],
    ["btrfs", ["mkfs.btrfs"], (place: Place) => new RealDisk(place, "live", "btrfs", place.folder).folder],
    ["tmpfs", [], (place: Place) => place.mount("live", "-t", "tmpfs", "-o", "size=12m", "tmpfs")],
  ] as const) {
    onMachine(
      `a target (${name}) that fills up in the middle halts the run; resume and revert work afterwards`,
      ["mount", ...tools],
      (place) => {
        const live = make(place);
        const count = 20;
        const early = "  - file: live/early\n    content: early\n";
        const book = place.playbook(`${early}${filling(live)}${files(place, "live", count, 200_000)}`);
        const before = treeOf(live);
        const halted = place.apply(book);
        expect(halted.code, halted.err).toBe(6);
        expect(halted.json.actions?.find(({ status }) => status === "failed")?.detail).toMatch(/no space left on the device/);
        expect(leftovers(live)).toEqual([]);
        rmSync(`${live}/filler`);
        const resumed = place.setpoint(["resume"]);
        expect(resumed.json, resumed.out).toMatchObject({ exit: 0, status: "applied", summary: { verified: true } });
        whole(place, count);
        // And once more full, while undoing.
        run([
          "sh",
          "-c",
          `dd if=/dev/zero of=${live}/filler bs=64k; dd if=/dev/zero of=${live}/filler bs=1 count=4096 oflag=append conv=notrunc`,
        ]);
        const left = place.setpoint(["revert"]);
        expect([0, 6]).toContain(left.code);
        rmSync(`${live}/filler`);
        expect(place.setpoint(["revert"]).json).toMatchObject({ exit: 0, status: "reverted" });
        expect(differences(before, treeOf(live))).toEqual([]);
        expect(leftovers(live)).toEqual([]);
        tally({ invariants: ["I16"], what: "full disks", count: 2 });
      },
    );
  }

  for (const system of ["ext4", "xfs", "btrfs"] as const) {
    onMachine(
      `site and state on one disk (${system}) that fills up in the middle: said, resumed and reverted when there is room`,
      ["mount", `mkfs.${system}`],
      (place) => {
        const both = new RealDisk(place, "both", system, place.folder).folder;
        const state = `${both}/state`;
        const count = 20;
        const book = place.playbook(
          `  - file: both/live/early\n    content: early\n${filling(both, "creates: filled")}${files(place, "both/live", count, 200_000)}`,
        );
        const before = treeOf(`${both}/live`);
        const halted = place.apply(book, { state });
        expect([1, 6], halted.out).toContain(halted.code);
        expect(`${halted.out}${halted.err}`).toMatch(/no space left on the device/);
        expect(leftovers(`${both}/live`)).toEqual([]);
        rmSync(`${both}/filler`);
        // btrfs gives room back with its next transaction.
        must("sync", "-f", both);
        const resumed = place.setpoint(["resume"], { state });
        expect(resumed.json, resumed.out).toMatchObject({ exit: 0, status: "applied", summary: { verified: true } });
        for (let n = 0; n < count; n += 1) expect(textOf(`${both}/live/f${n}`) === textOf(place.at("source.bin")), `f${n}`).toBe(true);
        expect(place.setpoint(["revert"], { state }).json).toMatchObject({ exit: 0, status: "reverted" });
        expect(differences(before, treeOf(`${both}/live`))).toEqual([]);
        tally({ invariants: ["I16"], what: "full disks", count: 1 });
      },
    );
  }

  onMachine("a state directory that fills up in the middle halts the run; resume and revert work afterwards", ["mount"], (place) => {
    place.mount("state", "-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs");
    const count = 8;
    const book = place.playbook(`  - file: live/early\n    content: early\n${filling(place.state)}${files(place, "live", count, 200_000)}`);
    for (let n = 0; n < count; n += 2) place.write(`live/f${n}`, Buffer.alloc(300_000, `old ${n}\n`));
    const before = treeOf(place.at("live"));
    const halted = place.apply(book);
    expect(halted.code, halted.out).toBe(6);
    expect(`${halted.out}${halted.err}`).toMatch(/no space left on the device/);
    expect(leftovers(place.at("live"))).toEqual([]);
    rmSync(`${place.state}/filler`);
    const resumed = place.setpoint(["resume"]);
    expect(resumed.json, resumed.out).toMatchObject({ exit: 0, status: "applied" });
    whole(place, count);
    expect(place.setpoint(["revert"]).json).toMatchObject({ exit: 0, status: "reverted" });
    expect(differences(before, treeOf(place.at("live")))).toEqual([]);
  });

  onMachine("a state directory that is full from the start is refused", ["mount"], (place) => {
    place.mount("state", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs");
    run(["dd", "if=/dev/zero", `of=${place.state}/filler`, "bs=4k"]);
    const book = place.playbook("  - file: live/a\n    content: a\n");
    const refused = place.apply(book);
    expect(refused.code).toBe(1);
    expect(refused.json.problems?.[0]?.detail).toMatch(/no space left|bytes free/);
    expect(existsSync(place.at("live/a"))).toBe(false);
    rmSync(`${place.state}/filler`);
    expect(statfsSync(place.state).bavail).toBeGreaterThan(0);
  });
});

describe("I16: a disk that refuses", () => {
  const book = "  - file: live/a\n    content: new a\n  - file: live/b\n    content: new b\n";

  onMachine("a read-only file system is said, and nothing changes", ["mount"], (place) => {
    const live = place.disk("live", 16);
    place.write("live/a", "old a");
    const playbook = place.playbook(book);
    must("mount", "-o", "remount,ro", live);
    const failed = place.apply(playbook);
    expect(failed.code).toBe(1);
    expect(failed.out).toMatch(/the file system is read-only/);
    must("mount", "-o", "remount,rw", live);
    expect(place.apply(playbook).code).toBe(0);
  });

  onMachine("one that becomes read-only in the middle halts the run", ["mount"], (place) => {
    const live = place.disk("live", 16);
    place.write("live/a", "old a");
    const before = treeOf(live);
    const playbook = place.playbook(
      `  - file: live/first\n    content: first\n  - command: an error on the disk\n    run: [ mount, -o, 'remount,ro', ${live} ]\n    once: true\n    undo: [ 'true' ]\n${book}`,
    );
    const halted = place.apply(playbook);
    expect(halted.code).toBe(6);
    expect(halted.out).toMatch(/the file system is read-only/);
    must("mount", "-o", "remount,rw", live);
    expect(place.setpoint(["resume"]).json).toMatchObject({ exit: 0, status: "applied" });
    expect(textOf(place.at("live/b"))).toBe("new b");
    expect(place.setpoint(["revert"]).json).toMatchObject({ exit: 0 });
    expect(differences(before, treeOf(live))).toEqual([]);
  });

  onMachine("an immutable file is said; without the flag, resume goes on", ["mount", "chattr"], (place) => {
    const live = place.disk("live", 16);
    place.write("live/a", "old a");
    place.write("live/b", "old b");
    const before = treeOf(live);
    must("chattr", "+i", place.at("live/b"));
    const failed = place.apply(place.playbook(book));
    expect([1, 6]).toContain(failed.code);
    expect(failed.json.actions?.find(({ status }) => status === "failed")?.detail).toMatch(/operation not permitted/);
    expect(textOf(place.at("live/b"))).toBe("old b");
    expect(leftovers(live)).toEqual([]);
    must("chattr", "-i", place.at("live/b"));
    expect(place.setpoint(["resume"]).json).toMatchObject({ exit: 0, status: "applied" });
    expect(place.setpoint(["revert"]).code).toBe(0);
    expect(differences(before, treeOf(live))).toEqual([]);
  });
});
