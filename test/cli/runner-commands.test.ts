import { describe, expect, test } from "vitest";
import { Machine } from "./machine.ts";

const hosts = "::1 localhost\n::set-output name=x::y\n##[error]z\n";
const playbook = `setpoint: 1\nname: s\nresources:\n  - file: hosts\n    content: ${JSON.stringify(hosts)}\n`;

/** The lines that GitHub's runner takes for commands to it. */
function commandsIn(text: string): readonly string[] {
  return text.split("\n").filter((line) => /^\s*::|##\[/.test(line));
}

/** A playbook and a file of it that hold what a runner would take for commands. */
function hostile(): Machine {
  return new Machine().write("site.yaml", playbook).write("hosts", "::1 a\n::stop-commands::x\n");
}

describe("lines that look like commands to a CI runner", () => {
  test("are shown as they are on a terminal", () => {
    const { out } = hostile().run("plan", "site.yaml");
    expect(out).toContain("::1 localhost");
    expect(out).toContain("::set-output name=x::y");
    expect(out).not.toContain("x3a");
  });

  test("are no commands where GitHub's runner reads them", () => {
    const machine = hostile();
    for (const argv of [["plan", "site.yaml"], ["apply", "site.yaml", "--yes"], ["show"]]) {
      const { out, err } = machine.runWith({ GITHUB_ACTIONS: "true" }, ...argv);
      expect(commandsIn(out + err)).toEqual([]);
    }
    expect(machine.read("hosts")).toBe(hosts);
  });

  test("stay as they are in JSON, and our own annotations are commands", () => {
    const machine = hostile().write("bad.yaml", "setpoint: 1\nname: s\nresources:\n  - file: f\n    contnet: '::x'\n");
    const json = machine.runWith({ GITHUB_ACTIONS: "true" }, "lint", "bad.yaml", "--json").out;
    expect(json).toBe(machine.run("lint", "bad.yaml", "--json").out);
    const { out, err } = machine.runWith({ GITHUB_ACTIONS: "true" }, "lint", "bad.yaml");
    expect(commandsIn(out)).toHaveLength(1);
    expect(out).toMatch(/^::error file=bad\.yaml,line=5,/);
    expect(commandsIn(err)).toEqual([]);
  });
});
