import type { RedisClientType } from "@redis/client";
import type { PlaceData, SystemFault } from "../../core/index.ts";
import { CONNECT_TIMEOUT, driver, loginOf, placeFault, timeoutOf, tlsOptionsOf, within } from "./place.ts";

/** What Redis answers; texts as bytes. */
export type RedisReply = Buffer | number | null | Error | readonly RedisReply[];

/** One connection to Redis, by its commands. */
export interface RedisLink {
  /** Throws SystemFault. `mutates`: whether a lost answer leaves open what was done. */
  call(doing: string, mutates: boolean, ...words: readonly (string | Buffer)[]): Promise<RedisReply>;
  close(): Promise<void>;
}

/** Connects once: what a broken connection means is for who asked. Throws SystemFault. */
export async function openRedis(place: PlaceData): Promise<RedisLink> {
  const redis = await driver<typeof import("@redis/client")>("@redis/client", "Redis");
  const { protocol, hostname, port, pathname } = new URL(place.url);
  const { user, password } = loginOf(place);
  const client = redis.createClient({
    RESP: 2,
    disableOfflineQueue: true,
    socket: {
      host: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? 6379 : Number(port),
      connectTimeout: CONNECT_TIMEOUT,
      reconnectStrategy: false,
      ...(protocol === "rediss:" && { tls: true as const, ...tlsOptionsOf(place) }),
    },
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    ...(pathname.length > 1 && { database: Number(pathname.slice(1)) }),
  }) as unknown as RedisClientType;
  client.on("error", () => undefined); // each call tells of it
  try {
    await within(place, "connecting", client.connect(), CONNECT_TIMEOUT);
  } catch (thrown) {
    client.destroy();
    throw placeFault(place, "connecting", thrown, { retry: !/WRONGPASS|NOAUTH|NOPERM/.test(String(thrown)) });
  }
  // Values need not be texts.
  const bytes = client.withTypeMapping({ [redis.RESP_TYPES.BLOB_STRING]: Buffer });
  return {
    async call(doing, mutates, ...words) {
      try {
        const answer = bytes.sendCommand(words as (string | Buffer)[]) as Promise<unknown>;
        return (await within(place, doing, answer, timeoutOf(place), mutates ? "maybe" : "no")) as RedisReply;
      } catch (thrown) {
        if (thrown instanceof redis.ErrorReply) throw refusal(place, doing, thrown);
        throw placeFault(place, doing, thrown, { mutated: mutates ? "maybe" : "no" });
      }
    },
    async close() {
      if (client.isOpen) await client.close();
    },
  };
}

/** What the server refuses it did not do; LOADING, BUSY and the like pass. */
export function refusal(place: PlaceData, doing: string, thrown: Error): SystemFault {
  const passes = /^(LOADING|BUSY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|READONLY|NOREPLICAS)\b/.test(thrown.message);
  return placeFault(place, doing, thrown, { retry: passes, counts: false });
}
