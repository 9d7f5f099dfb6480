import { readdirSync, readFileSync } from "node:fs";
import { describe, expect } from "vitest";
import { BIN, must, onMachine, type Place, run, textOf } from "./machine.ts";

/** Ends what waits for the runs of a place, as a reboot does. */
function endReverters(place: Place): void {
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const words = textOf(`/proc/${name}/cmdline`)?.split("\0") ?? [];
    if (words.includes("--overdue") && words.includes(place.state)) process.kill(Number(name), "SIGKILL");
  }
}

/** The command line of a unit whose words need no quotes. */
function startOf(unit: string): readonly string[] {
  const line = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? "";
  expect(line).not.toMatch(/["\\]/);
  return line.split(" ");
}

describe("the unit of confirm --print-unit", () => {
  onMachine("is one that systemd takes, also with an odd state directory", ["systemd-analyze"], (place) => {
    for (const state of [place.state, place.at("odd %n $HOME 'dir'")]) {
      const unit = must(process.execPath, BIN, "confirm", "--print-unit", "--state-dir", state);
      place.write("setpoint-confirm.service", unit);
      const { code, out, err } = run(["systemd-analyze", "verify", place.at("setpoint-confirm.service")]);
      // It speaks of other units of the machine, too.
      expect(`${out}${err}`.split("\n").filter((line) => line.includes("setpoint-confirm"))).toEqual([]);
      expect(code).toBe(0);
      if (state !== place.state) expect(unit).toMatch(/^ExecStart=.* "[^"]*\/odd %%n \$\$HOME 'dir'"$/m);
    }
  });

  onMachine("started at boot it reverts what is overdue, waits for the rest, and ends", [], (place) => {
    place.write("live/one", "old");
    place.write("live/two", "old");
    // So long that no reverter comes to it before it is ended.
    for (const [stack, within] of [
      ["one", "7s"],
      ["two", "9s"],
    ] as const) {
      const book = place.write(
        `${stack}.yaml`,
        `setpoint: 1\nname: ${stack}\nresources:\n  - file: ${place.at(`live/${stack}`)}\n    content: new\n`,
      );
      expect(place.apply(book, { more: ["--confirm-within", within] })).toMatchObject({ code: 0 });
      endReverters(place);
    }
    const unit = must(process.execPath, BIN, "confirm", "--print-unit", "--state-dir", place.state);
    const { code, out } = run(startOf(unit), { cwd: "/" });
    expect({ code, said: out.match(/was not confirmed in time/g) }).toEqual({
      code: 0,
      said: expect.arrayContaining(["was not confirmed in time"]),
    });
    expect([readFileSync(place.at("live/one"), "utf8"), readFileSync(place.at("live/two"), "utf8")]).toEqual(["old", "old"]);
    expect(run(startOf(unit), { cwd: "/" })).toMatchObject({ code: 0, out: "No run is overdue.\n" });
  });
});
