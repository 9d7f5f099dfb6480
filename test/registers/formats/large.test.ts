import { expect, test } from "vitest";
import { type Edit, loadFormat } from "../../../src/registers/formats/index.ts";

const count = 20_000;

/** The milliseconds of processor time that a function takes; the clock would count what other programs take, too. */
function cost(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

test("a thousand edits of a JSON text of a megabyte take well under a second", async () => {
  const json = await loadFormat("json");
  const text = `${JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`key${i}`, { name: `entry number ${i}`, value: i }])), null, 2)}\n`;
  expect(text.length).toBeGreaterThan(1_000_000);
  const edits: Edit[] = Array.from(
    { length: 1000 },
    (_, i) => [{ set: [`key${i * 7}`, "value"], value: -1 }, { set: [`new${i}`], value: i }, { unset: [`key${i * 3 + 10_000}`] }] as const,
  ).flat();
  let after = "";
  const took = cost(() => {
    after = json.edit(text, edits);
  });
  expect(json.get(after, ["key7", "value"])).toBe(-1);
  expect(json.edit(after, edits)).toBe(after);
  expect(took).toBeLessThan(1000);
});

test.each(["ini", "env", "properties"] as const)("many edits of a long %s text are not quadratic", async (name) => {
  const format = await loadFormat(name);
  const text = Array.from({ length: count }, (_, i) => `key${i}=value ${i}\n`).join("");
  const edits: Edit[] = Array.from(
    { length: 200 },
    (_, i) =>
      [
        { set: [`key${i * 7}`], value: "other" },
        { set: [`new${i}`], value: i },
      ] as const,
  ).flat();
  let after = "";
  const took = cost(() => {
    after = format.edit(text, edits);
  });
  expect(took).toBeLessThan(1500);
  expect(format.edit(after, edits)).toBe(after);
});
