import { createHmac, randomBytes } from "node:crypto";
import type { PlaceData, StoredValue, StoreSession } from "../../core/index.ts";
import { placeFault } from "./place.ts";
import { openRedis, type RedisLink, type RedisReply, refusal } from "./redis-link.ts";

/** Nobody can guess a value from its fingerprint, and it means nothing to another process. */
const FINGERPRINT_KEY = randomBytes(32);

/** Redis: keys have no revision there, so it is the value's fingerprint, compared while the key is watched. */
export async function openRedisStore(place: PlaceData): Promise<StoreSession> {
  return new RedisStore(await openRedis(place), place);
}

class RedisStore implements StoreSession {
  private readonly link: RedisLink;
  private readonly place: PlaceData;
  /** WATCH belongs to the connection: one transaction at a time. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(link: RedisLink, place: PlaceData) {
    this.link = link;
    this.place = place;
  }

  async get(key: string): Promise<StoredValue | undefined> {
    const [value, left] = await Promise.all([
      this.link.call(`reading ${key}`, false, "GET", key),
      this.link.call(`reading ${key}`, false, "PTTL", key),
    ]);
    if (!Buffer.isBuffer(value)) return undefined;
    return { value, revision: fingerprint(value), ...(typeof left === "number" && left >= 0 && { ttl: left }) };
  }

  put(key: string, { value, ttl }: Omit<StoredValue, "revision">, revision: string | undefined): Promise<boolean> {
    return this.exchange(key, revision, ["SET", key, value, ...(ttl === undefined ? [] : ["PX", String(ttl)])]);
  }

  remove(key: string, revision: string): Promise<boolean> {
    return this.exchange(key, revision, ["DEL", key]);
  }

  close(): Promise<void> {
    return this.link.close();
  }

  /** Compares and sets: whoever changes the key in between makes EXEC do nothing. */
  private exchange(key: string, revision: string | undefined, words: readonly (string | Buffer)[]): Promise<boolean> {
    const run = async (): Promise<boolean> => {
      const doing = `setting ${key}`;
      await this.link.call(doing, false, "WATCH", key);
      const now = await this.link.call(doing, false, "GET", key).catch(async (thrown: unknown) => {
        await this.link.call(doing, false, "UNWATCH");
        throw thrown;
      });
      if ((Buffer.isBuffer(now) ? fingerprint(now) : undefined) !== revision) {
        await this.link.call(doing, false, "UNWATCH");
        return false;
      }
      await this.link.call(doing, false, "MULTI");
      await this.link.call(doing, false, ...words);
      const done = (await this.link.call(doing, true, "EXEC")) as readonly RedisReply[] | null;
      const [first] = done ?? [];
      if (first instanceof Error) throw refusal(this.place, doing, first);
      return done !== null;
    };
    const turn = this.last.then(run);
    this.last = turn.catch(() => undefined);
    return turn.catch((thrown: unknown) => {
      throw placeFault(this.place, `setting ${key}`, thrown);
    });
  }
}

function fingerprint(value: Buffer): string {
  return createHmac("sha256", FINGERPRINT_KEY).update(value).digest("hex");
}
