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

const MARK = /⟦secret:([^:⟧]+):([0-9a-f]{24})⟧/g;

/**
 * What must not be seen. While a process works, secrets and contents stand in memory as they are; on the way to a plan,
 * journal, ledger or screen every secret becomes a mark with a fingerprint under the state directory's key, and the
 * digest of every sensitive content becomes its fingerprint (a plain digest of a short secret could be guessed).
 */
export class Vault {
  private readonly secrets: readonly Secret[];
  private readonly keys: () => Keys;
  private readonly contents: ContentStore;
  private readonly marks = new Map<string, string>();
  /** Plain digests of sensitive contents, and their fingerprints. */
  private readonly sealed = new Map<string, Digest>();
  private readonly forms: readonly { readonly text: string; readonly name: string }[];

  constructor(secrets: readonly Secret[], keys: () => Keys, contents: ContentStore) {
    this.secrets = [...secrets].sort((a, b) => b.value.length - a.value.length);
    this.keys = keys;
    this.contents = contents;
    this.forms = this.secrets.flatMap(({ name, value }) => formsOf(value).map((text) => ({ text, name })));
  }

  /** Whether there is nothing to hide, so that nothing need be looked through. */
  get isEmpty(): boolean {
    return this.secrets.length === 0 && this.sealed.size === 0;
  }

  get hasSecrets(): boolean {
    return this.secrets.length > 0;
  }

  /** The name of a secret that a text holds. */
  secretIn(text: string): string | undefined {
    return this.secrets.find(({ value }) => text.includes(value))?.name;
  }

  /** Whether a content holds a secret. */
  holdsSecret(digest: Digest): boolean {
    if (this.secrets.length === 0 || isKeyed(digest)) return false;
    const bytes = this.contents.bytes(digest);
    return this.secrets.some(({ value }) => bytes.includes(value));
  }

  /** From now on the content stands as its fingerprint wherever it is written down. */
  hide(digest: Digest): void {
    if (!isKeyed(digest) && !this.sealed.has(digest)) this.sealed.set(digest, this.fingerprint(digest));
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
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.walk(item));
    return Object.fromEntries(Object.entries(value as JsonObject).map(([key, item]) => [this.mark(key), this.walk(item)]));
  }

  private mark(text: string): string {
    let marked = text;
    for (const { name, value } of this.secrets) {
      if (!marked.includes(value)) continue;
      let mark = this.marks.get(name);
      if (mark === undefined) {
        mark = `⟦secret:${name}:${this.keys().fingerprint(value).slice("keyed:".length).slice(0, 24)}⟧`;
        this.marks.set(name, mark);
      }
      marked = marked.replaceAll(value, mark);
    }
    return marked;
  }

  /** The value with the secrets back in their places; throws SystemFault where one is not known here. */
  unseal<T>(value: T): T {
    return this.unwalk(value as Json) as T;
  }

  private unwalk(value: Json): Json {
    if (typeof value === "string") return value.includes("⟦secret:") ? this.unmark(value) : value;
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.unwalk(item));
    return Object.fromEntries(Object.entries(value as JsonObject).map(([key, item]) => [this.unwalk(key) as string, this.unwalk(item)]));
  }

  private unmark(text: string): string {
    return text.replace(MARK, (_mark, name: string, print: string) => {
      const secret = this.secrets.find((one) => one.name === name);
      if (!secret)
        throw new SystemFault(
          "secret-missing",
          `the secret input ${name} is needed again and is kept nowhere: give it with --var ${name}=… or SETPOINT_VAR_${name}`,
        );
      if (this.keys().fingerprint(secret.value).slice("keyed:".length).slice(0, 24) !== print)
        throw new SystemFault("secret-changed", `the secret input ${name} is not the one that this plan was made with: plan again`);
      return secret.value;
    });
  }

  /** The last line of defence, for every sink: each secret and its JSON, URL and base64 forms become `[secret name]`. */
  redact(text: string): string {
    let shown = text;
    for (const form of this.forms) if (shown.includes(form.text)) shown = shown.replaceAll(form.text, `[secret ${form.name}]`);
    return shown;
  }
}

function formsOf(value: string): readonly string[] {
  const forms = new Set([
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    Buffer.from(value).toString("base64"),
    Buffer.from(value).toString("base64url"),
  ]);
  return [...forms].filter((form) => form.length >= SECRET_MINIMUM).sort((a, b) => b.length - a.length);
}
