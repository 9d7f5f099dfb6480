import fc from "fast-check";
import { expect, test } from "vitest";
import { mayHaveSet } from "../../src/cli/past.ts";
import { isKeyed, type RegisterId, registerId, type State, sha256 } from "../../src/core/index.ts";
import { type Known, knownAt, type Moment } from "../../src/engine/index.ts";
import { inTurn, type RunLine, turnsOf } from "../../src/journal/index.ts";
import { readWhole } from "../../src/system/index.ts";
import { type Deed, DeedWorld, deed } from "../support/deeds.ts";

const TRIES = Number(process.env.SETPOINT_RUNS) || 60;

/** What really is at the paths that the playbooks of deeds name. */
type Snapshot = ReadonlyMap<string, { readonly is: string; readonly content?: string }>;

const PATHS = ["/w/shared", ...["a", "b"].flatMap((stack) => ["f0", "f1", "f2", "secret"].map((name) => `/w/${stack}/${name}`))];

function snapshot(world: DeedWorld): Snapshot {
  const { files, end } = world.machine.process("/w");
  const found = new Map(
    PATHS.map((path) => {
      const bytes = files.lstat(path)?.type === "file" ? readWhole(files, path) : undefined;
      return [path, bytes === undefined ? { is: "absent" } : { is: "file", content: sha256(bytes) }] as const;
    }),
  );
  end();
  return found;
}

const known = (world: DeedWorld, moment: Moment): ReadonlyMap<RegisterId, Known> =>
  world.look((state) => knownAt(state.toldRuns([]), moment));

/** The runs that gc gave up. */
const gone = (world: DeedWorld): readonly RunLine[] =>
  world.look((state) => [...state.ledger().runs.values()].filter(({ run }) => !state.runs().includes(run)));

/** Where what is told of a moment is not what really was. */
function lies(told: ReadonlyMap<RegisterId, Known>, real: Snapshot, gone: readonly RunLine[]): readonly string[] {
  const isReal = (path: string, state: State) => {
    const { is, content } = real.get(path) as { is: string; content?: string };
    return state.is === is && (content === undefined || isKeyed(String(state.content)) || state.content === content);
  };
  return PATHS.filter((path) => {
    const one = told.get(registerId({ kind: "path", key: path }));
    if (one === undefined || gone.some((line) => mayHaveSet(line, one))) return false;
    return !isReal(path, one.state) && (one.doubt === undefined || !isReal(path, one.doubt));
  });
}

/** Nobody else changes anything, and the clock goes on. */
const honest = deed.filter((one: Deed) => one.do !== "edit" && one.do !== "clock");

test("what is told of a moment is what really was then: right after each command, and still when all are done", {
  timeout: 60_000 + TRIES * 2_000,
}, async () => {
  let looked = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(honest, { minLength: 1, maxLength: 12 }), async (deeds) => {
      const world = new DeedWorld();
      const moments: { readonly at: number; readonly real: Snapshot; readonly deed: Deed }[] = [];
      for (const one of deeds) {
        await world.act(one);
        const at = world.machine.wall;
        moments.push({ at, real: snapshot(world), deed: one });
        expect(lies(known(world, { at }), snapshot(world), gone(world)), JSON.stringify(one)).toEqual([]);
      }
      for (const { at, real, deed: one } of moments) {
        const told = known(world, { at });
        looked += told.size;
        expect(lies(told, real, gone(world)), `later, of ${JSON.stringify(one)}`).toEqual([]);
      }
    }),
    { numRuns: TRIES },
  );
  expect(looked).toBeGreaterThan(100);
});

test("a run's own moment is when it last went forward, whatever was reverted later and whatever the clock said", async () => {
  const world = new DeedWorld();
  const book = (text: number) => ({ files: [text], line: false, command: "none" as const, secret: false });
  const put = (text: number) => world.act({ do: "apply", stack: "a", book: book(text), prune: false, dies: 0 });
  await put(0);
  await world.act({ do: "clock", by: -86_400_000 });
  await put(1);
  const order = world.look((state) => inTurn(state.toldRuns([]).flatMap(turnsOf)).map(({ run }) => run));
  const [first, second] = order as [(typeof order)[number], (typeof order)[number]];
  expect(first < second).toBe(true);
  const id = "path:/w/a/f0" as RegisterId;
  const content = (moment: Moment) => known(world, moment).get(id)?.state.content;
  await world.act({ do: "revert", which: 1, dies: 0, happened: false });
  expect(content({ after: first })).toBe(sha256("0"));
  expect(content({ after: second })).toBe(sha256("1"));
  expect(known(world, { at: Number.MAX_SAFE_INTEGER }).get(id)).toMatchObject({ how: "undone", state: { content: sha256("0") } });
});

test("what somebody else changed is told of the moment before, with the run that found it", async () => {
  const world = new DeedWorld();
  const book = { files: [0], line: false, command: "none" as const, secret: false };
  await world.act({ do: "apply", stack: "a", book, prune: false, dies: 0 });
  const at = world.machine.wall;
  await world.act({ do: "edit", text: 1 });
  await world.act({ do: "apply", stack: "a", book, prune: false, dies: 0 });
  const one = known(world, { at }).get("path:/w/a/f0" as RegisterId);
  expect(one).toMatchObject({ how: "set", state: { content: sha256("0") }, later: { found: { content: sha256("by hand 1") } } });
});
