import { type HttpResponse, SystemFault } from "../../core/index.ts";

/** How a mutation was sent, as far as it matters for what an answer means. */
export interface Sent {
  readonly method: string;
  readonly url: string;
  /** It carries an idempotency key. */
  readonly keyed: boolean;
  /** It carries If-Match or If-None-Match. */
  readonly conditional: boolean;
}

/** Longest wait that another side may ask for, in ms. */
const LONGEST_WAIT = 900_000;

/** How long the other side asks to wait, in ms: by its own clock, so that a difference between the clocks does not matter. */
function waitOf({ headers }: HttpResponse, now: number): number | undefined {
  const after = headers["retry-after"];
  if (after === undefined) return undefined;
  if (/^\d+$/.test(after.trim())) return Math.min(LONGEST_WAIT, Number(after) * 1000);
  const until = Date.parse(after);
  const from = headers.date === undefined ? now : Date.parse(headers.date);
  return Number.isNaN(until) || Number.isNaN(from) ? undefined : Math.min(LONGEST_WAIT, Math.max(0, until - from));
}

/**
 * What an answer says of a request that changes something: nothing thrown where it was done, else a SystemFault that says
 * whether it was executed and whether it may be sent again. The table of reliability.md §8.1; `now` in wall ms.
 *
 * Codes of the fault: `precondition` (read again and judge), `HTTP 429` and so on.
 */
export function judgeAnswer(sent: Sent, response: HttpResponse, ok: readonly number[] | undefined, now: number): void {
  const { status } = response;
  if (ok?.includes(status) || (status >= 200 && status < 300)) return;
  if (sent.method === "DELETE" && (status === 404 || status === 410)) return;
  const after = waitOf(response, now);
  const wait = after === undefined ? {} : { after };
  const fail = (mutated: "no" | "maybe", retry: boolean, counts = false, code = `HTTP ${status}`): SystemFault =>
    new SystemFault(code, `${sent.method} ${sent.url}: ${status}${detailOf(response)}`, { mutated, peer: { retry, counts, ...wait } });
  const guarded = sent.keyed || sent.conditional;
  switch (status) {
    case 304:
    case 412:
      throw fail("no", true, false, "precondition");
    case 409:
      // With our key the first one is still running; without one the other side is in another state than we think.
      throw sent.keyed ? fail("no", true) : fail("no", true, false, "precondition");
    case 421:
    case 425:
      throw fail("no", true);
    case 408:
    case 423:
      throw fail("no", guarded);
    case 428:
      throw sent.conditional ? fail("no", false) : fail("no", true, false, "precondition");
    case 429:
      throw fail("no", true);
    case 501:
    case 505:
      throw fail("no", false);
    default:
      if (status >= 500) throw fail("maybe", true, true);
      throw fail("no", false);
  }
}

/** The beginning of what the other side says about it, in one line. */
export function detailOf({ body, headers }: HttpResponse): string {
  if (body.length === 0 || !/json|text\/plain/.test(headers["content-type"] ?? "")) return "";
  const text = body.toString("utf8", 0, 400).replace(/\s+/g, " ").trim();
  return text === "" ? "" : `: ${text}`;
}

/** What an answer to a question means: 404 and 410 are answers. Throws SystemFault where it is none. */
export function judgeLook(method: string, url: string, response: HttpResponse, now: number): void {
  const { status } = response;
  if ((status >= 200 && status < 300) || status === 404 || status === 410) return;
  const after = waitOf(response, now);
  const passing = status >= 500 || status === 429 || status === 408 || status === 425;
  throw new SystemFault(`HTTP ${status}`, `${method} ${url}: ${status}${detailOf(response)}`, {
    peer: { retry: passing, counts: status >= 500, ...(after !== undefined && { after }) },
  });
}
