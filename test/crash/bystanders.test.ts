import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { type Chooser, contentDigest, seeded } from "../../src/system/simulated/index.ts";
import { Images, moments } from "../support/crash-images.ts";
import { tally } from "../support/figures.ts";
import { type Ends, endsOf, recovers, WAYS } from "../support/recovery.ts";
import { seedsUpTo, withSeed } from "../support/seeds.ts";
import { generatedWorld } from "../support/simulated-generator.ts";
import { Scenario } from "../support/simulated-scenario.ts";
import type { World } from "../support/simulated-world.ts";

/** Names that others may have, of which some look like ours. */
const NAMES = ["bystander", "bystander.new", ".aaaaaaaaaaaaaaaa-1-0", ".aaaaaaaaaaaaaaaa-1-stash", "journal.new"];

/** The world with files of others in every folder that it works in. */
function amongOthers(world: World): { readonly world: World; readonly others: readonly string[] } {
  const folders = world.folders.filter((folder) => /^w\/site(\/inner-\d+)*$/.test(folder));
  const others = [...folders, "w", "w/elsewhere"].flatMap((folder) => NAMES.map((name) => `${folder}/${name}`));
  return {
    world: {
      ...world,
      folders: [...world.folders, "w/elsewhere"],
      files: { ...world.files, ...Object.fromEntries(others.map((path) => [path, `of somebody else: ${path}\n`])) },
      modes: { ...world.modes, ...Object.fromEntries(others.map((path, index) => [path, index % 2 === 0 ? 0o4711 : 0o604])) },
    },
    others: [...others, "etc/passwd", "etc/group", "etc/machine-id", "w/book.yaml"],
  };
}

/** All there is to know of files: inode, names, times, mode, owner, content. */
function fingerprint(scenario: Scenario, paths: readonly string[]): string {
  const { files } = scenario.machine.process("/w");
  return paths
    .map((path) => {
      const fd = files.openRead(`/${path}`);
      const { data } = files.at(fd);
      files.close(fd);
      return `${path} ${JSON.stringify(files.lstat(`/${path}`))} ${contentDigest(data)}`;
    })
    .join("\n");
}

describe("what is not ours", () => {
  test("I10: files of others keep every byte and every attribute through any crash and recovery, and no temporary file is left", async () => {
    let tried = 0;
    for (const seed of seedsUpTo(400)) {
      await withSeed(seed, async () => {
        const { world, others } = amongOthers(generatedWorld(seed));
        const ends = await endsOf(world);
        const start = new Scenario(seed, world);
        const before = fingerprint(start, others);
        const { moments: all } = await moments(start, apply, ["book.yaml"]);
        const images = new Images();
        for (const [index, moment] of all.entries()) {
          for (const image of images.of(moment, { exhaustive: 2, samples: 2, seed })) {
            await recovers(image, WAYS[(index + seed) % 2] as CommandModule, ends);
            expect(fingerprint(image.scenario, others), image.story).toBe(before);
          }
        }
        tried += images.tried;
      });
    }
    tally({ invariants: ["I10"], what: "crash images", count: tried });
  }, 36_000_000);

  test("I11: what somebody edits between a crash and a resume or revert is never overwritten, and what stands in the way is named", async () => {
    let tried = 0;
    for (const seed of seedsUpTo(3_000)) {
      await withSeed(seed, async () => {
        const { world, others } = amongOthers(generatedWorld(seed, { programs: false }));
        const ends = await endsOf(world);
        const choose = seeded(seed);
        const start = new Scenario(seed, world);
        const elsewhere = others.filter((path) => path.startsWith("w/elsewhere"));
        const before = fingerprint(start, elsewhere);
        const { moments: all } = await moments(start, apply, ["book.yaml"]);
        const begun = all.filter(({ scenario }) => scenario.begun());
        for (let round = 0; round < 6 && begun.length > 0; round++) {
          const moment = begun[choose(begun.length)] as (typeof begun)[number];
          const scenario = moment.scenario.fork(seed);
          if (choose(2) === 0) scenario.machine.powerCut("random", seeded(seed * 10 + round));
          if (!scenario.begun()) continue;
          const edit = edited(scenario, ends, choose);
          if (!edit) continue;
          const module = WAYS[choose(2)] as CommandModule;
          const life = await scenario.run(module);
          const story = `${moment.story}, then somebody: ${edit.what}, then ${module === resume ? "resume" : "revert"}\n${life.said}\n${world.playbook}`;
          expect(life.bug, story).toBeUndefined();
          expect([0, 1, 6, 9], story).toContain(life.exit);
          expect(edit.stands(), story).toBe(true);
          // A folder that cannot be removed because of what they put there is named itself.
          if (life.exit !== 0)
            expect(
              edit.names.some((name) => life.said.includes(name)),
              story,
            ).toBe(true);
          expect(fingerprint(scenario, elsewhere), story).toBe(before);
          tried += 1;
        }
      });
    }
    tally({ invariants: ["I11"], what: "edits by somebody else", count: tried });
  }, 36_000_000);
});

