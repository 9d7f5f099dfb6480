import { type Digest, isKeyed, type Json, type JsonObject, SystemFault } from "../core/index.ts";
import type { Keys } from "../journal/index.ts";
import type { ContentStore } from "../system/index.ts";

/** A secret input's value. */
export interface Secret {
  readonly name: string;
  readonly value: string;
}

/** Secrets shorter than this cannot be told from other text. */
export const SECRET_MINIMUM = 4;

/** Lines of a longer secret that are shorter than this tell too little to be hidden alone. */
const LINE_MINIMUM = 12;

/** A secret, or a form of it: `⟦secret:token:…⟧`, `⟦secret:token:base64:…⟧`. */
const MARK = /⟦secret:([^:⟧]+)(?::(json|url|base64|base64url|html|number|line\d+))?:([0-9a-f]{24})⟧/g;

/** What every mark begins with. */
export const SECRET_MARK = "⟦secret:";

const NUMBER_MARK = /^⟦secret:[^:⟧]+:number:[0-9a-f]{24}⟧$/;

/** One way in which a secret may stand in a text. */
interface Form {
  readonly text: string;
  readonly name: string;
  /** The secret itself has none. */
  readonly form?: string;
  readonly value: string;
}

/**
 * What must not be seen. While a process works, secrets and contents stand in memory as they are; on the way to a plan,
 * journal, ledger or screen every secret becomes a mark with a fingerprint under the state directory's key, and the
 * digest of every sensitive content becomes its fingerprint (a plain digest of a short secret could be guessed).
 */
export class Vault {
  private readonly secrets: readonly Secret[];
  private readonly keys: () => Keys;
  private readonly contents: ContentStore;
  private readonly pattern: RegExp | undefined;
  private leavesUnknown = false;
  /** Plain digests of sensitive contents, and their fingerprints. */
  private readonly sealed = new Map<string, Digest>();
  /** Plain digests that stand in a frozen plan. */
  private readonly open = new Set<string>();
  /** Longest first, so that none is taken for a shorter one that it holds. */
  private readonly forms: readonly Form[];

  constructor(secrets: readonly Secret[], keys: () => Keys, contents: ContentStore) {
    this.secrets = [...secrets].sort((a, b) => b.value.length - a.value.length);
    this.keys = keys;
    this.contents = contents;
    this.forms = this.secrets.flatMap(formsOf).sort((a, b) => b.text.length - a.text.length);
    if (this.forms.length > 0) this.pattern = new RegExp(this.forms.map(({ text }) => escaped(text)).join("|"), "g");
  }

  /** Whether there is nothing to hide, so that nothing need be looked through. */
  get isEmpty(): boolean {
    return this.secrets.length === 0 && this.sealed.size === 0;
  }

  get hasSecrets(): boolean {
    return this.secrets.length > 0;
  }

  /** The name of a secret that a text, or a text anywhere within a value, holds in one of its forms. */
  secretIn(value: Json): string | undefined {
    if (this.secrets.length === 0) return undefined;
    if (typeof value === "string") return this.forms.find(({ text }) => value.includes(text))?.name;
    if (typeof value === "number") return this.secretIn(String(value));
    if (typeof value !== "object" || value === null) return undefined;
    for (const [key, item] of Object.entries(value)) {
      const name = this.secretIn(key) ?? this.secretIn(item as Json);
      if (name !== undefined) return name;
    }
    return undefined;
  }

  /** Whether a content holds a secret in one of its forms. */
  holdsSecret(digest: Digest): boolean {
    if (this.secrets.length === 0 || isKeyed(digest)) return false;
    let bytes: Buffer;
    try {
      bytes = this.contents.bytes(digest);
    } catch (thrown) {
      if (thrown instanceof SystemFault && thrown.code === "content-moved") return false; // nowhere to be had, so nothing of it can be shown
      throw thrown;
    }
    return this.forms.some(({ text }) => bytes.includes(text));
  }

  /** A content that is not hidden by now never is. */
  leaveOpen(digest: Digest): void {
    if (!this.isHidden(digest)) this.open.add(digest);
  }

  /** From now on the content stands as its fingerprint wherever it is written down, unless it was left open before. */
  hide(digest: Digest): void {
    if (!this.isHidden(digest) && !this.open.has(digest)) this.sealed.set(digest, this.fingerprint(digest));
  }

  isHidden(digest: string): boolean {
    return isKeyed(digest) || this.sealed.has(digest);
  }

  /** The name under which a content is kept: its fingerprint where it is sensitive. */
  nameOf(digest: Digest): Digest {
    return this.sealed.get(digest) ?? digest;
  }

