import { type Fields, fields, originOf, type PeerPolicy, parseDuration } from "../core/index.ts";
import type { Evaluator, Scope } from "./evaluator.ts";
import { unknown } from "./expression/reference.ts";
import { codeOf, type Reports, type Source } from "./source.ts";
import { type Entry, kindOf, type Node, offsetAt } from "./tree.ts";

const UNITS: { readonly [unit: string]: number } = { s: 1000, m: 60_000, h: 3_600_000 };

const rate = fields.field<number>("Requests in a time, such as `10/s`, `100/m` or `1000/h`.", { type: "string" }, (value) => {
  const [, count, unit = ""] = /^([1-9]\d*)\/([smh])$/.exec(String(value)) ?? [];
  return count === undefined
    ? fields.issue("not a rate", `this must be a rate such as 10/s, 100/m or 1000/h, not ${fields.showValue(value)}`)
    : { ok: true, value: (UNITS[unit] as number) / Number(count) };
});

const timeout = fields.field<number>("How long one request may take that says nothing else.", { type: "string" }, (value) => {
  const parsed = typeof value === "string" || typeof value === "number" ? parseDuration(value) : undefined;
  if (parsed === undefined || (parsed.ok && parsed.value === 0))
    return fields.issue("not a duration", `this must be a duration such as 30s, not ${fields.showValue(value)}`);
  return parsed.ok ? parsed : fields.issue(parsed.summary, parsed.detail);
});

/** What the playbook may say of how another machine is to be treated. */
export const peerFields = {
  concurrency: fields.integer("Requests at the same time; left out: 8.", { minimum: 1, maximum: 1000 }).optional(),
  rate: rate.optional(),
  timeout: timeout.optional(),
} satisfies Fields;

/** How other machines are to be treated, by origin. */
export type Peers = { readonly [origin: string]: PeerPolicy };

/** Evaluates the `peers` section: a map from scheme, host and port of other machines to how they are to be treated. */
export function evaluatePeers(section: Node | undefined, source: Source, reports: Reports, evaluator: Evaluator, scope: Scope): Peers {
  if (section === undefined || (section.is === "scalar" && section.value === null)) return {};
  if (section.is !== "map") {
    const detail = `\`peers\` must be a map from origins such as https://api.example.com, not ${kindOf(section)}`;
    reports.add({ code: "wrong-type", summary: "wrong type", detail }, source, section.start);
    return {};
  }
  const peers: { [origin: string]: PeerPolicy } = {};
  for (const entry of section.entries) {
    const origin = originIn(entry, source, reports, evaluator, scope);
    const policy = policyOf(entry.value, source, reports, evaluator, scope);
    if (origin === undefined || policy === undefined) continue;
    if (origin in peers) {
      const detail = `${origin} stands here twice, in two spellings`;
      reports.add({ code: "duplicate-key", summary: "duplicate key", detail }, source, entry.keyStart);
    }
    peers[origin] = policy;
  }
  return peers;
}

/** Undefined where a key is not known yet, and reported where it names more or less than another machine. */
function originIn(entry: Entry, source: Source, reports: Reports, evaluator: Evaluator, scope: Scope): string | undefined {
  const { keyStart, keyEnd } = entry;
  const value = evaluator.value({ is: "scalar", value: entry.key, start: keyStart, end: keyEnd }, scope);
  if (value === unknown) return undefined;
  const key = String(value);
  const url = URL.canParse(key) ? new URL(key) : undefined;
  const isBare = url !== undefined && /^\/?$/.test(url.pathname) && url.search === "" && url.hash === "" && url.username === "";
  if (url !== undefined && isBare && url.host !== "") return originOf(url.href);
  const detail = `write scheme, host and port alone, such as https://api.example.com or postgresql://db.example.com:5432, not \`${key}\``;
  reports.add({ code: "not-an-origin", summary: "not an origin", detail }, source, keyStart);
  return undefined;
}

function policyOf(node: Node, source: Source, reports: Reports, evaluator: Evaluator, scope: Scope): PeerPolicy | undefined {
  const value = evaluator.value(node, scope);
  if (value === unknown) return undefined;
  const checked = fields.mapping(peerFields, "").check(value);
  if (checked.ok) {
    const { concurrency, rate: interval, timeout } = checked.value;
    return {
      ...(concurrency !== undefined && { concurrency }),
      ...(interval !== undefined && { interval }),
      ...(timeout !== undefined && { timeout }),
    };
  }
  for (const { path, summary, detail } of checked.issues)
    reports.add({ code: codeOf(summary), summary, detail }, source, offsetAt(node, path, summary === "unknown key"));
  return undefined;
}
