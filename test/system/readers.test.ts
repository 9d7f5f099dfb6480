import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, onTestFinished } from "vitest";
import { tally } from "../support/figures.ts";
import { until } from "../support/real-wait.ts";
import { shareOf } from "../support/share.ts";
import { onMachine, type Place, start, textOf } from "./machine.ts";

const SIZE = 256 << 10;

/** A program that looks at a path until `stop` stands beside it, and writes down what it saw that it must not see. */
function looker(place: Place, name: string, body: string): { readonly started: () => boolean; readonly end: () => Promise<Seen> } {
  const script = place.write(
    `${name}.cjs`,
    `const fs = require("node:fs");
     const log = ${JSON.stringify(place.at(`${name}.json`))};
     const seen = { looks: 0, kinds: {}, wrong: [] };
     const saw = (kind, wrong) => { seen.looks++; seen.kinds[kind] = (seen.kinds[kind] ?? 0) + 1; if (wrong && seen.wrong.length < 9) seen.wrong.push(wrong); };
     ${body}
     let turn = 0;
     for (;;) {
       look();
       if (++turn % 64 === 0 && fs.existsSync(${JSON.stringify(place.at("stop"))})) break;
       if (turn === 1) fs.writeFileSync(log, "started");
     }
     fs.writeFileSync(log, JSON.stringify(seen));`,
  );
  const child = start([process.execPath, script], { cwd: place.folder });
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = once(child, "exit");
  return {
    started: () => textOf(place.at(`${name}.json`)) !== undefined,
    end: async () => {
      writeFileSync(place.at("stop"), "");
      await ended;
      return JSON.parse(readFileSync(place.at(`${name}.json`), "utf8")) as Seen;
    },
  };
}

interface Seen {
  readonly looks: number;
  readonly kinds: { readonly [kind: string]: number };
  readonly wrong: readonly string[];
}

describe("who looks while a run is at work", () => {
  onMachine(
    "I12: a reader finds a file wholly as it was or wholly as it will be, however it is read and whatever replaces it",
    [],
    async (place) => {
      const [one, other] = ["a", "b"].map((letter) => letter.repeat(SIZE)) as [string, string];
      place.write("live/file", one);
      place.write("one.txt", one);
      place.write("other.txt", other);
      const books = ["other", "one"].map((name) => place.playbook(`  - file: live/file\n    source: ${name}.txt\n`, `${name}.yaml`));
      const wholly = `const wholly = (bytes) => {
         const [first] = bytes;
         if (bytes.length !== ${SIZE}) return saw("torn", "a length of " + bytes.length);
         return saw(String.fromCharCode(first), bytes.every((byte) => byte === first) ? undefined : "a mixture");
       };`;
      const readers = [
        looker(place, "whole", `${wholly} const look = () => wholly(fs.readFileSync("live/file"));`),
        // In two halves, from a descriptor that is held while the file is replaced.
        looker(
          place,
          "halves",
          `${wholly} const look = () => {
             const fd = fs.openSync("live/file");
             const bytes = Buffer.alloc(${SIZE});
             fs.readSync(fd, bytes, 0, ${SIZE / 2}, 0);
             fs.readSync(fd, bytes, ${SIZE / 2}, ${SIZE / 2}, ${SIZE / 2});
             fs.closeSync(fd);
             wholly(bytes);
           };`,
        ),
      ];
      await until("the readers read", () => readers.every(({ started }) => started()));
      const rounds = shareOf(100);
      for (let round = 0; round < rounds; round++) {
        expect(place.apply(books[0] as string).json).toMatchObject({ exit: 0 });
        expect(textOf(place.at("live/file")) === other).toBe(true);
        // Back by the other playbook, and by a revert.
        const back = round % 2 === 0 ? place.setpoint(["revert", "--stack", "other"]) : place.apply(books[1] as string);
        expect(back.json).toMatchObject({ exit: 0 });
        expect(textOf(place.at("live/file")) === one).toBe(true);
      }
      let looks = 0;
      const kinds = new Set<string>();
      for (const { end } of readers) {
        const seen = await end();
        expect(seen.wrong).toEqual([]);
        looks += seen.looks;
        for (const kind of Object.keys(seen.kinds)) kinds.add(kind);
      }
      expect([...kinds].sort()).toEqual(["a", "b"]);
      tally({ invariants: ["I12"], what: "concurrent reads", count: looks });
    },
    1_200_000,
  );

  onMachine(
    "I20: a file is never more open than before and after, and its temps and the state directory are open to nobody else",
    [],
    async (place) => {
      place.write("live/closing", "x".repeat(SIZE), 0o644);
      place.write("live/opening", "x".repeat(SIZE), 0o600);
      place.write("live/private", "x".repeat(SIZE), 0o600);
      const book = place.playbook(
        "  - file: live/closing\n    content: closed\n    mode: '0600'\n  - file: live/opening\n    content: opened\n    mode: '0644'\n  - file: live/private\n    content: still private\n    mode: '0600'\n  - file: live/new\n    content: new\n    mode: '0640'\n",
      );
      const watcher = looker(
        place,
        "watcher",
        `const most = { closing: 0o644, opening: 0o644, private: 0o600, new: 0o640 };
         const open = (stat, allowed, path) => {
           const more = stat.mode & 0o777 & ~allowed;
           saw(path.replace(/.*[.][a-z2-7]{16}-.*/, "temp"), more ? path + " is " + (stat.mode & 0o777).toString(8) : undefined);
         };
         const stat = (path) => { try { return fs.lstatSync(path); } catch { return undefined; } };
         const list = (path) => { try { return fs.readdirSync(path); } catch { return []; } };
         const visit = (folder) => {
           const own = stat(folder);
           if (own) open(own, 0o700, folder);
           for (const name of list(folder)) {
             const path = folder + "/" + name;
             const one = stat(path);
             if (!one) continue;
             if (one.isDirectory()) visit(path); else open(one, 0o600, path);
           }
         };
         const look = () => {
           for (const name of list("live")) {
             const one = stat("live/" + name);
             // A temp has the modes that its target will have, once its content is whole; before, its own.
             if (one) open(one, most[name] ?? 0o644, name in most ? name : "live/" + name);
           }
           visit("state");
         };`,
      );
      await until("the watcher watches", () => watcher.started());
      const rounds = shareOf(60);
      for (let round = 0; round < rounds; round++) {
        const through = ["sh", "-c", `umask ${["000", "022", "077", "777"][round % 4]}; exec "$@"`, "-"];
        expect(place.apply(book, { through }).json).toMatchObject({ exit: 0 });
        expect(place.setpoint(["revert"], { through }).json).toMatchObject({ exit: 0 });
      }
      const seen = await watcher.end();
      expect(seen.wrong).toEqual([]);
      expect(Object.keys(seen.kinds)).toEqual(expect.arrayContaining(["closing", "opening", "private", "new", "state"]));
      tally({ invariants: ["I20"], what: "looks at modes", count: seen.looks });
    },
    1_200_000,
  );
});
