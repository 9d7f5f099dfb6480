import { isObject, type Json, type JsonObject, originOf, type Reader, type RequestData, SystemFault } from "../core/index.ts";

/** A collection, and the fields by which one of its items is known. */
export type Collection = {
  readonly url: string;
  readonly key: JsonObject;
  /** The URL of an item, with its fields in braces. */
  readonly item?: string;
};

/** A list that has no end is no list. */
const MOST_PAGES = 1000;

/** The URL of the one item that has the key's fields, over all pages; undefined where there is none. Throws SystemFault. */
export async function findItem(
  { url, key, item }: Collection,
  way: Omit<RequestData, "method" | "url">,
  reader: Reader,
): Promise<string | undefined> {
  const found: string[] = [];
  const seen = new Set<string>();
  for (let page: string | undefined = url; page !== undefined; ) {
    if (seen.has(page) || seen.size >= MOST_PAGES) throw trouble("endless-list", `${url}: its pages do not end`);
    seen.add(page);
    const response = await reader.remote.http({ ...way, method: "GET", url: page });
    if (response.status >= 300) throw trouble("no-collection", `GET ${page}: ${response.status}: there is no such collection`);
    const body = jsonOf(response.body, page);
    for (const one of itemsOf(body)) if (hasKey(one, key)) found.push(placeOf(one, url, item));
    const next = nextOf(response.headers.link, body);
    page = next === undefined ? undefined : new URL(next, page).href;
    // Whose credentials these are is told by the origin.
    if (page !== undefined && originOf(page) !== originOf(url)) throw trouble("foreign-page", `${url}: its next page is at another origin`);
  }
  if (found.length > 1) throw trouble("ambiguous", `${url}: ${found.length} items have ${JSON.stringify(key)}: a key must name one`);
  return found[0];
}

function trouble(code: string, message: string): SystemFault {
  return new SystemFault(code, message, { peer: { retry: false, counts: false } });
}

function jsonOf(bytes: Buffer, url: string): Json {
  try {
    return JSON.parse(bytes.toString("utf8")) as Json;
  } catch {
    throw trouble("not-json", `GET ${url}: the answer is no JSON`);
  }
}

/** A list, or the first list in an object, as APIs wrap them: `{ data: [ … ] }`. */
function itemsOf(body: Json): readonly JsonObject[] {
  const list = Array.isArray(body) ? body : isObject(body) ? Object.values(body).find((value) => Array.isArray(value)) : undefined;
  return ((list ?? []) as readonly Json[]).filter((one): one is JsonObject => isObject(one));
}

function hasKey(item: JsonObject, key: JsonObject): boolean {
  return Object.entries(key).every(([path, value]) => String(at(item, path) ?? "") === String(value));
}

function at(item: JsonObject, path: string): Json | undefined {
  let found: Json | undefined = item;
  for (const step of path.split(".")) found = isObject(found) ? found[step] : undefined;
  return found;
}

/** Where an item stands: as the playbook says, as it says itself, or its id below the collection. */
function placeOf(item: JsonObject, collection: string, template: string | undefined): string {
  if (template !== undefined) {
    const place = template.replace(/\{([^}]+)\}/g, (_, path: string) => {
      const value = at(item, path);
      if (value === undefined || value === null || typeof value === "object")
        throw trouble("no-item-url", `${collection}: an item has no ${path}, which its URL is made of`);
      return encodeURIComponent(String(value));
    });
    return new URL(place, collection).href;
  }
  const own = at(item, "_links.self.href") ?? item.self ?? item.href ?? item.url;
  if (typeof own === "string" && URL.canParse(own, collection) && originOf(new URL(own, collection).href) === originOf(collection))
    return new URL(own, collection).href;
  if (typeof item.id !== "string" && typeof item.id !== "number")
    throw trouble("no-item-url", `${collection}: an item says neither its URL nor its id: give \`item\``);
  const { origin, pathname } = new URL(collection);
  return `${origin}${pathname.replace(/\/$/, "")}/${encodeURIComponent(String(item.id))}`;
}

/** RFC 8288; else the `next` of the answer, where that is a URL. */
function nextOf(link: string | undefined, body: Json): string | undefined {
  for (const [, target, parameters = ""] of (link ?? "").matchAll(/<([^>]*)>((?:\s*;\s*[^,;]+)*)/g))
    if (/;\s*rel\s*=\s*"?(?:[^"]*\s)?next(?:\s[^"]*)?"?\s*(?:;|$)/i.test(parameters)) return target;
  return isObject(body) && typeof body.next === "string" && body.next !== "" ? body.next : undefined;
}
