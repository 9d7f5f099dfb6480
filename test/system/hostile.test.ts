import { once } from "node:events";
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect } from "vitest";
import { tally } from "../support/figures.ts";
import { shareOf } from "../support/share.ts";
import { leftovers, must, onMachine, type Place, start, textOf } from "./machine.ts";
import { differences, treeOf } from "./tree.ts";

const NOBODY = 65534;

describe("I21: paths that somebody else plays with", () => {
  onMachine("a target that became a symlink since the plan was saved makes the plan stale", ["root"], (place) => {
    place.write("live/a", "old");
    place.write("outside/secret", "secret");
    const saved = place.at("saved.plan");
    expect(place.setpoint(["plan", place.playbook("  - file: live/a\n    content: new\n"), "-o", saved]).code).toBe(2);
    unlinkSync(place.at("live/a"));
    symlinkSync(place.at("outside/secret"), place.at("live/a"));
    expect(place.apply(saved).code).toBe(4);
    expect(textOf(place.at("outside/secret"))).toBe("secret");
    expect(readlinkSync(place.at("live/a"))).toBe(place.at("outside/secret"));
  });

  onMachine("a parent that became a symlink since the plan was saved is not followed", ["root"], (place) => {
    place.write("live/inner/a", "old");
    place.write("outside/a", "old");
    const saved = place.at("saved.plan");
    expect(place.setpoint(["plan", place.playbook("  - file: live/inner/a\n    content: new\n"), "-o", saved]).code).toBe(2);
    renameSync(place.at("live/inner"), place.at("live/was"));
    symlinkSync(place.at("outside"), place.at("live/inner"));
    const refused = place.apply(saved);
    expect([1, 4, 6], refused.out).toContain(refused.code);
    expect(textOf(place.at("outside/a"))).toBe("old");
    expect(textOf(place.at("live/was/a"))).toBe("old");
  });

  onMachine(
    "a folder swapped for a symlink all the time leads nothing outside",
    ["root", "setpriv"],
    async (place) => {
      mkdirSync(place.at("live/inner"), { recursive: true });
      mkdirSync(place.at("outside"));
      for (const folder of ["live", "live/inner"]) chownSync(place.at(folder), NOBODY, NOBODY);
      symlinkSync(place.at("outside"), place.at("live/link"));
      must("chown", "-h", `${NOBODY}:${NOBODY}`, place.at("live/link"));
      const swapper = place.write(
        "swap.cjs",
        `const fs = require("fs");
       process.chdir(${JSON.stringify(place.at("live"))});
       let swaps = 0;
       const swap = (from, to) => { try { fs.renameSync(from, to); swaps += 1; } catch {} };
       for (;;) {
         for (let n = 0; n < 200; n++) {
           swap("inner", "held");
           swap("link", "inner");
           swap("inner", "link");
           swap("held", "inner");
         }
         fs.writeFileSync("../swaps", String(swaps));
       }`,
      );
      const count = shareOf(2000);
      const book = place.playbook(
        `  - file: live/inner/f\${{ each.value }}\n    id: f\n    for_each: [ ${Array.from({ length: count }, (_, n) => n).join(", ")} ]\n    content: written\n`,
      );
      const before = treeOf(place.at("outside"));
      chownSync(place.write("swaps", "0"), NOBODY, NOBODY);
      const racing = start(["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", process.execPath, swapper]);
      try {
        // Swaps and applies race until there were so many of both.
        for (let n = 0; n < 4 || Number(textOf(place.at("swaps"))) < shareOf(1_000_000); n += 1) {
          const ran = place.apply(book);
          expect([0, 1, 3, 4, 6, 9], ran.out + ran.err).toContain(ran.code);
          expect(differences(before, treeOf(place.at("outside")), () => true)).toEqual([]);
        }
      } finally {
        racing.kill("SIGKILL");
        await once(racing, "exit");
      }
      // Put in order again, the same command comes to its end.
      if (existsSync(place.at("live/held"))) {
        if (existsSync(place.at("live/inner"))) renameSync(place.at("live/inner"), place.at("live/link"));
        renameSync(place.at("live/held"), place.at("live/inner"));
      } else if (lstatSync(place.at("live/inner")).isSymbolicLink()) throw new Error("the folder is lost");
      expect(place.apply(book).code).toBe(0);
      expect(leftovers(place.at("live"))).toEqual([]);
      expect(readdirSync(place.at("live/inner")).length).toBe(count);
      expect(readdirSync(place.at("outside"))).toEqual([]);
      tally({ invariants: ["I21"], what: "swaps", count: Number(textOf(place.at("swaps"))) });
    },
    1_200_000,
  );

  onMachine("in a sticky folder that all may write to, files are made, and what others put there is not followed", ["root"], (place) => {
    mkdirSync(place.at("live"));
    must("chmod", "1777", place.at("live"));
    place.write("outside", "outside");
    symlinkSync(place.at("outside"), place.at("live/planted"));
    must("chown", "-h", `${NOBODY}`, place.at("live/planted"));
    const refused = place.apply(place.playbook("  - file: live/planted\n    content: x\n", "planted.yaml"));
    expect(refused.code).toBe(3);
    expect(refused.json.problems?.[0]?.summary).toBe("a symbolic link stands in the way");
    const through = place.apply(place.playbook("  - file: live/planted\n    content: x\n    follow: true\n", "through.yaml"));
    expect(through.json.status === "applied" ? lstatSync(place.at("live/planted")).isSymbolicLink() : true).toBe(true);
    const made = place.apply(place.playbook("  - file: live/made\n    content: made\n"));
    expect(made.json).toMatchObject({ exit: 0 });
    expect(lstatSync(place.at("live/made")).uid).toBe(0);
    expect(place.setpoint(["revert", "--stack", "book"]).code).toBe(0);
    expect(existsSync(place.at("live/made"))).toBe(false);
  });
});