interface Edit {
  readonly what: string;
  /** Of which one stands in a message about it. */
  readonly names: readonly string[];
  /** Whether the edit is still there. */
  stands(): boolean;
}

const THEIRS = "somebody wrote this in the meantime\n";

/** One change by somebody else, durable, of a path that the plan is about. */
function edited(scenario: Scenario, ends: Ends, choose: Chooser): Edit | undefined {
  const { files, end } = scenario.machine.process("/w");
  // What is written in place may be half of anything after a crash, so nobody can tell an edit from that (reliability.md §6).
  const all = [...new Set([...Object.keys(ends.initial), ...Object.keys(ends.final)])].filter(
    (path) => path.startsWith("/w/site/") && !path.includes("/place-") && ends.initial[path] !== ends.final[path],
  );
  const path = all[choose(all.length)];
  if (path === undefined) return undefined;
  const names = path.split("/").slice(-2);
  const stat = files.lstat(path);
  const parent = files.lstat(path.slice(0, path.lastIndexOf("/")));
  const done = (what: string, stands: () => boolean): Edit => {
    scenario.machine.disk.syncAll();
    end();
    return { what: `${what} ${path}`, names, stands };
  };
  if (stat === undefined) {
    if (parent?.type !== "directory") return undefined;
    write(path);
    return done("makes", () => read(path) === THEIRS);
  }
  switch (choose(4)) {
    case 0: {
      if (stat.type === "directory") {
        write(`${path}/theirs`);
        return done("puts a file into", () => read(`${path}/theirs`) === THEIRS);
      }
      files.unlink(path);
      write(path);
      return done("replaces", () => read(path) === THEIRS);
    }
    case 1: {
      // A new folder may stand there less open than wanted after a crash, as a umask leaves it.
      const isNew = ends.initial[path] === undefined || ends.final[path] === undefined;
      if (stat.type !== "file" && (stat.type !== "directory" || isNew)) return undefined;
      // The mode of a file of two names stays under the other one.
      if (stat.type === "file" && stat.nlink > 1) return undefined;
      const fd = files.openRead(path);
      files.chmod(fd, 0o2705);
      files.close(fd);
      return done("changes the mode of", () => files.lstat(path)?.mode === 0o2705);
    }
    case 2: {
      // Whoever made it a link to somewhere else must not have us write there.
      files.rename(path, `/w/moved-by-them`);
      files.symlink("/w/elsewhere", path);
      return done(
        "moves away and links to elsewhere",
        () => files.lstat(path)?.type === "symlink" && files.readLink(path) === "/w/elsewhere",
      );
    }
    default: {
      // What is written to a file of two names stays under the other one.
      if (stat.type !== "file" || stat.nlink > 1) return undefined;
      const fd = files.openWrite(path);
      files.truncate(fd, 0);
      files.writeAll(fd, Buffer.from(THEIRS));
      files.close(fd);
      return done("writes to", () => read(path) === THEIRS);
    }
  }

  function write(at: string): void {
    const fd = files.createNew(at, 0o606);
    files.writeAll(fd, Buffer.from(THEIRS));
    files.close(fd);
  }

  function read(at: string): string | undefined {
    if (files.lstat(at)?.type !== "file") return undefined;
    const fd = files.openRead(at);
    const { data } = files.at(fd);
    files.close(fd);
    return data.toString("utf8");
  }
}
