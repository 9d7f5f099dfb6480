import { type HttpOperation, type HttpResponse, type Json, originOf, SystemFault } from "../../core/index.ts";
import type { ActionContext, Outcome, Prepared } from "../workbench.ts";
import { parsed } from "./http-client.ts";
import { detailOf, judgeAnswer, judgeLook } from "./http-verdict.ts";
import type { Remotes } from "./remotes.ts";

/** One request that changes something. May be committed again after a fault that allows it: with the same key. */
export function sendHttp(remotes: Remotes, operation: HttpOperation, context: ActionContext): Prepared {
  const { request, ok, condition, keyed } = operation;
  const key = operation.undo ? context.undoKey : context.key;
  const origin = originOf(request.url);
  const headers = {
    ...(condition?.if_match !== undefined && { "if-match": condition.if_match }),
    ...(condition?.if_none_match !== undefined && { "if-none-match": condition.if_none_match }),
    ...(keyed !== undefined && { "idempotency-key": keyed === "sf" ? `"${key}"` : String(key) }),
  };
  const sent = { method: request.method, url: request.url, keyed: keyed !== undefined, conditional: condition !== undefined };
  let stored: string | undefined;
  const send = async (): Promise<HttpResponse> => {
    const response = await remotes.client.send(request, headers);
    if (sent.keyed && response.status >= 500 && response.body.length > 0) {
      // A keyed API may replay the answer that it stored for the key: the same once more will not become another one.
      const said = `${response.status} ${response.body.toString("base64")}`;
      if (said === stored)
        throw new SystemFault(`HTTP ${response.status}`, `${sent.method} ${sent.url}: ${response.status} again${detailOf(response)}`, {
          mutated: "maybe",
          peer: { retry: false, counts: true },
        });
      stored = said;
    }
    judgeAnswer(sent, response, ok, remotes.system.clock.now());
    return response;
  };
  const { body: _, ...bare } = request;
  const probe = async () => {
    const response = await remotes.client.send({ ...bare, method: "HEAD" });
    // Any other answer, be it a refusal of HEAD, says that somebody is there.
    if ((response.status >= 500 && response.status !== 501) || response.status === 429)
      judgeLook("HEAD", request.url, response, remotes.system.clock.now());
  };
  return {
    origin,
    commit: async () => {
      const response = await remotes.peers.tell(origin, send, probe);
      return { answer: answerOf(response.status === 202 ? await polled(remotes, operation, response) : response) };
    },
    abandon: () => undefined,
  };
}

/** What is kept of an answer: its status, the headers that name things, and the body. */
function answerOf(response: HttpResponse): NonNullable<Outcome["answer"]> {
  const { status, headers, body } = response;
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => /^(location|etag|x-request-id|content-type)$/.test(name)));
  const json = parsed(response) as Json | undefined;
  return { status, headers: kept, body: json ?? body.toString("utf8") };
}

/** 202 says that it will be done: asks where the answer says, until that is so or the time is up. */
async function polled(remotes: Remotes, { request, poll }: HttpOperation, first: HttpResponse): Promise<HttpResponse> {
  if (poll === undefined) return first;
  const { body: _, ...bare } = request;
  const { clock } = remotes.system;
  const until = clock.mono() + poll.within;
  const place = first.headers.location ?? poll.url;
  if (place === undefined) return first;
  const url = new URL(place, request.url).href;
  for (;;) {
    await clock.sleep(poll.every);
    const response = await remotes.http({ ...bare, method: "GET", url });
    if (response.status !== 202 && isDone(response, poll.until)) return response;
    if (clock.mono() >= until)
      throw new SystemFault(
        "timeout",
        `${request.method} ${request.url} was accepted, and ${url} does not say that it is done in ${poll.within} ms`,
        {
          mutated: "maybe",
          peer: { retry: false, counts: false },
        },
      );
  }
}

function isDone(response: HttpResponse, wanted: { readonly [field: string]: Json } | undefined): boolean {
  if (response.status >= 300) return false;
  if (wanted === undefined) return true;
  const body = parsed(response) as { readonly [field: string]: Json } | undefined;
  return Object.entries(wanted).every(([field, value]) => JSON.stringify(body?.[field]) === JSON.stringify(value));
}
