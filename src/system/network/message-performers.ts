import {
  type JsonObject,
  type KeyedMessage,
  type MailOperation,
  originOf,
  type PublishOperation,
  SystemFault,
  sha256,
} from "../../core/index.ts";
import type { ActionContext, Prepared } from "../workbench.ts";
import type { Remotes } from "./remotes.ts";

/**
 * One message to a broker. Connects, and asks where the broker's log ends; may be committed again: with the same key. Whether a
 * message that was sent before is there is the engine's to find out; of one that takes another back it is asked here.
 */
export async function publish(remotes: Remotes, operation: PublishOperation, context: ActionContext): Promise<Prepared> {
  const { broker } = operation;
  const message: KeyedMessage = { ...operation.message, key: keyOf(operation.undo ? context.undoKey : context.key) };
  const origin = originOf(broker.url);
  const { clock } = remotes.system;
  const ask = (): Promise<JsonObject | undefined> => remotes.brokers.use(broker, (session) => session.mark(message));
  const mark = await remotes.peers.look(origin, ask);
  let earlier = context.sent;
  const isThere = async () =>
    operation.undo === true &&
    earlier !== undefined &&
    (await remotes.message(broker, message, { age: clock.now() - earlier.at, ...(earlier.mark && { mark: earlier.mark }) })) === "there";
  return {
    origin,
    ...(mark && { mark }),
    commit: async () => {
      if (await isThere()) return { answer: { found: true } };
      earlier ??= { at: clock.now(), ...(mark && { mark }) };
      const send = () => remotes.brokers.use(broker, (session) => session.publish(message));
      return { answer: { ...(await remotes.peers.tell(origin, send, ask)) } };
    },
    abandon: () => undefined,
  };
}

/** One mail. Nobody can be asked afterwards whether it was taken. */
export function sendMail(remotes: Remotes, { mail }: MailOperation, context: ActionContext): Prepared {
  const origin = originOf(mail.server.url);
  const id = messageId(mail.from, keyOf(context.key));
  return {
    origin,
    commit: async () => {
      const send = () => remotes.system.network.mail({ ...mail, id });
      // Asking whether a mail server is there would begin a mail: nothing is sent while its breaker is half open.
      const probe = () => Promise.resolve();
      return { answer: { ...(await remotes.peers.tell(origin, send, probe)), id } };
    },
    abandon: () => undefined,
  };
}

/** RFC 5322 §3.6.4: what stands on the right should be ours, which the sender's domain is. */
function messageId(from: string, key: string): string {
  const domain = /@([A-Za-z0-9.-]+)>?\s*$/.exec(from)?.[1] ?? `${sha256(from).slice(0, 16)}.invalid`;
  return `<${key}@${domain}>`;
}

function keyOf(key: string | undefined): string {
  if (key === undefined) throw new SystemFault("no-key", "a message without the key of an effect cannot be sent");
  return key;
}
