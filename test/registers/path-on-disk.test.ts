import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Manner, Register } from "../../src/core/index.ts";
import { type PathState, path, pathRegister } from "../../src/registers/index.ts";
import { CommitGroup, ContentStore, Directories, Remotes, readWhole, realSystem, SystemReader } from "../../src/system/index.ts";
import { matches } from "../resources/fold.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "setpoint-path-")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const system = realSystem();
const contents = new ContentStore((from) => readWhole(system.files, from));
const remotes = new Remotes({ system, breakers: [], stopped: () => false });
let reader = freshReader();
const owned = userInfo().uid === 0 ? { owner: reader.ownerName("1"), group: reader.groupName("1") } : {};
const [a, b] = [contents.put("a\n"), contents.put("b\n")];

const samples: readonly PathState[] = [
  { is: "absent" },
  { is: "file", content: a, mode: "0644" },
  { is: "file", content: b, mode: "4755", ...owned },
  { is: "file", content: a, mode: "0600" },
  { is: "directory", mode: "0755" },
  { is: "directory", mode: "2770", ...owned },
  { is: "symlink", to: "elsewhere" },
  { is: "symlink", to: "/nowhere" },
];

function freshReader(): SystemReader {
  return new SystemReader(system, contents, { receipt: () => undefined, hidden: [], mayAsk: false, remote: remotes });
}

/** Reads as a new process would, which remembers no earlier look. */
function read(register: Register): PathState {
  reader = freshReader();
  return (path.read([register], reader) as readonly PathState[])[0] as PathState;
}

let action = 0;

async function set(register: Register, from: PathState, to: PathState, manner: Manner): Promise<void> {
  action += 1;
  const parts = { system, contents, accounts: reader.accounts, directories: new Directories(system), tempPrefix: ".tmp-" };
  const group = new CommitGroup({
    ...parts,
    remotes,
    keep: (digest) => void contents.put(contents.bytes(digest)),
    keepContent: () => undefined,
    lastStat: (one) => reader.lastStat(one),
    live: () => -1,
    warn: () => undefined,
  });
  const standing = from.is === "file" && from.content !== undefined ? { standing: from.content } : {};
  const prepared = [];
  for (const operation of path.transition(register, from, to, manner))
    prepared.push(await group.prepare(operation, { action, attempt: 1, run: "run", manner, back: true, ...standing }));
  await group.syncBefore();
  for (const one of prepared) await one.commit();
  await group.syncAfter();
}

describe.each<[string, Manner]>([
  ["", { replace: true }],
  [", in place", { replace: true, write: "in-place" }],
])("between any two states of a real path%s", (_name, manner) => {
  const pairs = samples.flatMap((from, i) => samples.map((to, j) => [i, j, from, to] as const));
  test.each(pairs)("from %i to %i and back", async (i, j, from, to) => {
    const register = pathRegister(join(folder, `${manner.write ?? "atomic"}-${i}-${j}`));
    await set(register, { is: "absent" }, from, manner);
    const before = read(register);
    expect(matches(before, from)).toBe(true);
    await set(register, before, to, manner);
    const after = read(register);
    expect(matches(after, to)).toBe(true);
    expect(path.transition(register, after, to, manner)).toEqual([]);
    await set(register, after, before, manner);
    expect(read(register)).toEqual(before);
  });
});

test("a second name is made of a real file and taken back", async () => {
  const file = join(folder, "original");
  writeFileSync(file, "a\n");
  chmodSync(file, 0o644);
  const register = pathRegister(join(folder, "second"), file);
  for (const from of [{ is: "absent" }, { is: "file", content: b, mode: "0600" }] as const) {
    await set(register, read(register), from, { replace: true });
    const before = read(register);
    await set(register, before, { is: "file", hardLinkOf: file }, { replace: true });
    expect(read(register)).toMatchObject({ is: "file", content: a, links: 2, hardLinkOf: file });
    await set(register, read(register), before, { replace: true });
    expect(read(register)).toEqual(before);
    expect(read(pathRegister(file))).toMatchObject({ content: a, mode: "0644" });
  }
});

test("hardlinks: break leaves the other name as it was", async () => {
  const [one, other] = [pathRegister(join(folder, "one")), pathRegister(join(folder, "two"), join(folder, "one"))];
  await set(one, { is: "absent" }, { is: "file", content: a, mode: "0644" }, {});
  await set(other, { is: "absent" }, { is: "file", hardLinkOf: one.key }, {});
  await set(one, read(one), { is: "file", content: b, mode: "0600" }, { hardlinks: "break" });
  expect(read(one)).toMatchObject({ content: b, mode: "0600" });
  expect(read(other)).toMatchObject({ content: a, mode: "0644", hardLinkOf: "none" });
});
