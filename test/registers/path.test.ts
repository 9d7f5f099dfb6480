import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  emptyDigest,
  type Goal,
  type JsonObject,
  type Manner,
  type Register,
  type RegisterId,
  type State,
  type View,
} from "../../src/core/index.ts";
import { goals, type PathState, path, pathRegister } from "../../src/registers/index.ts";
import { matches } from "../resources/fold.ts";
import { Disk, MemoryContents, readerOn, type Sketch } from "../resources/world.ts";

const register: Register = pathRegister("/d/x");
const contents = new MemoryContents();
const [a, b] = [contents.put("a\n"), contents.put("b\n")];
contents.put("");

const mode = fc.constantFrom("0644", "0600", "0755", "4711");
const owner = fc.constantFrom("root", "www-data");
const state: fc.Arbitrary<PathState> = fc.oneof(
  fc.constant<PathState>({ is: "absent" }),
  fc.record({ is: fc.constant("file" as const), content: fc.constantFrom(a, b, emptyDigest), mode, owner, group: owner }),
  fc.record({ is: fc.constant("directory" as const), mode, owner, group: owner }),
  fc.record({ is: fc.constant("symlink" as const), to: fc.constantFrom("y", "/etc/z") }),
);
const manner: fc.Arbitrary<Manner> = fc.constantFrom<Manner>({}, { replace: true }, { write: "in-place" }, { hardlinks: "break" });

/** The whole of a state as a sketch of the disk. */
function drawn(one: PathState): { readonly [path: string]: Sketch } {
  const { owner: by = "root", group: of = "root", mode: bits = "0644" } = one as { owner?: string; group?: string; mode?: string };
  if (one.is === "file")
    return { "/d": { directory: true }, "/d/x": { content: contents.text(one.content ?? emptyDigest), mode: bits, owner: by, group: of } };
  if (one.is === "directory") return { "/d/x": { directory: true, mode: bits, owner: by, group: of } };
  if (one.is === "symlink") return { "/d/x": { link: one.to } };
  return { "/d": { directory: true } };
}

function read(disk: Disk, of: Register = register): PathState {
  return (path.read([of], readerOn(disk)) as readonly PathState[])[0] as PathState;
}

function set(disk: Disk, from: PathState, to: PathState, how: Manner = {}, of: Register = register): void {
  for (const operation of path.transition(of, from, to, how)) disk.perform(operation);
}

