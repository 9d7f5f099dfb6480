import {
  type BrokerSession,
  type Finding,
  isObject,
  type JsonObject,
  type KeyedMessage,
  type PlaceData,
  type Sought,
} from "../../core/index.ts";
import { openRedis, type RedisLink, type RedisReply } from "./redis-link.ts";

/** For how long a stream knows a key again, in ms: a week. */
const WINDOW = 7 * 86_400_000;
const WINDOW_USED = 0.9;
const PAGE = 1000;

/** In one step: a message that was added under the key is not added again. Beside the stream stands the key with the message's id. */
const ADD = `
local seen = redis.call('GET', KEYS[2])
if seen then return { seen, 1 } end
local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
redis.call('SET', KEYS[2], id, 'PX', ARGV[1])
return { id, 0 }`;

/** Redis streams: one entry a message, with the fields `body`, `sp-key` and one for each header. */
export async function openRedisStreams(place: PlaceData): Promise<BrokerSession> {
  return new RedisStreams(await openRedis(place));
}

class RedisStreams implements BrokerSession {
  private readonly link: RedisLink;

  constructor(link: RedisLink) {
    this.link = link;
  }

  async mark({ to }: KeyedMessage): Promise<JsonObject> {
    const info = await this.info(to);
    return { last: info === undefined ? "0-0" : String(info["last-generated-id"]) };
  }

  async publish({ to, body, headers, key }: KeyedMessage): Promise<JsonObject> {
    const entry = ["body", body, "sp-key", key, ...Object.entries(headers).flat()];
    const reply = await this.link.call(`adding to ${to}`, true, "EVAL", ADD, "2", to, keyName(to, key), String(WINDOW), ...entry);
    const [id, duplicate] = reply as readonly [Buffer, number];
    return { id: id.toString(), duplicate: duplicate === 1 };
  }

  async find({ to, key }: KeyedMessage, { age, mark }: Sought): Promise<Finding> {
    if (age >= 0 && age <= WINDOW * WINDOW_USED) return "again";
    if (mark === undefined) return "unknown";
    let from = `(${String(mark.last)}`;
    for (;;) {
      const page = (await this.link.call(
        `looking through ${to}`,
        false,
        "XRANGE",
        to,
        from,
        "+",
        "COUNT",
        String(PAGE),
      )) as readonly RedisReply[];
      for (const entry of page) {
        const [id, fields] = entry as readonly [Buffer, readonly Buffer[]];
        from = `(${id.toString()}`;
        if (fields.some((name, at) => at % 2 === 0 && name.toString() === "sp-key" && fields[at + 1]?.toString() === key)) return "there";
      }
      if (page.length < PAGE) break;
    }
    const info = await this.info(to);
    // Of what was deleted behind the mark, or with the whole stream, nothing is left to be found.
    return info !== undefined && isBefore(String(info["max-deleted-entry-id"]), String(mark.last)) ? "not" : "unknown";
  }

  close(): Promise<void> {
    return this.link.close();
  }

  /** Undefined where there is no stream yet. */
  private async info(stream: string): Promise<JsonObject | undefined> {
    const exists = await this.link.call(`asking for ${stream}`, false, "EXISTS", stream);
    if (exists === 0) return undefined;
    const reply = (await this.link.call(`asking about ${stream}`, false, "XINFO", "STREAM", stream)) as readonly RedisReply[];
    const pairs = reply.flatMap((name, at) => (at % 2 === 0 ? [[String(name), String(reply[at + 1])] as const] : []));
    const info: JsonObject = Object.fromEntries(pairs);
    return isObject(info) ? info : undefined;
  }
}

/** In a cluster both keys must have one hash slot, which is that of what stands in braces. */
function keyName(stream: string, key: string): string {
  return `${stream.includes("{") ? stream : `{${stream}}`}:setpoint:${key}`;
}

/** Whether an entry's id is not behind another's; `undefined` is of servers before 7.0, which do not tell. */
function isBefore(id: string, other: string): boolean {
  const [ms, serial] = id.split("-").map(Number);
  const [otherMs, otherSerial] = other.split("-").map(Number);
  if (ms === undefined || serial === undefined || otherMs === undefined || otherSerial === undefined) return false;
  return ms < otherMs || (ms === otherMs && serial <= otherSerial);
}