  fingerprint(digest: Digest): Digest {
    return isKeyed(digest) ? digest : this.keys().fingerprint(this.contents.bytes(digest));
  }

  /** The value with marks and fingerprints in place of what is secret. */
  seal<T>(value: T): T {
    return this.isEmpty ? value : (this.walk(value as Json) as T);
  }

  private walk(value: Json): Json {
    if (typeof value === "string") return this.sealed.get(value) ?? this.mark(value);
    if (typeof value === "number") return this.markedNumber(value);
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.walk(item));
    return Object.fromEntries(Object.entries(value as JsonObject).map(([key, item]) => [this.mark(key), this.walk(item)]));
  }

  private mark(text: string): string {
    return this.replaced(text, (one) => this.markOf(one));
  }

  /** A secret that is a number keeps its type when it comes back. */
  private markedNumber(value: number): Json {
    const secret = this.secrets.find((one) => one.value === String(value) && one.value.length >= SECRET_MINIMUM);
    return secret ? this.markOf({ ...secret, form: "number" }) : value;
  }

  /** One pass, so that what is put in is not looked through again: a secret may be part of another's mark. */
  private replaced(text: string, by: (form: Form) => string): string {
    if (this.pattern === undefined) return text;
    return text.replace(this.pattern, (found) => by(this.forms.find((one) => one.text === found) as Form));
  }

  private markOf({ name, form, value }: Pick<Form, "name" | "form" | "value">): string {
    return `⟦secret:${name}:${form === undefined ? "" : `${form}:`}${this.printOf(value)}⟧`;
  }

  private printOf(value: string): string {
    return this.keys().fingerprint(value).slice("keyed:".length).slice(0, 24);
  }

  /** The value with the secrets back in their places; throws SystemFault where one is not known here. */
  unseal<T>(value: T): T {
    return this.unwalk(value as Json) as T;
  }

  private unwalk(value: Json): Json {
    if (typeof value === "string") {
      if (!value.includes(SECRET_MARK)) return value;
      const text = this.unmark(value);
      return NUMBER_MARK.test(value) && text !== value ? Number(text) : text;
    }
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.unwalk(item));
    return Object.fromEntries(Object.entries(value as JsonObject).map(([key, item]) => [this.unwalk(key) as string, this.unwalk(item)]));
  }

  private unmark(text: string): string {
    return text.replace(MARK, (mark: string, name: string, form: string | undefined, print: string) => {
      const known = this.known(name, form, print);
      if (known !== undefined) return known;
      if (this.leavesUnknown) return mark;
      if (!this.secrets.some((one) => one.name === name))
        throw new SystemFault(
          "secret-missing",
          `the secret input ${name} is needed again and is kept nowhere: give it with --var ${name}=… or SETPOINT_VAR_${name}`,
        );
      throw new SystemFault("secret-changed", `the secret input ${name} is not the one that this plan was made with: plan again`);
    });
  }

  private known(name: string, form: string | undefined, print: string): string | undefined {
    const plain = form === "number" ? undefined : form;
    return this.forms.find((one) => one.name === name && one.form === plain && this.printOf(one.value) === print)?.text;
  }

  /** As `unseal`, but marks of secrets that are not known here stay. */
  unsealKnown<T>(value: T): T {
    this.leavesUnknown = true;
    try {
      return this.unwalk(value as Json) as T;
    } finally {
      this.leavesUnknown = false;
    }
  }

  /** The last line of defence, for every sink: each secret and its JSON, URL and base64 forms become `[secret name]`. */
  redact(text: string): string {
    return this.replaced(text, ({ name }) => `[secret ${name}]`);
  }
}

function formsOf({ name, value }: Secret): readonly Form[] {
  const forms: [string | undefined, string][] = [
    [undefined, value],
    ["json", JSON.stringify(value).slice(1, -1)],
    ["url", encodeURIComponent(value)],
    ["html", value.replace(/[&<>"']/g, (found) => ENTITIES[found] as string)],
    ["base64", Buffer.from(value).toString("base64")],
    ["base64url", Buffer.from(value).toString("base64url")],
  ];
  // Of a key in many lines each line tells something, and a diff or a log shows lines one by one.
  const lines = value.split(/\r?\n/);
  if (lines.length > 1) forms.push(...lines.map((line, index): [string, string] => [`line${index}`, line.trim()]));
  const seen = new Set<string>();
  return forms.flatMap(([form, text]) => {
    if (text.length < (form?.startsWith("line") ? LINE_MINIMUM : SECRET_MINIMUM) || seen.has(text)) return [];
    seen.add(text);
    return [{ name, value, text, ...(form !== undefined && { form }) }];
  });
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

const ENTITIES: { readonly [character: string]: string } = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
