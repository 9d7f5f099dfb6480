import { describe, expect, test } from "vitest";
import { type HttpResponse, SystemFault } from "../../src/core/index.ts";
import { judgeAnswer, judgeLook, type Sent } from "../../src/system/network/http-verdict.ts";

const NOW = Date.UTC(2026, 0, 1);
const PLAIN: Sent = { method: "PUT", url: "http://peer/x", keyed: false, conditional: false };
const KEYED: Sent = { ...PLAIN, method: "POST", keyed: true };
const CONDITIONAL: Sent = { ...PLAIN, conditional: true };

interface Verdict {
  readonly code: string;
  readonly mutated: "no" | "maybe";
  readonly retry: boolean;
  readonly counts: boolean;
  readonly after: number | undefined;
}

function answer(status: number, headers: HttpResponse["headers"] = {}, body = ""): HttpResponse {
  return { status, headers, body: Buffer.from(body) };
}

/** Undefined where it was done. */
function verdict(sent: Sent, response: HttpResponse, ok?: readonly number[]): Verdict | undefined {
  return caught(() => judgeAnswer(sent, response, ok, NOW));
}

function caught(judge: () => void): Verdict | undefined {
  try {
    judge();
    return undefined;
  } catch (thrown) {
    const { code, mutated, peer } = thrown as SystemFault;
    if (!(thrown instanceof SystemFault) || peer === undefined) throw thrown;
    return { code, mutated, retry: peer.retry, counts: peer.counts, after: peer.after };
  }
}

/** reliability.md §8.1, row by row: the statuses, how it was sent, and what the answer means. */
const ROWS: readonly (readonly [string, readonly number[], Sent, Partial<Verdict> | undefined])[] = [
  ["is done", [200, 201, 202, 204, 299], PLAIN, undefined],
  ["is gone already, when it was to go", [404, 410], { ...PLAIN, method: "DELETE" }, undefined],
  ["has no place to be put at", [404, 410], PLAIN, { mutated: "no", retry: false }],
  ["is not as the condition says: read and judge again", [304, 412], CONDITIONAL, { code: "precondition", mutated: "no", retry: true }],
  ["is still being done for the first request of our key", [409], KEYED, { code: "HTTP 409", mutated: "no", retry: true }],
  ["is in a state that forbids it: read and judge again", [409], PLAIN, { code: "precondition", mutated: "no", retry: true }],
  ["was another payload under our key, for good", [422], KEYED, { mutated: "no", retry: false }],
  ...[PLAIN, KEYED, CONDITIONAL].map(
    (sent) =>
      [
        "is refused for good",
        [400, 401, 402, 403, 405, 406, 411, 413, 414, 415, 417, 422, 431, 451, 501, 505],
        sent,
        { mutated: "no", retry: false, counts: false },
      ] as const,
  ),
  ["may be sent again where it has a key", [408, 421, 423, 425], KEYED, { mutated: "no", retry: true, counts: false }],
  ["may be sent again where it has a condition", [408, 421, 423, 425], CONDITIONAL, { mutated: "no", retry: true, counts: false }],
  ["may be sent again without either", [421, 425], PLAIN, { mutated: "no", retry: true }],
  ["may not be sent again without either", [408, 423], PLAIN, { mutated: "no", retry: false }],
  ["needs a condition: read and judge again", [428], PLAIN, { code: "precondition", mutated: "no", retry: true }],
  ["needs a condition that it had: for good", [428], CONDITIONAL, { mutated: "no", retry: false }],
  ["is to be sent later", [429], PLAIN, { mutated: "no", retry: true, counts: false }],
  ...[PLAIN, KEYED].map(
    (sent) => ["may have been done", [500, 502, 503, 504, 507, 599], sent, { mutated: "maybe", retry: true, counts: true }] as const,
  ),
];

describe("what an answer to a mutation means", () => {
  test.each(ROWS.flatMap(([title, statuses, sent, wanted]) => statuses.map((status) => [status, title, sent, wanted] as const)))(
    "%i: it %s",
    (status, _, sent, wanted) => {
      const found = verdict(sent, answer(status));
      if (wanted === undefined) expect(found).toBeUndefined();
      else expect(found).toMatchObject({ code: `HTTP ${status}`, ...wanted });
    },
  );

  test("a status that the playbook names as success is one", () => {
    expect(verdict(PLAIN, answer(409), [409])).toBeUndefined();
    expect(verdict(PLAIN, answer(404), [409])).toBeDefined();
  });

  test.each([
    ["seconds", { "retry-after": "7" }, 7000],
    [
      "a date against the answer's own Date",
      { "retry-after": "Sat, 03 Jan 2026 00:00:10 GMT", date: "Sat, 03 Jan 2026 00:00:00 GMT" },
      10_000,
    ],
    ["a date against our clock where there is no Date", { "retry-after": "Thu, 01 Jan 2026 00:01:00 GMT" }, 60_000],
    ["a date that has passed", { "retry-after": "Thu, 01 Jan 2026 00:00:00 GMT", date: "Thu, 01 Jan 2026 00:00:05 GMT" }, 0],
    ["never more than 15 minutes in seconds", { "retry-after": "86400" }, 900_000],
    [
      "never more than 15 minutes by date",
      { "retry-after": "Sun, 04 Jan 2026 00:00:00 GMT", date: "Sat, 03 Jan 2026 00:00:00 GMT" },
      900_000,
    ],
    ["nothing where it cannot be read", { "retry-after": "soon" }, undefined],
    ["nothing where it is not said", {}, undefined],
  ])("Retry-After: %s", (_, headers, after) => {
    expect(verdict(PLAIN, answer(429, headers))?.after).toBe(after);
    expect(verdict(PLAIN, answer(503, headers))?.after).toBe(after);
  });

  test("the beginning of what the other side says stands in the message, in one line", () => {
    const said = answer(403, { "content-type": "application/json" }, '{"error":\n "not yours"}');
    expect(() => judgeAnswer(PLAIN, said, undefined, NOW)).toThrow('PUT http://peer/x: 403: {"error": "not yours"}');
    expect(() => judgeAnswer(PLAIN, answer(403, { "content-type": "text/html" }, "<html>"), undefined, NOW)).toThrow(/403$/);
  });
});

describe("what an answer to a question means", () => {
  test.each([200, 204, 404, 410])("%i is an answer", (status) => {
    expect(caught(() => judgeLook("GET", "http://peer/x", answer(status), NOW))).toBeUndefined();
  });

  test.each([
    [401, { retry: false, counts: false }],
    [403, { retry: false, counts: false }],
    [408, { retry: true, counts: false }],
    [429, { retry: true, counts: false }],
    [500, { retry: true, counts: true }],
    [503, { retry: true, counts: true }],
  ])("%i is none", (status, wanted) => {
    expect(caught(() => judgeLook("GET", "http://peer/x", answer(status), NOW))).toMatchObject({ mutated: "no", ...wanted });
  });
});
