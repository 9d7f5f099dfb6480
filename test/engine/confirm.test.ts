import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/core/index.ts";
import { confirmStatus } from "../../src/engine/index.ts";
import type { Confirmation } from "../../src/journal/index.ts";

const MINUTE = 60_000;
/** Armed at wall 1,000,000 and 5,000 ms after the boot `b1`, for a minute. */
const armed: Confirmation = { within: MINUTE, at: 1_000_000, mono: 5_000, boot: "b1", acted: true };

const clock = (wall: number, mono: number, boot = "b1"): Clock => ({
  now: () => wall,
  mono: () => mono,
  bootId: () => boot,
  sleep: async () => undefined,
});

const run = (confirm: Confirmation | undefined, status = "applied", kind = "apply") =>
  ({ status, kind, ...(confirm && { confirm }) }) as Parameters<typeof confirmStatus>[0];

describe("how a run that must be confirmed stands", () => {
  test("within one boot the clock that nobody can set decides", () => {
    expect(confirmStatus(run(armed), clock(1_000_000, 5_000 + MINUTE - 1))).toMatchObject({ is: "awaits", left: 1 });
    expect(confirmStatus(run(armed), clock(1_000_000, 5_000 + MINUTE))).toEqual({ is: "overdue" });
  });

  test.each([-1, 1])("a wall clock that jumps by 10 years (%d) moves nothing in the same boot", (sign) => {
    const wall = 1_000_000 + sign * 10 * 365 * 86_400_000;
    expect(confirmStatus(run(armed), clock(wall, 6_000))).toMatchObject({
      is: "awaits",
      left: MINUTE - 1_000,
      until: wall + MINUTE - 1_000,
    });
  });

  test("after a reboot the wall clock decides", () => {
    expect(confirmStatus(run(armed), clock(1_000_000 + MINUTE - 10, 100, "b2"))).toMatchObject({ is: "awaits", left: 10 });
    expect(confirmStatus(run(armed), clock(1_000_000 + MINUTE, 100, "b2"))).toEqual({ is: "overdue" });
  });

  test("after a reboot with a clock that went back, or within one whose uptime went back, the time is over", () => {
    expect(confirmStatus(run(armed), clock(1_000_000 - 10_000, 100, "b2"))).toEqual({ is: "overdue" });
    expect(confirmStatus(run(armed), clock(1_000_000 + 10, 100, "b1"))).toEqual({ is: "overdue" });
  });

  test("where no boot can be told from another the wall clock decides", () => {
    const unknown = { ...armed, boot: "unknown" };
    expect(confirmStatus(run(unknown), clock(1_000_000 + 10, 900_000, "unknown"))).toMatchObject({ is: "awaits" });
    expect(confirmStatus(run(unknown), clock(1_000_000 - 10, 5_001, "unknown"))).toEqual({ is: "overdue" });
  });

  test("a run that began and changed nothing has nothing to revert", () => {
    const idle = { ...armed, acted: false };
    expect(confirmStatus(run(idle), clock(0, 900_000))).toEqual({ is: "none" });
    expect(confirmStatus(run(idle, "interrupted"), clock(0, 900_000))).toMatchObject({ is: "idle", left: 0 });
  });

  test.each(["applied", "halted", "interrupted", "superseded"])("%s, it is overdue once its time is over", (status) => {
    expect(confirmStatus(run(armed, status), clock(0, 900_000))).toEqual({ is: "overdue" });
  });

  test("confirmed, abandoned and reverted ones are left alone; a revert that was cut off is not", () => {
    const late = clock(0, 900_000);
    expect(confirmStatus(run({ ...armed, confirmed: 7 }), late)).toEqual({ is: "confirmed", at: 7 });
    expect(confirmStatus(run(armed, "abandoned"), late)).toEqual({ is: "none" });
    expect(confirmStatus(run(undefined), late)).toEqual({ is: "none" });
    expect(confirmStatus(run(armed, "reverted", "revert"), late)).toEqual({ is: "reverted", unconfirmed: false });
    expect(confirmStatus(run({ ...armed, unconfirmed: true }, "revert-halted", "revert"), late)).toEqual({
      is: "reverted",
      unconfirmed: true,
    });
    expect(confirmStatus(run(armed, "interrupted", "revert"), clock(0, 5_000))).toEqual({ is: "overdue" });
  });
});
