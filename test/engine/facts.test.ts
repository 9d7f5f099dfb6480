import { expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { SimulatedMachine } from "../../src/system/simulated/index.ts";
import { runCommand } from "../support/in-process.ts";

const BOOK = `
setpoint: 1
name: facts
resources:
  - command: upgrade
    run: [ upgrade ]
    creates: upgraded
    undo: none
  - directory: debian-\${{ facts.os.version }}
`;

test("a fact that the plan used and that moved meanwhile is said, with exit 9", async () => {
  const machine = new SimulatedMachine(1, {
    upgrade: (_command, files) => {
      files.close(files.createNew("/w/upgraded", 0o644));
      const fd = files.openWrite("/etc/os-release");
      files.truncate(fd, 0);
      files.writeAt(fd, Buffer.from("ID=debian\nVERSION_ID=13\n"), 0);
      files.close(fd);
      return { code: 0, stdout: "", stderr: "" };
    },
  });
  const { system, end } = machine.process("/w");
  for (const folder of ["/w", "/etc"]) system.files.makeDirectory(folder, 0o755);
  for (const [path, text] of [
    ["/etc/os-release", "ID=debian\nVERSION_ID=12\n"],
    ["/etc/machine-id", "1\n"],
    ["/w/book.yaml", BOOK],
  ] as const) {
    const fd = system.files.createNew(path, 0o644);
    system.files.writeAll(fd, Buffer.from(text));
    system.files.close(fd);
  }
  const first = await runCommand(apply, system, "/w", ["book.yaml"]);
  expect(first.exit, first.out + first.err).toBe(9);
  expect(first.out + first.err).toContain("facts.os.version");
  expect(system.files.lstat("/w/debian-12")?.type).toBe("directory");
  end();
  const second = await runCommand(apply, machine.process("/w").system, "/w", ["book.yaml"]);
  expect(second.out).toContain("debian-13");
});
