import { type HttpOperation, isObject, type Json, originOf, partAt, type RequestData, SystemFault, withTexts } from "../../core/index.ts";
import type { ActionContext, Prepared } from "../workbench.ts";
import { sendHttp } from "./http-performer.ts";
import type { Remotes } from "./remotes.ts";

/** A request that only prepares, and what ends it. */
export type TryOperation = HttpOperation & Required<Pick<HttpOperation, "ends">>;

/** What is kept of the answer to a Try. */
type TryAnswer = Json;

/** Of a Try's end, the answers that say that the other side does not have it any more as we left it. */
const GONE: ReadonlySet<string> = new Set(["HTTP 404", "HTTP 410", "precondition"]);
/** Of a Try, the refusals that say nothing of an earlier one under the same key. */
const NO_WORD: ReadonlySet<string> = new Set(["401", "403", "407", "408", "421", "423", "425", "429"].map((status) => `HTTP ${status}`));
const MARK = /\{(key|location|answer(?:\.[\w-]+)+)\}/g;

/**
 * One participant of a two-phase transaction that speaks Try-Confirm/Cancel. Its Try is its vote, under the participant's key;
 * sent again under that key it gives the same answer, and neither Confirm nor Cancel does anything twice.
 */
export function prepareHttp(remotes: Remotes, operation: TryOperation, context: ActionContext): Prepared {
  let mayStand = false;
  let answer: TryAnswer | undefined;
  return {
    origin: originOf(operation.request.url),
    async vote() {
      const fails = (failure: SystemFault) => {
        mayStand ||= failure.mutated === "maybe";
      };
      answer = await insist(remotes, () => sendTry(remotes, operation, context), fails);
      mayStand = true;
      // What could not be ended must not be decided on.
      for (const decision of ["commit", "abort"] as const) endOf(operation, context, decision, answer);
      return { answer };
    },
    commit: async () => {
      await endTry(remotes, operation, context, "commit", answer);
      return answer === undefined ? undefined : { answer };
    },
    abandon: async () => {
      if (mayStand) await endTriedFor(remotes, operation, context, "abort", answer);
    },
  };
}

/**
 * Ends a participant that somebody left, as it was decided: told again while that may help. `answer`: that of its Try; where it is
 * not known and needed, the Try is sent once more under its key. Throws SystemFault: `taken-back` where the other side ended it
 * otherwise, else what it said.
 */
export async function endTriedFor(
  remotes: Remotes,
  operation: TryOperation,
  context: ActionContext,
  decision: "commit" | "abort",
  answer: TryAnswer | undefined,
): Promise<void> {
  let known = answer;
  if (known === undefined && decision === "abort" && needsAnswer(operation.ends.cancel)) {
    try {
      known = await insist(remotes, () => sendTry(remotes, operation, context));
    } catch (thrown) {
      if (isRefusal(thrown)) return; // what it takes now it would have taken then: there is nothing to cancel
      throw thrown;
    }
  }
  await insist(remotes, () => endTry(remotes, operation, context, decision, known));
}

async function sendTry(remotes: Remotes, { ends: _, ...operation }: TryOperation, context: ActionContext): Promise<TryAnswer> {
  const request = filled(operation.request, { key: context.key ?? "", answer: undefined, at: operation.request.url });
  const outcome = await sendHttp(remotes, { ...operation, request }, context).commit();
  return outcome?.answer ?? null;
}

/** Sends Confirm or Cancel once. */
async function endTry(
  remotes: Remotes,
  operation: TryOperation,
  context: ActionContext,
  decision: "commit" | "abort",
  answer: TryAnswer | undefined,
): Promise<void> {
  const request = endOf(operation, context, decision, answer);
  try {
    await sendHttp(remotes, { do: "http", request, ...(decision === "abort" && { ok: [404, 410] }) }, context).commit();
  } catch (thrown) {
    // With a time to wait it is still at work on the same request.
    if (!(thrown instanceof SystemFault) || !GONE.has(thrown.code) || thrown.peer?.after !== undefined) throw thrown;
    throw takenBack(
      decision === "commit"
        ? `${thrown.message}: what it had prepared expired or was cancelled there after all participants had voted`
        : `${thrown.message}: what it had prepared cannot be cancelled any more, so somebody confirmed it there`,
      thrown,
    );
  }
}

/** The request that ends a Try. Throws SystemFault `taken-back` where the Try's answer does not say how. */
function endOf(operation: TryOperation, { key = "" }: ActionContext, decision: "commit" | "abort", answer: TryAnswer | undefined) {
  const { request, ends } = operation;
  const end = filled(decision === "commit" ? ends.confirm : ends.cancel, { key, answer, at: request.url });
  // Credentials never leave their origin.
  if (originOf(end.url) !== originOf(request.url))
    throw takenBack(`the answer to ${request.method} ${request.url} leads to ${end.url}, which is another origin`);
  return end;
}

function takenBack(why: string, cause?: SystemFault): SystemFault {
  return new SystemFault("taken-back", why, { mutated: "maybe", peer: { retry: false, counts: false }, ...(cause && { cause }) });
}

/** Sends until it is heard, as long as waiting may help. */
async function insist<T>(remotes: Remotes, send: () => Promise<T>, fails: (failure: SystemFault) => void = () => undefined): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      fails(thrown);
      if (thrown.peer?.retry !== true || !(await remotes.peers.pause(attempt, thrown.peer.after))) throw thrown;
    }
  }
}

function needsAnswer(request: RequestData): boolean {
  return [...JSON.stringify([request.url, request.body ?? null]).matchAll(MARK)].some(([, name]) => name !== "key");
}

function isRefusal(thrown: unknown): boolean {
  return thrown instanceof SystemFault && thrown.mutated === "no" && /^HTTP 4/.test(thrown.code) && !NO_WORD.has(thrown.code);
}

/** What the marks of a request stand for. */
interface Given {
  readonly key: string;
  readonly answer: TryAnswer | undefined;
  /** The URL that the answer's Location starts from. */
  readonly at: string;
}

/** A request with what its marks stand for. Throws SystemFault where the answer has no such part. */
function filled(request: RequestData, given: Given): RequestData {
  const url = request.url.replace(MARK, (_, name: string, offset: number) => {
    const part = String(partOf(name, given));
    // In front it leads to a place, from where it was said.
    return offset > 0 ? encodeURIComponent(part) : URL.canParse(part, given.at) ? new URL(part, given.at).href : part;
  });
  if (!URL.canParse(url)) throw takenBack(`${url}, which the answer to ${given.at} leads to, is no URL`);
  return { ...request, url: new URL(url).href, ...(request.body !== undefined && { body: filledBody(request.body, given) }) };
}

function filledBody(body: Json, given: Given): Json {
  return withTexts(body, (text) => {
    const alone = new RegExp(`^${MARK.source}$`).exec(text)?.[1];
    // Alone, a mark is its value as it is: a number stays one.
    return alone === undefined ? text.replace(MARK, (_, name: string) => String(partOf(name, given))) : partOf(alone, given);
  });
}

function partOf(name: string, { key, answer, at }: Given): Json {
  if (name === "key") return key;
  const whole = isObject(answer) ? answer : {};
  const headers = isObject(whole.headers) ? whole.headers : {};
  const found = name === "location" ? headers.location : partAt(whole.body, name.split(".").slice(1));
  if (found === undefined || found === null)
    throw takenBack(
      `the answer to the request that prepares it, ${at}, has no ${name === "location" ? "Location" : `\`${name.slice(7)}\``}`,
    );
  return found;
}
