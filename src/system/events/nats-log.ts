import type { JetStreamManager, JsMsg, NatsConnection, NatsError, StreamInfo } from "nats";
import {
  type Arrived,
  type EventLog,
  type EventPlace,
  type Heard,
  isObject,
  type PlaceData,
  type StackEvent,
  type System,
  type SystemFault,
} from "../../core/index.ts";
import { placeFault, timeoutOf } from "../network/place.ts";
import { connectNats, managerOf, type Nats, WRONG_LAST_SEQUENCE } from "../network/real-broker-nats.ts";
import { Bell } from "./bell.ts";
import { stackEventIn } from "./file-log.ts";
import { placeOf, placeText, readingOn } from "./place-in-log.ts";

type Place = EventPlace & { readonly kind: "nats" };

const TIMEOUT = 10_000;
/** A told listener looks again only in case that a message was announced before the stream had it. */
const INTERVAL = 5_000;
/** Where the account may not subscribe nobody tells. */
const UNTOLD_INTERVAL = 500;
const BATCH = 500;
const STREAM_NOT_FOUND = 10059;
const STREAM_NAME_IN_USE = 10058;

/** Opens, or makes when something is first put into it, a log that is a subject of a stream. Throws SystemFault. */
export async function openNatsLog({ clock }: System, place: Place): Promise<EventLog> {
  const server: PlaceData = { url: place.server, auth: place.login, timeout: TIMEOUT };
  const { nats, connection } = await connectNats(server);
  try {
    return new NatsLog({ nats, connection, server, place, manager: await managerOf(nats, connection, server), bell: new Bell(clock) });
  } catch (thrown) {
    await connection.close();
    throw thrown;
  }
}

interface Parts {
  readonly nats: Nats;
  readonly connection: NatsConnection;
  readonly server: PlaceData;
  readonly place: Place;
  readonly manager: JetStreamManager;
  readonly bell: Bell;
}

/**
 * A stream in which each event has a subject of its own, `subject.ID`. So the server itself refuses a second copy, also when
 * its window of duplicates has ended long ago, and nobody need look before an event is sent again.
 */
class NatsLog implements EventLog {
  private readonly parts: Parts;
  private readonly subjects: string;
  private isTold = true;

  constructor(parts: Parts) {
    const { connection, bell, place } = parts;
    this.parts = parts;
    this.subjects = `${place.subject}.>`;
    connection.subscribe(this.subjects, {
      callback: (refused) => {
        if (refused !== null) this.isTold = false;
        bell.ring();
      },
    });
    // That a connection broke is found out by who looks next.
    void connection.closed().then(bell.ring);
  }

  get interval(): number {
    return this.isTold ? INTERVAL : UNTOLD_INTERVAL;
  }

  async append(events: readonly StackEvent[]): Promise<void> {
    if (events.length === 0) return;
    await this.makeReady();
    for (const event of events) await this.put(event);
  }

  async read(from: string | undefined): Promise<Heard> {
    const { bell, place } = this.parts;
    bell.still();
    const seen = placeOf(from);
    const stream = await this.stream();
    if (stream === undefined && seen === undefined) return { arrived: [], end: undefined };
    if (stream === undefined) throw this.fault("reading", "the stream was read before and is not there any more");
    const log = stream.created;
    const { behind, lost } = readingOn(place.name, { log, last: stream.state.last_seq }, seen);
    const messages = stream.state.last_seq > behind ? await this.messages(behind + 1) : [];
    // Looked at afterwards: what was dropped while it was being read may not have been read.
    const first = (messages.length === 0 ? stream : ((await this.stream()) ?? stream)).state.first_seq;
    const last = Math.max(stream.state.last_seq, messages.at(-1)?.seq ?? 0);
    return {
      arrived: messages.flatMap((message) => arrivedIn(message, log)),
      end: placeText({ log, last }),
      ...(lost !== undefined
        ? { lost }
        : first > behind + 1 && {
            lost: `${place.name}: the stream dropped what stood in it from ${behind + 1} to ${first - 1}, and events that were never read may have been among that`,
          }),
    };
  }

  wait(ms: number): Promise<boolean> {
    return this.parts.bell.wait(ms);
  }

  async close(): Promise<void> {
    await this.parts.connection.close();
  }

  /** Puts one event into the stream, if it is not there. */
  private async put(event: StackEvent): Promise<void> {
    const { connection, server, place } = this.parts;
    try {
      await connection.jetstream().publish(`${place.subject}.${event.id}`, JSON.stringify(event), {
        msgID: event.id,
        timeout: timeoutOf(server),
        expect: { lastSubjectSequence: 0, streamName: place.stream },
      });
    } catch (thrown) {
      const { api_error } = thrown as NatsError;
      if (api_error?.err_code === WRONG_LAST_SEQUENCE) return;
      if (api_error) throw placeFault(server, `appending to ${place.name}`, thrown, { retry: api_error.code >= 500 });
      throw placeFault(server, `appending to ${place.name}`, thrown, { mutated: "maybe" });
    }
  }

