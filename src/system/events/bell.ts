import type { Clock } from "../../core/index.ts";

/** Rings for who waits, and for who comes to wait after it rang. */
export class Bell {
  private readonly clock: Clock;
  private rang = false;
  private waiting: (() => void) | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  readonly ring = (): void => {
    this.rang = true;
    this.waiting?.();
  };

  /** What rang so far is being seen to. */
  still(): void {
    this.rang = false;
  }

  /** Waits at most so many ms; true where it rang since it was stilled. */
  async wait(ms: number): Promise<boolean> {
    if (this.rang) return true;
    const rung = new Promise<void>((wake) => {
      this.waiting = wake;
    });
    await Promise.race([rung, this.clock.sleep(ms)]);
    this.waiting = undefined;
    return this.rang;
  }
}