describe("the kind path", () => {
  test("after a transition a reading gives what was wanted, and swapped it goes back", () => {
    fc.assert(
      fc.property(state, state, manner, (from, to, how) => {
        const disk = new Disk(contents, drawn(from));
        const before = read(disk);
        set(disk, before, to, how);
        expect(matches(read(disk), to)).toBe(true);
        expect(path.transition(register, read(disk), to, how)).toEqual([]);
        set(disk, read(disk), before, how);
        expect(read(disk)).toEqual(before);
      }),
    );
  });

  test("from a state to itself nothing is done", () => {
    fc.assert(
      fc.property(state, manner, (one, how) => {
        expect(path.transition(register, one, one, how)).toEqual([]);
      }),
    );
  });

  test("a transition killed between two operations left a torn state, from which both ends can be reached", () => {
    fc.assert(
      fc.property(state, state, manner, fc.boolean(), (from, to, how, forward) => {
        const operations = path.transition(register, from, to, how);
        const disk = new Disk(contents, drawn(from));
        const [first, second] = operations;
        if (first === undefined || second === undefined) return;
        disk.perform(first);
        const found = read(disk);
        const done = matches(found, from) || matches(found, to);
        expect(done || path.torn?.(found, from, to, how)).toBe(true);
        expect(done || path.torn?.(found, to, from, how)).toBe(true);
        const end = forward ? to : from;
        set(disk, found, end, how);
        expect(matches(read(disk), end)).toBe(true);
      }),
    );
  });

  test("attributes half set are torn, those of somebody else are not", () => {
    const before: PathState = { is: "file", content: a, mode: "0644", owner: "root", group: "root" };
    const after: PathState = { is: "file", content: b, mode: "0600", owner: "www-data" };
    expect(path.torn?.({ ...before, owner: "www-data" }, before, after, {})).toBe(true);
    expect(path.torn?.({ ...before, content: b }, before, after, {})).toBe(true);
    expect(path.torn?.({ ...before, mode: "0777" }, before, after, {})).toBe(false);
    expect(path.torn?.({ ...before, content: emptyDigest }, before, after, {})).toBe(false);
    expect(path.torn?.({ is: "absent" }, before, after, {})).toBe(false);
    expect(
      path.torn?.(
        { ...before, owner: "www-data", mode: "0755" },
        { ...before, mode: "4755" },
        { ...before, mode: "4755", owner: "www-data" },
        {},
      ),
    ).toBe(true);
    const made = (mode: string): boolean | undefined =>
      path.torn?.({ is: "directory", mode, owner: "me", group: "me" }, { is: "absent" }, { is: "directory", mode: "0775" }, {});
    expect([made("0755"), made("2755"), made("0700"), made("0777")]).toEqual([true, true, true, false]);
  });

  test("what was written in place may hold anything, where the engine says that it was", () => {
    const [before, after]: [PathState, PathState] = [
      { is: "file", content: a, mode: "0644" },
      { is: "file", content: b, mode: "0644" },
    ];
    const half: PathState = { is: "file", content: emptyDigest, mode: "0644" };
    expect(path.torn?.(half, before, after, {})).toBe(false);
    expect(path.torn?.(half, before, after, { write: "in-place" })).toBe(true);
  });

  test("extended attributes of what goes are kept in its before, and come back", () => {
    const disk = new Disk(contents, drawn({ is: "directory", mode: "0755", owner: "root", group: "root" }));
    const node = disk.nodes.get("/d/x");
    if (node?.is === "directory") node.xattrs = { "user.a": "01" };
    const before = read(disk);
    const after: PathState = { is: "symlink", to: "y" };
    const [enriched] = path.enrich?.([{ register, before, after }], readerOn(disk)) ?? [];
    expect(enriched).toEqual({ ...before, xattrs: { "user.a": "01" } });
    set(disk, enriched as PathState, after);
    set(disk, read(disk), enriched as PathState);
    expect(readerOn(disk).xattrs(["/d/x"]).get("/d/x")).toEqual({ "user.a": "01" });
    expect(path.enrich?.([{ register, before, after: { ...before, mode: "0700" } as PathState }], readerOn(disk))).toEqual([before]);
  });

  test("a second name is told from a file of its own", () => {
    const disk = new Disk(contents, { "/d/y": "a\n", "/d/x": { same: "/d/y" }, "/d/z": "a\n" });
    expect(read(disk, pathRegister("/d/x", "/d/y"))).toMatchObject({ is: "file", links: 2, hardLinkOf: "/d/y" });
    expect(read(disk, pathRegister("/d/z", "/d/y"))).toMatchObject({ hardLinkOf: "none" });
    expect(read(disk, pathRegister("/d/x"))).not.toHaveProperty("hardLinkOf");
  });

  test("a path needs its folder, and a second name its file", () => {
    expect(path.parents?.(register)).toEqual(["/d"]);
    expect(path.parents?.(pathRegister("/d/x", "/e/y"))).toEqual(["/d", "/e/y"]);
    expect(path.parents?.(pathRegister("/"))).toEqual([]);
    const file: PathState = { is: "file", content: a, mode: "0644" };
    expect(path.misfit?.(register, file, { key: "/d", state: { is: "directory" } })).toBeUndefined();
    expect(path.misfit?.(register, file, { key: "/d", state: { is: "absent" } })?.detail).toContain("declare it as a `directory`");
    expect(path.misfit?.(register, { is: "absent" }, { key: "/d", state: { is: "absent" } })).toBeUndefined();
    expect(path.misfit?.(register, file, { key: "/d", state: { is: "symlink", to: "/e" } })?.summary).toBe("a path leads through a link");
    expect(
      path.misfit?.(pathRegister("/d/x", "/e/y"), { is: "file", hardLinkOf: "/e/y" }, { key: "/e/y", state: { is: "absent" } })?.summary,
    ).toBe("a hard link needs a file");
  });
});

