import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { Machine } from "./machine.ts";

const script = (shell: string) => new Machine().run("completion", shell).out;

/** What bash offers for a line whose last word is being typed. */
function offered(bash: string, ...words: readonly string[]): readonly string[] {
  const body = `${bash}
COMP_WORDS=(${words.map((word) => JSON.stringify(word)).join(" ")}); COMP_CWORD=${words.length - 1}
_setpoint; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["--norc", "-c", body], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout.split("\n").filter((word) => word !== "");
}

describe("completion", () => {
  test("of bash offers commands, then the options of the command, and files where a value is due", () => {
    const bash = script("bash");
    expect(offered(bash, "setpoint", "")).toEqual(expect.arrayContaining(["init", "apply", "completion", "gc"]));
    expect(offered(bash, "setpoint", "re")).toEqual(["resume", "revert", "replay"]);
    expect(offered(bash, "setpoint", "apply", "--all")).toEqual(["--allow-weak-state-dir", "--allow-irreversible"]);
    expect(offered(bash, "setpoint", "gc", "--dry")).toEqual(["--dry-run"]);
    expect(offered(bash, "setpoint", "plan", "--color", "n")).toEqual(["never"]);
    expect(offered(bash, "setpoint", "plan", "--out", "--")).toEqual([]);
    expect(offered(bash, "setpoint", "plan", "")).toEqual([]);
  });

  test.each([
    ["zsh", ["zsh", "-n"]],
    ["fish", ["fish", "--no-execute"]],
  ] as const)("of %s names every command, and the shell accepts it where there is one", (shell, [program, flag]) => {
    const text = script(shell);
    for (const name of ["init", "apply", "show", "doctor", "gc"]) expect(text).toContain(name);
    const { status, error, stderr } = spawnSync(program, [flag, "/dev/stdin"], { input: text, encoding: "utf8" });
    if (error === undefined) expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  test("of another shell is a usage error", () => {
    expect(new Machine().run("completion", "tcsh").exit).toBe(64);
  });
});

test("every command has --json and a help with examples", () => {
  const machine = new Machine();
  const names = offered(script("bash"), "setpoint", "").filter((word) => !word.startsWith("-") && word !== "help");
  expect(names).toHaveLength(24);
  for (const name of names) {
    const { exit, out } = machine.run(name, "--help");
    expect({ name, exit, json: out.includes("--json"), examples: out.includes("Examples:") }).toEqual({
      name,
      exit: 0,
      json: true,
      examples: true,
    });
  }
});
