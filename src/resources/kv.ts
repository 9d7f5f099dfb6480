import { fields, resourceType } from "../core/index.ts";
import { placeFields, placeOf, placeUrl } from "./place-fields.ts";
import { duration } from "./remote-fields.ts";
import { checkStored, storedSettings } from "./stored.ts";

const { anything, choice, path, text } = fields;

const SCHEMES = ["redis", "rediss", "etcd", "etcd+https", "consul", "consul+https"] as const;

/** A key of a key-value store. */
export const kv = resourceType({
  type: "kv",
  summary: "A key of Redis, etcd or Consul, and its value.",
  notes: [
    "The value is read with its revision, and set only while the key is still at it: in etcd by a transaction on `mod_revision`, in Consul by `?cas=`, in Redis while the",
    "key is watched (there the revision is the value itself). Somebody's change in between is a conflict, never lost. A revert brings the very bytes back, but not how long",
    "a value that goes by itself would still have stood there. Redis needs the package `@redis/client`.",
  ].join("\n"),
  example: [
    "- kv: app/workers",
    "  store: redis://127.0.0.1:6379/0",
    "  value: '4'",
    "- kv: /services/web",
    "  store: etcd://127.0.0.1:2379",
    "  value: { port: 8080 }",
    "- kv: app/old",
    "  store: consul://127.0.0.1:8500",
    "  state: absent",
  ].join("\n"),
  fields: {
    kv: text("The key."),
    store: placeUrl(
      SCHEMES,
      "The store's URL: `redis://host:6379/0`, `etcd://host:2379`, `consul://host:8500?dc=NAME`; `rediss://`, `etcd+https://`, `consul+https://` with TLS.",
    ),
    state: choice(["present", "absent"], "Whether the key exists.").or("present"),
    value: anything("The value: a text as it is, anything else as JSON.").optional(),
    source: path("A file that holds the value, relative to the playbook's folder.").optional(),
    ttl: duration(
      "After how long it goes by itself. It counts from each setting, and is not counted as a difference while it runs.",
    ).optional(),
    ...placeFields,
  },

  check(spec, report) {
    checkStored({ ...spec, key: spec.kv }, "kv", report);
    const { protocol, pathname } = new URL(spec.store);
    const rest = pathname.replace(/^\//, "");
    const isRedis = protocol.startsWith("redis");
    if (isRedis ? !/^\d*$/.test(rest) : rest !== "")
      report({
        code: "store-path",
        summary: "a path in a store's URL",
        detail: isRedis
          ? "behind the host stands the number of the database, such as /0"
          : "the key is the resource's name: leave the path out",
        field: ["store"],
      });
    if (spec.ttl !== undefined && protocol.startsWith("consul"))
      report({ code: "no-ttl", summary: "values of Consul do not go by themselves", detail: "leave `ttl` out", field: ["ttl"] });
  },

  settings(spec, world) {
    const url = new URL(spec.store);
    if (url.protocol.startsWith("redis")) {
      if (url.port === "") url.port = "6379";
      if (url.pathname.length <= 1) url.pathname = "/0";
    }
    return storedSettings("kv", { ...spec, key: spec.kv, store: placeOf(url.href, spec, world) }, world);
  },
});