  /** All messages of the log from a sequence on. */
  private async messages(from: number): Promise<readonly JsMsg[]> {
    const { nats, connection, manager, server, place } = this.parts;
    const messages: JsMsg[] = [];
    try {
      const { name, num_pending } = await manager.consumers.add(place.stream, {
        ack_policy: nats.AckPolicy.None,
        deliver_policy: nats.DeliverPolicy.StartSequence,
        opt_start_seq: from,
        filter_subject: this.subjects,
        inactive_threshold: nats.nanos(2 * TIMEOUT),
        mem_storage: true,
        num_replicas: 1,
      });
      const consumer = await connection.jetstream().consumers.get(place.stream, name);
      while (messages.length < num_pending) {
        const before = messages.length;
        const batch = await consumer.fetch({ max_messages: Math.min(BATCH, num_pending - before), expires: timeoutOf(server) });
        for await (const message of batch) {
          messages.push(message);
          if (message.info.deliverySequence !== messages.length) throw new Error("a message was lost on the way");
        }
        if (messages.length === before) throw new Error("the stream stopped answering");
      }
      await consumer.delete();
      return messages;
    } catch (thrown) {
      throw placeFault(server, `reading ${place.name}`, thrown);
    }
  }

  /** Undefined where there is none. */
  private async stream(): Promise<StreamInfo | undefined> {
    const { manager, server, place } = this.parts;
    let stream: StreamInfo;
    try {
      stream = await manager.streams.info(place.stream);
    } catch (thrown) {
      if ((thrown as NatsError).api_error?.err_code === STREAM_NOT_FOUND) return undefined;
      throw placeFault(server, `asking about the stream ${place.stream}`, thrown);
    }
    const { retention } = stream.config;
    if (retention !== "limits")
      throw this.fault(
        "reading",
        `its retention is ${retention}, so that who reads an event takes it from the others: it must be limits`,
        false,
      );
    return stream;
  }

  /** Sees to it that the stream is there and takes the events: whom no stream takes from, nobody answers, and nobody says so. */
  private async makeReady(): Promise<void> {
    const { place } = this.parts;
    let taker = await this.taker();
    if (taker === undefined) {
      if ((await this.stream()) === undefined) await this.make();
      // Asked again, as another stack may have made it since.
      taker = await this.taker();
    }
    if (taker === undefined) throw this.fault("appending to", `the stream does not take ${this.subjects}: add that to its subjects`, false);
    if (taker !== place.stream) throw this.fault("appending to", `the stream ${taker} takes ${this.subjects}: name that one`, false);
  }

  private async make(): Promise<void> {
    const { nats, manager, server, place } = this.parts;
    try {
      await manager.streams.add({
        name: place.stream,
        subjects: [this.subjects],
        storage: nats.StorageType.File,
        // Should somebody limit it one day, an append is refused and waits; nothing is dropped unread.
        discard: nats.DiscardPolicy.New,
        deny_delete: true,
      });
    } catch (thrown) {
      const { api_error } = thrown as NatsError;
      // Another stack was first.
      if (api_error?.err_code === STREAM_NAME_IN_USE) return;
      const doing = `making the stream ${place.stream} with the subject ${this.subjects}`;
      throw placeFault(server, doing, thrown, { retry: api_error === undefined || api_error.code >= 500 });
    }
  }

  /** The stream that takes the events; undefined where none does. */
  private async taker(): Promise<string | undefined> {
    const { manager, server, place } = this.parts;
    try {
      return await manager.streams.find(`${place.subject}.id`);
    } catch (thrown) {
      if (/no stream matches/i.test((thrown as Error).message)) return undefined;
      throw placeFault(server, `asking for the stream of ${this.subjects}`, thrown);
    }
  }

  private fault(doing: string, why: string, retry = true): SystemFault {
    return placeFault(this.parts.server, `${doing} ${this.parts.place.name}`, why, { retry, code: "event-log" });
  }
}

function arrivedIn(message: JsMsg, log: string): readonly Arrived[] {
  const event = stackEventOf(message);
  return event === undefined ? [] : [{ event, next: placeText({ log, last: message.seq }) }];
}

function stackEventOf(message: JsMsg): StackEvent | undefined {
  try {
    const value: unknown = message.json();
    return isObject(value) ? stackEventIn(value) : undefined;
  } catch {
    return undefined; // somebody else put it there: none of ours
  }
}
