import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Batch, type Story, story } from "./story.ts";

// Promises 2, 5 and 10, for random playbooks over random trees; I2, I7.

const names = ["a", "b", "c", "d/x", "d/y", "d/e/z", "with space", "ü"];
const name = fc.constantFrom(...names);
const line = fc.constantFrom("one", "two", "k=1", "k=2", "# x", "");
const text = fc
  .array(line, { maxLength: 4 })
  .chain((lines) => fc.constantFrom(lines.join("\n"), `${lines.join("\n")}\n`, lines.join("\r\n")));
const mode = fc.constantFrom("0600", "0644", "0755", "0640");

type Thing = readonly [path: string, is: "file" | "directory" | "link", content: string, mode: string];
const thing: fc.Arbitrary<Thing> = fc.tuple(name, fc.constantFrom("file", "file", "file", "directory", "link"), text, mode);

const resource = fc.oneof(
  fc.record({ file: name, content: text }),
  fc.record({ file: name, content: text, mode, replace: fc.constant(true) }),
  fc.record({ file: name, content: text, create_only: fc.constant(true) }),
  fc.record({ file: name, state: fc.constant("absent") }),
  fc.record({ directory: fc.constantFrom("d", "d/e", "new", "new/er"), mode }),
  fc.record({ directory: fc.constant("d"), exact: fc.constant(true) }),
  fc.record({ line: name, text: fc.constantFrom("one", "two", "k=3"), create: fc.boolean() }),
  fc.record({ line: name, match: fc.constant("^k="), text: fc.constant("k=9"), create: fc.constant(true) }),
  fc.record({ line: name, match: fc.constant("one"), state: fc.constant("absent") }),
  fc.record({ block: name, text, create: fc.constant(true) }),
  fc.record({ link: name, to: fc.constantFrom("a", "nowhere"), replace: fc.boolean() }),
  fc.record({ config: name, format: fc.constant("env"), set: fc.constant({ K: "v" }), create: fc.constant(true) }),
  fc.record({ replace: name, pattern: fc.constant("two"), with: fc.constant("2") }),
);

function build(at: Story, things: readonly Thing[]): void {
  for (const child of readdirSync(at.tree)) rmSync(join(at.tree, child), { recursive: true });
  for (const [path, is, content, bits] of things) {
    try {
      mkdirSync(dirname(join(at.tree, path)), { recursive: true });
      if (is === "directory") mkdirSync(join(at.tree, path));
      else if (is === "link") symlinkSync("a", join(at.tree, path));
      else {
        writeFileSync(join(at.tree, path), content, { flag: "wx" });
        chmodSync(join(at.tree, path), Number.parseInt(bits, 8));
      }
    } catch (thrown) {
      // Something else of this tree stands there already, which is as good.
      if (!/EEXIST|ENOTDIR/.test(String(thrown))) throw thrown;
    }
  }
}

async function check(at: Story, batch: Batch, things: readonly Thing[], resources: readonly object[]): Promise<"applied" | "refused"> {
  build(at, things);
  rmSync(at.state, { recursive: true, force: true });
  const book = join(at.book, "site.yaml");
  writeFileSync(book, JSON.stringify({ setpoint: 1, name: "site", resources }));
  const start = at.snapshot({ times: true });
  const untimed = at.snapshot();

  const plans = [join(at.folder, "1.plan"), join(at.folder, "2.plan")] as const;
  const planned = await batch.run("plan", book, "-o", plans[0], "--json");
  expect(at.snapshot({ times: true })).toEqual(start);
  if (planned.exit === 3) {
    expect((await batch.run("apply", book, "--yes")).exit).toBe(3);
    expect(at.snapshot({ times: true })).toEqual(start);
    return "refused";
  }
  if (planned.exit !== 0 && planned.exit !== 2) throw new Error(`plan: exit ${planned.exit}\n${planned.all}`);
  await batch.run("plan", book, "-o", plans[1]);
  expect(at.bytesOf(plans[1]).equals(at.bytesOf(plans[0]))).toBe(true);

  const applied = await batch.run("apply", book, "--yes", "--json");
  if (applied.exit !== 0) throw new Error(`apply: exit ${applied.exit}\n${applied.all}`);
  const after = at.snapshot({ times: true });
  const again = await batch.run("apply", book, "--yes", "--json");
  expect([again.exit, again.json().summary.changed, again.json().status]).toEqual([0, 0, "in-sync"]);
  expect(at.snapshot({ times: true })).toEqual(after);

  if (planned.exit === 0) return "applied";
  const { run } = applied.json();
  for (const word of ["first", "second"]) {
    const reverted = await batch.run("revert", run, "--yes", "--json");
    expect([word, reverted.exit, reverted.json().status]).toEqual([word, 0, "reverted"]);
    expect([word, at.snapshot()]).toEqual([word, untimed]);
  }
  const once = await batch.run("plan", book, "--json");
  expect(once.json().changes).toHaveLength(planned.json().changes.length);
  return "applied";
}

test("apply; apply = apply, revert gives the tree back, revert; revert = revert, and the plan is the same byte for byte", {
  timeout: 600_000,
}, async () => {
  const at = story();
  const batch = at.batch();
  const seen = { applied: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(thing, { maxLength: 6 }), fc.array(resource, { minLength: 1, maxLength: 5 }), async (things, resources) => {
      seen[await check(at, batch, things, resources)] += 1;
    }),
    { numRuns: Number(process.env.SETPOINT_RUNS ?? 25), endOnFailure: false },
  );
  // A generator of which nothing is ever applied would prove nothing.
  expect(seen.applied).toBeGreaterThan(seen.refused / 10);
});