describe("things that are no files", () => {
  onMachine(
    "a FIFO, a device and a socket are neither read nor replaced, and nothing waits for them",
    ["root", "mkfifo", "mknod"],
    async (place) => {
      mkdirSync(place.at("live"));
      must("mkfifo", place.at("live/fifo"));
      must("mknod", place.at("live/zero"), "c", "1", "5");
      must("mknod", place.at("live/block"), "b", "7", "200");
      const server = createServer().listen(place.at("live/socket"));
      await once(server, "listening");
      try {
        const before = treeOf(place.at("live"));
        const resources: readonly ((name: string) => string)[] = [
          (name) => `  - file: live/${name}\n    content: x\n    replace: true\n`,
          (name) => `  - line: live/${name}\n    text: x\n`,
          (name) => `  - file: live/${name}\n    state: absent\n`,
          (name) => `  - file: live/${name}.copy\n    source: live/${name}\n`,
        ];
        for (const [n, resource] of resources.entries()) {
          const began = Date.now();
          const refused = place.apply(place.playbook(["fifo", "zero", "block", "socket"].map(resource).join(""), `special${n}.yaml`));
          expect(refused.code, refused.out).toBe(3);
          expect(refused.json.problems?.length, refused.out).toBe(4);
          for (const { summary, detail } of refused.json.problems ?? [])
            expect(`${summary}: ${detail}`).toMatch(/fifo|device|socket|special|a file/);
          expect(Date.now() - began).toBeLessThan(15_000);
        }
        expect(differences(before, treeOf(place.at("live")))).toEqual([]);
      } finally {
        server.close();
      }
    },
  );

  onMachine(
    "a bind-mounted file is left alone and its message names the way; in place it is written and taken back",
    ["mount"],
    (place) => {
      place.write("original", "mounted\n", 0o640);
      const target = place.write("live/file", "under the mount\n");
      place.bind(place.at("original"), target);
      const failed = place.apply(place.playbook("  - line: live/file\n    text: added\n"));
      expect([1, 6]).toContain(failed.code);
      expect(failed.json.actions?.[0]?.detail).toContain("write: in-place");
      expect(leftovers(place.at("live"))).toEqual([]);
      expect(place.setpoint(["revert"]).code).toBe(0);
      expect(place.apply(place.playbook("  - line: live/file\n    text: added\n    write: in-place\n")).json).toMatchObject({ exit: 0 });
      expect(textOf(place.at("original"))).toBe("mounted\nadded\n");
      expect(place.setpoint(["revert"]).json).toMatchObject({ exit: 0 });
      expect(textOf(place.at("original"))).toBe("mounted\n");
      expect(lstatSync(target).mode & 0o7777).toBe(0o640);
    },
  );
});

describe("hard links", () => {
  const linked = (place: Place) => {
    place.write("live/one", "shared\n");
    must("ln", place.at("live/one"), place.at("live/two"));
  };

  onMachine("a file with other names is refused unless they may part", ["root"], (place) => {
    linked(place);
    const refused = place.apply(place.playbook("  - line: live/one\n    text: more\n"));
    expect(refused.code).toBe(3);
    expect(refused.json.problems?.[0]?.detail).toContain("hardlinks: break");
  });

  onMachine("with `hardlinks: break` one name changes, and revert gives its content back", ["root"], (place) => {
    linked(place);
    expect(place.apply(place.playbook("  - line: live/one\n    text: more\n    hardlinks: break\n")).json).toMatchObject({ exit: 0 });
    expect([textOf(place.at("live/one")), textOf(place.at("live/two"))]).toEqual(["shared\nmore\n", "shared\n"]);
    expect(place.setpoint(["revert"]).json).toMatchObject({ exit: 0 });
    expect([textOf(place.at("live/one")), textOf(place.at("live/two"))]).toEqual(["shared\n", "shared\n"]);
  });

  onMachine("written in place it changes under all its names, and back", ["root"], (place) => {
    linked(place);
    const before = treeOf(place.at("live"));
    expect(place.apply(place.playbook("  - line: live/one\n    text: more\n    write: in-place\n")).json).toMatchObject({ exit: 0 });
    expect(textOf(place.at("live/two"))).toBe("shared\nmore\n");
    expect(place.setpoint(["revert"]).json).toMatchObject({ exit: 0 });
    expect(differences(before, treeOf(place.at("live")))).toEqual([]);
  });
});

onMachine("a device as a source is refused at once", [], (place) => {
  const ran = place.apply(place.playbook("  - file: live/a\n    source: /dev/zero\n"));
  expect([1, 3]).toContain(ran.code);
  expect(existsSync(place.at("live"))).toBe(false);
});
