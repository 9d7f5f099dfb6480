import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { describe, expect } from "vitest";
import { tally } from "../support/figures.ts";
import { BIN, must, onMachine, type Place, run, start, textOf } from "./machine.ts";

const DEADLINE = 90_000;
const STATE = "/srv/state";

/** A machine in a container: this one's root, copied on write, without the services that it starts. */
class Machine {
  readonly root: string;
  private readonly name: string;

  constructor(place: Place) {
    this.name = `setpoint-${process.pid}`;
    const disk = place.mount("machine", "-t", "tmpfs", "-o", "mode=755", "tmpfs");
    for (const folder of ["upper", "work"]) mkdirSync(`${disk}/${folder}`);
    this.root = place.mount("machine/root", "-t", "overlay", "-o", `lowerdir=/,upperdir=${disk}/upper,workdir=${disk}/work`, "overlay");
    for (const entry of ["multi-user", "default", "timers", "sockets", "sysinit", "graphical"])
      rmSync(`${this.root}/etc/systemd/system/${entry}.target.wants`, { recursive: true, force: true });
    rmSync(`${this.root}/etc/systemd/system/default.target`, { force: true });
  }

  private argv(...more: readonly string[]): readonly string[] {
    const options = ["--keep-unit", "--register=no", "-q", "--private-network", "--link-journal=no", "--console=pipe"];
    return ["systemd-nspawn", ...options, "-M", this.name, "-D", this.root, ...more];
  }

  /** Runs a command in it; all that it started goes with it, as when the power goes. */
  run(...words: readonly string[]) {
    return run(this.argv("--as-pid2", "--", ...words));
  }

  /** Boots it until something holds, and halts it. */
  async boots(until: () => boolean): Promise<void> {
    const machine = start(this.argv("-b"));
    const gone = once(machine, "exit");
    try {
      for (const end = Date.now() + DEADLINE; !until(); await setTimeout(100)) {
        if (machine.exitCode !== null) throw new Error(`the machine ended with ${machine.exitCode}`);
        if (Date.now() > end) throw new Error("the machine did not come to it in time");
      }
    } finally {
      // The first asks for an orderly halt, the second does not wait for it.
      machine.kill("SIGTERM");
      if ((await Promise.race([gone, setTimeout(10_000, "late")])) === "late") {
        machine.kill("SIGTERM");
        if ((await Promise.race([gone, setTimeout(10_000, "late")])) === "late") machine.kill("SIGKILL");
      }
    }
  }
}

describe("the unit of confirm --print-unit", () => {
  onMachine(
    "I25: a machine that went down before its run was confirmed comes up, and the run is reverted",
    ["mount", "systemd-nspawn", "systemctl"],
    async (place) => {
      const machine = new Machine(place);
      const setpoint = (...words: readonly string[]) => machine.run(process.execPath, BIN, ...words, "--state-dir", STATE);
      mkdirSync(`${machine.root}/srv/live`, { recursive: true });
      writeFileSync(`${machine.root}/srv/live/file`, "old");
      writeFileSync(`${machine.root}/srv/book.yaml`, "setpoint: 1\nname: book\nresources:\n  - file: /srv/live/file\n    content: new\n");
      const applied = setpoint("apply", "/srv/book.yaml", "--yes", "--confirm-within", "5s");
      expect(applied.code, applied.out + applied.err).toBe(0);
      expect(textOf(`${machine.root}/srv/live/file`)).toBe("new");
      const unit = setpoint("confirm", "--print-unit");
      expect(unit.code, unit.err).toBe(0);
      writeFileSync(`${machine.root}/etc/systemd/system/setpoint-confirm.service`, unit.out);
      must("systemctl", `--root=${machine.root}`, "enable", "setpoint-confirm.service");
      await machine.boots(() => textOf(`${machine.root}/srv/live/file`) === "old");
      const after = setpoint("confirm", "--overdue");
      expect([after.code, after.out], after.err).toEqual([0, "No run is overdue.\n"]);
      tally({ invariants: ["I25"], what: "boots of a machine", count: 1 });
    },
  );
});
