import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { Machine } from "./machine.ts";
import { faultsOf } from "./schema-faults.ts";

describe("init", () => {
  test("writes a playbook that plans, applies and is in sync then, and that its schema accepts", () => {
    const machine = new Machine();
    const { exit, out } = machine.run("init");
    expect({ exit, out }).toEqual({ exit: 0, out: expect.stringContaining("Next: setpoint plan site.yaml") });
    expect(machine.read("site.yaml").split("\n")[0]).toBe("# yaml-language-server: $schema=./setpoint.schema.json");
    expect(machine.run("lint", "site.yaml")).toMatchObject({ exit: 0, err: "" });
    expect(machine.run("plan", "site.yaml").exit).toBe(2);
    expect(machine.run("apply", "site.yaml", "--yes").exit).toBe(0);
    expect(machine.run("plan", "site.yaml").exit).toBe(0);
    expect(machine.read("demo/app.ini")).toContain("workers = 2");
    expect(faultsOf(JSON.parse(machine.read("setpoint.schema.json")), parse(machine.read("site.yaml")))).toEqual([]);
  });

  test("overwrites nothing", () => {
    const machine = new Machine().write("site.yaml", "mine");
    const { exit, err } = machine.run("init");
    expect({ exit, err }).toEqual({ exit: 1, err: expect.stringContaining("is not overwritten") });
    expect(machine.read("site.yaml")).toBe("mine");
    expect(machine.list(".")).toEqual(["site.yaml"]);
  });

  test("leaves a schema that is there, and names the stack after the file", () => {
    const machine = new Machine().write("setpoint.schema.json", "{}");
    expect(machine.json(["init", "my web.yaml"])).toMatchObject({ format: 1, created: [join(machine.folder, "my web.yaml")] });
    expect(machine.read("setpoint.schema.json")).toBe("{}");
    expect(machine.read("my web.yaml")).toContain("\nname: my-web\n");
  });

  test("gives its files the mode that the umask leaves", () => {
    const machine = new Machine();
    machine.run("init");
    expect(statSync(join(machine.folder, "site.yaml")).mode & 0o777).toBe(0o666 & ~process.umask());
  });
});

describe("lint", () => {
  const bad = "setpoint: 1\nname: x\nresources:\n  - fil: /a\n  - file: /b\n    mode: 0644\n";

  test("finds all problems at once, exits 3, and looks at nothing", () => {
    const machine = new Machine().write("x.yaml", bad);
    const { exit, problems } = machine.json(["lint", "x.yaml"], 3);
    expect(exit).toBe(3);
    expect(problems.map(({ code }) => code)).toEqual(["unknown-type", expect.any(String)]);
    expect(machine.list(".")).toEqual(["x.yaml"]);
  });

  test("says what a type has against a resource", () => {
    const machine = new Machine().write("x.yaml", "setpoint: 1\nname: x\nresources:\n  - file: a\n  - command: go\n    run: [ 'true' ]\n");
    expect(machine.json(["lint", "x.yaml"], 3).problems).toMatchObject([{ code: "unguarded-command", at: { file: "x.yaml", line: 5 } }]);
  });

  test("needs no value of an input", () => {
    const machine = new Machine().write(
      "x.yaml",
      "setpoint: 1\nname: x\ninputs:\n  a: { type: string }\nresources:\n  - file: /tmp/${{ inputs.a }}\n",
    );
    expect(machine.run("lint", "x.yaml")).toMatchObject({ exit: 0, out: "x.yaml holds\n" });
  });

  test("annotates under GitHub's runner", () => {
    const machine = new Machine().write("x.yaml", bad);
    expect(machine.runWith({ GITHUB_ACTIONS: "true" }, "lint", "x.yaml").out).toMatch(/^::error file=x\.yaml,line=4,col=5,title=/);
  });

  test("without a playbook says what to give", () => {
    expect(new Machine().run("lint")).toMatchObject({ exit: 64, err: expect.stringContaining("setpoint lint site.yaml") });
  });

  test("a missing playbook is a usage error that names it", () => {
    expect(new Machine().run("lint", "no.yaml")).toMatchObject({ exit: 64, err: expect.stringContaining("no.yaml") });
  });
});

describe("schema", () => {
  test("of a plan accepts what plan and verify print", () => {
    const machine = new Machine();
    machine.run("init");
    const schema = machine.json(["schema", "plan"]);
    expect(faultsOf(schema, machine.json(["plan", "site.yaml"], 2))).toEqual([]);
    expect(faultsOf(schema, machine.json(["verify", "site.yaml"], 2))).toEqual([]);
    expect(faultsOf(schema, { format: 2 })).not.toEqual([]);
  });

  test("of a run accepts what apply and revert print", () => {
    const machine = new Machine();
    machine.run("init");
    const schema = machine.json(["schema", "run"]);
    expect(faultsOf(schema, machine.json(["apply", "site.yaml", "--yes"]))).toEqual([]);
    expect(faultsOf(schema, machine.json(["apply", "site.yaml", "--yes"]))).toEqual([]);
    expect(faultsOf(schema, machine.json(["revert"]))).toEqual([]);
  });

  test("of types names every type with its fields", () => {
    const { types } = new Machine().json(["schema", "types"]) as unknown as { types: { type: string; fields: { properties: object } }[] };
    expect(types.map(({ type }) => type)).toContain("file");
    expect(types.find(({ type }) => type === "file")?.fields.properties).toHaveProperty("mode");
  });

  test("of something else is a usage error", () => {
    expect(new Machine().run("schema", "plans").exit).toBe(64);
  });
});

test("facts are named as expressions name them", () => {
  const machine = new Machine();
  expect(machine.run("facts").out).toMatch(/^facts\.os\.id = "/);
  expect(machine.json(["facts"])).toHaveProperty("os.family");
});
