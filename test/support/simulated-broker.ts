import type { BrokerSession, Finding, KeyedMessage, Sought } from "../../src/core/index.ts";

/** How a broker helps who does not know whether a message arrived: it drops a second one, it can be looked through, or neither. */
export type BrokerSort = "dedupes" | "searchable" | "deaf";

/** ms for which it knows a key, as JetStream's `duplicate_window`. */
const WINDOW = 24 * 3_600_000;

/** A broker that outlives whoever is connected. */
export class SimulatedBroker {
  readonly messages: (KeyedMessage & { readonly at: number })[] = [];
  private readonly sort: BrokerSort;
  private readonly now: () => number;

  /** @param now the broker's clock, in ms */
  constructor(sort: BrokerSort, now: () => number) {
    this.sort = sort;
    this.now = now;
  }

  open(): BrokerSession {
    return {
      mark: async () => (this.sort === "searchable" ? { end: this.messages.length } : undefined),
      publish: async (message) => {
        const duplicate = this.sort === "dedupes" && this.messages.some(({ key, at }) => key === message.key && this.now() - at < WINDOW);
        if (!duplicate) this.messages.push({ ...message, at: this.now() });
        return { sequence: this.messages.length, duplicate };
      },
      find: async (message, sought) => this.find(message, sought),
      close: async () => undefined,
    };
  }

  private find({ key }: KeyedMessage, { age, mark }: Sought): Finding {
    switch (this.sort) {
      case "dedupes":
        return age >= 0 && age <= WINDOW * 0.9 ? "again" : "unknown";
      case "searchable":
        return this.messages.slice(Number(mark?.end ?? 0)).some((one) => one.key === key) ? "there" : "not";
      case "deaf":
        return "unknown";
    }
  }
}
