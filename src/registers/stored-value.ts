import {
  type Digest,
  type Goal,
  type JsonObject,
  type Label,
  originOf,
  type PlaceData,
  type Reader,
  type Register,
  type RegisterKind,
  type StoreOperation,
} from "../core/index.ts";

/** What a store has under a key. With `~` begins what only helps to set it: the revision, and the ms until it goes by itself. */
export type StoredState =
  | { readonly is: "absent" }
  | {
      readonly is: "value";
      readonly content: Digest;
      readonly expires?: boolean;
      readonly type?: string;
      readonly "~revision"?: string;
      readonly "~ttl"?: number;
    };

/** The `about` of a value. */
export type StoredAbout = { readonly store: PlaceData; readonly key: string };

export type StoredWant = {
  readonly content: Digest;
  /** ms. */
  readonly ttl?: number;
  readonly type?: string;
};

/** Values of stores: read with their revision, and set only while they are still at it. */
function storedKind(kind: "kv" | "object"): RegisterKind<StoredState> {
  return {
    kind,

    read: (registers, reader) => Promise.all(registers.map((register) => readOne(register, reader))),

    transition(register, from, to): readonly StoreOperation[] {
      const { store, key } = aboutOf(register);
      const revision = from.is === "value" ? from["~revision"] : undefined;
      const at = { do: "store" as const, store, key, ...(revision !== undefined && { revision }) };
      if (to.is === "absent") return from.is === "absent" ? [] : [at];
      if (from.is === "value" && isAs(from, to)) return [];
      const ttl = to.expires === false ? undefined : to["~ttl"];
      return [{ ...at, put: { content: to.content, ...(ttl !== undefined && { ttl }), ...(to.type !== undefined && { type: to.type }) } }];
    },

    // How long it would still have stood there cannot be had back.
    label: (_register, from): Label => (from.is === "value" && from.expires === true ? "compensated" : "exact"),
    // The revision of when the plan was made is of no use: it is read again right before.
    lean(before) {
      if (before.is === "absent") return before;
      const { "~revision": _, ...rest } = before;
      return rest;
    },

    contents: (state) => (state.is === "value" ? [state.content] : []),
    origin: (register) => originOf(aboutOf(register).store.url),
  };
}

/** Keys of Redis, etcd and Consul. */
export const kv = storedKind("kv");

/** Objects of stores that speak as Amazon S3 does. */
export const object = storedKind("object");

export const storedGoals: readonly Goal[] = [kv, object].flatMap(({ kind }) => [
  {
    kind,
    name: "value",
    converge(now: StoredState, want: StoredWant): StoredState {
      const expires = want.ttl === undefined ? {} : { expires: true, "~ttl": want.ttl };
      const wanted = { content: want.content, ...expires, ...(want.type !== undefined && { type: want.type }) };
      if (now.is === "absent") return { is: "value", ...wanted };
      const { "~revision": _, ...kept } = now;
      const after: StoredState = { ...kept, ...wanted };
      return isAs(now, after) ? now : after;
    },
  } as Goal<StoredState, StoredWant> as unknown as Goal,
  { kind, name: "absent", converge: () => ({ is: "absent" }) } as Goal,
]);

/** The register of a value: `kv:redis://host:6379/0/key`. */
export function storedRegister(kind: "kv" | "object", about: StoredAbout): Register & { readonly about: JsonObject } {
  const { protocol, host, pathname } = new URL(about.store.url);
  return { kind, key: `${protocol}//${host}${pathname.replace(/\/$/, "")}/${about.key}`, about: about as unknown as JsonObject };
}

function aboutOf(register: Register): StoredAbout {
  return register.about as unknown as StoredAbout;
}

/** Left out is free. */
function isAs(found: StoredState & { readonly is: "value" }, wanted: StoredState & { readonly is: "value" }): boolean {
  return (
    found.content === wanted.content &&
    (wanted.expires === undefined || found.expires === wanted.expires) &&
    (wanted.type === undefined || found.type === wanted.type)
  );
}

async function readOne(register: Register, reader: Reader): Promise<StoredState> {
  const { store, key } = aboutOf(register);
  const found = await reader.remote.stored(store, key);
  if (found === undefined) return { is: "absent" };
  const { value, revision, ttl, type } = found;
  return {
    is: "value",
    content: reader.contents.put(value),
    expires: ttl !== undefined,
    ...(type !== undefined && { type }),
    "~revision": revision,
    ...(ttl !== undefined && { "~ttl": ttl }),
  };
}
