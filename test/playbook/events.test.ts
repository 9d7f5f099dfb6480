import { describe, expect, test } from "vitest";
import { eventProblems, lintPlaybook, type Outline, outlinePlaybook } from "../../src/playbook/index.ts";
import { fakeTypes } from "./fake-types.ts";

async function outline(stack: string, { emits = "", on = "" }): Promise<Outline> {
  const sections = [`setpoint: 1`, `name: ${stack}`, "events: file:///log", `emits: { ${emits} }`, `on: { ${on} }`];
  const text = `${sections.join("\n")}\nresources:\n  - file: /a\n`;
  const { problems, outline: found } = await outlinePlaybook(text, `${stack}.yaml`, fakeTypes);
  expect(problems).toEqual([]);
  return found as Outline;
}

const said = (outlines: readonly Outline[]) =>
  eventProblems(outlines).map(({ code, at, detail }) => `${at?.file}:${at?.line} ${code} ${detail.split(":")[0]}`);

describe("events of several playbooks", () => {
  test("a chain of stacks has no problems", async () => {
    const chain = [
      await outline("a", { emits: "x: file:/a" }),
      await outline("b", { on: "x: '*'", emits: "y: [ 'file:*' ]" }),
      await outline("c", { on: "y: file:/a, y.failed: file:/a" }),
    ];
    expect(said(chain)).toEqual([]);
  });

  test("a circle is found once, also of one stack alone", async () => {
    const [a, b] = [await outline("a", { emits: "x: file:/a", on: "y: '*'" }), await outline("b", { emits: "y: file:/a", on: "x: '*'" })];
    expect(said([a, b])).toEqual(["a.yaml:4 event-cycle a → x → b → y → a"]);
    expect(said([await outline("a", { emits: "x: file:/a", on: "x: '*'" })])).toEqual(["a.yaml:4 event-cycle a → x → a"]);
  });

  test("undoing makes no circle", async () => {
    expect(
      said([
        await outline("a", { emits: "x: file:/a", on: "y.failed: revert" }),
        await outline("b", { emits: "y: file:/a", on: "x: '*'" }),
      ]),
    ).toEqual([]);
  });

  test("what nobody hears and what nobody sends is told, where several are given", async () => {
    const [a, b] = [await outline("a", { emits: "x: file:/a" }), await outline("b", { on: "z.failed: revert" })];
    expect(said([a, b])).toEqual([
      "a.yaml:4 event-unheard no playbook given is `on` x, which a emits",
      "b.yaml:5 event-unsent no playbook given emits z, which b waits for",
    ]);
    expect(said([a])).toEqual([]);
  });
});

describe("events of a playbook", () => {
  const head = "setpoint: 1\nname: a\n";
  const body = "resources:\n  - file: /a\n";
  test.each([
    ["emits: { x: file:/a }\n", "3:1 missing-key"],
    ["events: nowhere\n", "3:9 not-an-event-log"],
    ["events: 3\n", "3:9 not-an-event-log"],
    ["events: kafka://h/topic\n", "3:9 not-an-event-log"],
    ["events: file://srv/log\n", "3:9 not-an-event-log"],
    ["events: nats://h:4222/STREAM\n", "3:9 not-an-event-log"],
    ["events: nats://h:4222/STREAM/a.*\n", "3:9 not-an-event-log"],
    ["events: nats:///STREAM/a\n", "3:9 not-an-event-log"],
    ["events: postgresql://h\n", "3:9 not-an-event-log"],
    ["events: postgresql://h/db?table=a;b\n", "3:9 not-an-event-log"],
    ["events: file:///l\non: { x: file:/b }\n", "4:10 unknown-address"],
    ["events: file:///l\non: { x: 3 }\n", "4:10 not-an-address"],
    ["events: file:///l\nemits: [ x ]\n", "4:8 wrong-type"],
    ["events: file:///l\nemits: { x.failed: file:/a }\n", "4:10 wrong-name"],
    ["events: file:///l\nemits: { 'a b': file:/a }\n", "4:10 wrong-name"],
  ])("%j", async (events, place) => {
    const found = await lintPlaybook(head + events + body, "a.yaml", fakeTypes);
    expect(found.map(({ code, at }) => `${at?.line}:${at?.column} ${code}`)).toEqual([place]);
  });
});