describe("the goals of paths", () => {
  const wants: { readonly [goal: string]: readonly JsonObject[] } = {
    "whole-file": [
      {},
      { content: b },
      { content: b, mode: "0640", owner: "www-data" },
      { content: b, create_only: true },
      { mode: "u+x,g=u" },
    ],
    absent: [{}],
    directory: [{}, { mode: "g+s", group: "www-data" }, { mode: "u=rwx,go=" }],
    ancestor: [{}],
    symlink: [{ to: "y" }],
    "hard-link": [{ to: "/d/y" }],
    attributes: [{ mode: "0600" }, { owner: "www-data", mode: "a-x" }],
    "swept-attributes": [{ file_mode: "a+rX", directory_mode: "0700", owner: "www-data" }],
    line: [
      { state: "present", text: "b", occurrence: "last", position: "end", create: true },
      { state: "absent", match: "^a", occurrence: "last", position: "end" },
    ],
    block: [
      { state: "present", text: "b", marker: "m", comment: "#", position: "start", create: true },
      { state: "absent", marker: "m", comment: "#", position: "end" },
    ],
    replace: [{ pattern: "^a", with: "c" }],
    config: [{ format: "ini", edits: [{ set: "s.k", value: 1 }, { unset: "a" }], create: true }],
  };

  test("every goal has its wants here", () => {
    expect([...goals.values()].filter(({ kind }) => kind === "path").map(({ name }) => name)).toEqual(
      expect.arrayContaining(Object.keys(wants)),
    );
    expect(Object.keys(wants)).toHaveLength([...goals.values()].filter(({ kind }) => kind === "path").length);
  });

  const other: State = { is: "file", content: a, mode: "0644" };
  const view: View = { contents, state: () => other, sets: () => 0, fingerprint: (content) => content };

  test.each(Object.entries(wants).flatMap(([name, list]) => list.map((want) => [name, want] as const)))(
    "%s %j is idempotent and does what it says to the disk",
    async (name, want) => {
      const goal = goals.get(`path ${name}`) as Goal;
      await goal.prepare?.(want);
      const about = name === "hard-link" ? pathRegister("/d/x", "/d/y") : register;
      fc.assert(
        fc.property(state, (from) => {
          const disk = new Disk(contents, { "/d/y": "a\n", ...drawn(from) });
          const now = read(disk, about);
          let after: PathState;
          try {
            after = goal.converge(now, want, view) as PathState;
          } catch {
            return;
          }
          expect(goal.converge(after, want, view)).toEqual(after);
          set(disk, now, after, { replace: true }, about);
          const found = read(disk, about);
          expect(matches(found, after)).toBe(true);
          expect(goal.converge(found, want, view)).toEqual(found);
        }),
        { numRuns: 50 },
      );
    },
  );

  /** What a prune leaves of a file that a goal changed and somebody else changed since. */
  async function released(
    name: string,
    want: JsonObject,
    was: PathState,
    since: (text: string) => string = (text) => text,
  ): Promise<PathState> {
    const goal = goals.get(`path ${name}`) as Goal;
    await goal.prepare?.(want);
    const set = goal.converge(was, want, view) as PathState;
    const now = set.is === "file" && set.content !== undefined ? { ...set, content: contents.put(since(contents.text(set.content))) } : set;
    return goal.release?.(now, want, was, view) as PathState;
  }
  const file = (text: string): PathState => ({ is: "file", content: contents.put(text), mode: "0644", owner: "root", group: "root" });

  test("a released line, block or key leaves what others wrote", async () => {
    const more = (text: string): string => `${text}theirs=1\n`;
    expect(
      await released(
        "line",
        { state: "present", text: "Port=2", match: "^Port=", occurrence: "last", position: "end" },
        file("Port=1\n"),
        more,
      ),
    ).toEqual(file("Port=1\ntheirs=1\n"));
    expect(await released("block", { state: "present", text: "x", marker: "m", comment: "#", position: "end" }, file("y\n"), more)).toEqual(
      file("y\ntheirs=1\n"),
    );
    expect(
      await released(
        "config",
        {
          format: "env",
          edits: [
            { set: "A", value: 2 },
            { set: "B", value: 1 },
          ],
        },
        file("A=1\n"),
        more,
      ),
    ).toEqual(file("A=1\ntheirs=1\n"));
  });

  test("a released key takes along the maps that were made for it, and a file that was", async () => {
    const want = { format: "yaml", edits: [{ set: "a.b.c", value: 1 }], create: true };
    expect(await released("config", want, file("x: 1\n"), (text) => `${text}y: 1\n`)).toEqual(file("x: 1\ny: 1\n"));
    expect(await released("config", want, { is: "absent" })).toEqual({ is: "absent" });
    expect(
      await released("line", { state: "present", text: "x", occurrence: "last", position: "end", create: true }, { is: "absent" }),
    ).toEqual({ is: "absent" });
  });

  test("released attributes are those from before, the others stay", async () => {
    const want = { mode: "0600" };
    const goal = goals.get("path attributes") as Goal;
    expect(goal.release?.({ ...file("a"), mode: "0600", owner: "www-data" } as State, want, file("a"), view)).toEqual({
      ...file("a"),
      owner: "www-data",
    });
    expect(goal.release?.({ ...file("a"), mode: "0600" } as State, want, { is: "absent" }, view)).toMatchObject({ mode: "0600" });
  });

  test("a hard link sees the other file through its view", () => {
    const goal = goals.get("path hard-link") as Goal;
    const asked: RegisterId[] = [];
    const watched: View = {
      ...view,
      state(id) {
        asked.push(id);
        return other;
      },
    };
    goal.converge({ is: "absent" }, { to: "/d/y" }, watched);
    expect(asked).toEqual(["path:/d/y"]);
  });
});
