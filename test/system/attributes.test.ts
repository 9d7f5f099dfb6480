import { once } from "node:events";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { share, shareOf } from "../support/share.ts";
import { BIN, modeOf, must, onMachine, type Place, run, start, textOf } from "./machine.ts";
import { differences, treeOf } from "./tree.ts";

describe("what a file has besides its content is kept when it is replaced", () => {
  onMachine("setuid bits, owner, extended attributes, capabilities and ACLs", ["root", "getfattr", "getfacl", "setcap"], (place) => {
    const file = place.write("live/tool", "#!/bin/sh\necho one\n");
    must("chown", "games:mail", file);
    must("chmod", "6755", file);
    const capable = place.write("live/capable", "binary one\n", 0o755);
    must("setcap", "cap_net_bind_service=ep", capable);
    for (const path of [file, capable]) {
      must("setfattr", "-n", "user.note", "-v", "keep", path);
      must("setfattr", "-n", "trusted.note", "-v", "keep too", path);
      must("setfacl", "-m", "u:games:rwx,g:adm:r", path);
    }
    const before = treeOf(place.at("live"));
    const look = () =>
      run(["sh", "-c", 'getfattr -d -m - -e hex "$@"; getfacl -n "$@"; stat -c "%n %a %u %g" "$@"', "-", "live/tool", "live/capable"], {
        cwd: place.folder,
      }).out;
    const had = look();
    const book = place.playbook(
      "  - replace: live/tool\n    pattern: one\n    with: two\n  - replace: live/capable\n    pattern: one\n    with: two\n",
    );
    expect(place.apply(book).json).toMatchObject({ exit: 0, summary: { changed: 2 } });
    expect(textOf(file)).toContain("two");
    expect(look()).toBe(had);
    expect(place.setpoint(["revert"]).json).toMatchObject({ exit: 0 });
    expect(look()).toBe(had);
    expect(differences(before, treeOf(place.at("live")))).toEqual([]);
  });

  onMachine("they come back when a removed file comes back", ["root", "getfattr", "getfacl", "setcap"], (place) => {
    const file = place.write("live/gone", "content");
    must("chown", "games:mail", file);
    must("chmod", "4711", file);
    must("setcap", "cap_net_raw=ep", file);
    must("setfattr", "-n", "user.note", "-v", "keep", file);
    must("setfacl", "-m", "u:mail:r", file);
    const before = treeOf(place.at("live"));
    expect(place.apply(place.playbook("  - file: live/gone\n    state: absent\n")).json).toMatchObject({ exit: 0 });
    expect(existsSync(file)).toBe(false);
    expect(place.setpoint(["revert"]).json).toMatchObject({ exit: 0 });
    expect(differences(before, treeOf(place.at("live")))).toEqual([]);
  });
});

describe("I20: the umask", () => {
  const masks = share === 1 ? Array.from({ length: 512 }, (_, n) => n).filter((n) => n % 9 === 0 || n === 0o777) : [0, 0o777];
  for (const mask of masks) {
    onMachine(
      `${mask.toString(8).padStart(3, "0")}: the state directory is closed to others, targets are as declared`,
      ["root"],
      (place) => {
        const book = place.playbook(`
  - file: live/plain
    content: x
  - file: live/open
    content: x
    mode: '0666'
  - directory: live/folder
  - directory: live/shared
    mode: '2775'
  - command: child
    run: [ sh, -c, 'umask > live/umask' ]
    creates: live/umask
    undo: [ rm, -f, live/umask ]
`);
        const through = ["sh", "-c", `umask ${mask.toString(8)}; exec "$@"`, "-"];
        expect(place.apply(book, { through }).json, "apply").toMatchObject({ exit: 0 });
        for (const name of ["", ...readdirSync(place.state, { recursive: true, encoding: "utf8" })]) {
          const path = join(place.state, name);
          expect(`${name} ${modeOf(path)}`).toBe(`${name} ${lstatSync(path).isDirectory() ? "0700" : "0600"}`);
        }
        expect(["plain", "open", "folder", "shared"].map((name) => modeOf(place.at(`live/${name}`)))).toEqual([
          "0644",
          "0666",
          "0755",
          "2775",
        ]);
        // A command has the umask that setpoint was started with.
        expect(Number.parseInt(readFileSync(place.at("live/umask"), "utf8"), 8)).toBe(mask);
      },
    );
  }
});

/** Runs setpoint and watches the most memory that it had, in MB. */
async function memoryOf(place: Place, args: readonly string[]): Promise<{ readonly code: number | null; readonly peak: number }> {
  const child = start([process.execPath, BIN, ...args], { cwd: place.folder, env: { SETPOINT_STATE_DIR: place.state } });
  let peak = 0;
  const timer = setInterval(() => {
    const status = textOf(`/proc/${child.pid}/status`) ?? "";
    peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024);
  }, 20);
  const [code] = (await once(child, "exit")) as [number | null];
  clearInterval(timer);
  return { code, peak };
}

describe("large files", () => {
  for (const [kind, mebibytes] of [
    ["sparse", Math.max(320, shareOf(1024))],
    ["full", Math.max(320, shareOf(1024))],
  ] as const) {
    onMachine(
      `a ${kind} file of ${mebibytes} MiB is copied and taken back in less than 300 MB of memory`,
      [],
      async (place) => {
        const source = place.at("source.bin");
        if (kind === "full") must("dd", "if=/dev/urandom", `of=${source}`, "bs=1M", `count=${mebibytes}`, "status=none");
        else {
          must("truncate", "-s", `${mebibytes}M`, source);
          must("sh", "-c", 'printf end | dd of="$0" bs=1M seek=$1 conv=notrunc status=none', source, String(mebibytes - 1));
        }
        place.write("live/small", "was small\n");
        const book = place.playbook("  - file: live/small\n    source: source.bin\n");
        const applied = await memoryOf(place, ["apply", book, "--yes"]);
        expect(applied.code).toBe(0);
        expect(applied.peak).toBeGreaterThan(10);
        expect(applied.peak).toBeLessThan(300);
        must("cmp", source, place.at("live/small"));
        if (kind === "sparse") expect(statSync(place.at("live/small")).blocks * 512).toBeLessThan(16 << 20);
        const reverted = await memoryOf(place, ["revert"]);
        expect(reverted.code).toBe(0);
        expect(reverted.peak).toBeLessThan(300);
        expect(textOf(place.at("live/small"))).toBe("was small\n");
      },
      300_000,
    );
  }
});
