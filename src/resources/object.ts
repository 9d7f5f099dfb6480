import { fields, resourceType } from "../core/index.ts";
import { placeOf, placeUrl } from "./place-fields.ts";
import { wayFields } from "./remote-fields.ts";
import { checkStored, storedSettings } from "./stored.ts";

const { anything, choice, mapping, path, text } = fields;

/** An object of an S3-compatible store. */
export const object = resourceType({
  type: "object",
  summary: "An object of a store that speaks as Amazon S3 does, and its content.",
  notes: [
    "The object is read whole, and written with a condition: `If-Match` with the entity tag that was read, `If-None-Match: *` where it is made. So nobody's change in between",
    "is lost, if the store heeds these conditions (Amazon S3 does, and so do current MinIO and Ceph; of older ones ask their manual). A revert brings the very bytes back. Objects",
    "of over 16 MiB cannot be read back and are refused. Requests are signed (AWS Signature Version 4) where `auth` or the URL gives keys.",
  ].join("\n"),
  example: [
    "- object: reports/index.html",
    "  store: s3://s3.eu-central-1.amazonaws.com/my-bucket?region=eu-central-1",
    "  value: <h1>Reports</h1>",
    "  content_type: text/html",
    "  auth: { access_key: AKIAEXAMPLE, secret_key: t0ps3cret }",
  ].join("\n"),
  fields: {
    object: text("The object's key."),
    store: placeUrl(["s3", "s3+http"], "The store's URL with the bucket: `s3://endpoint/bucket?region=NAME`, `s3+http://` without TLS."),
    state: choice(["present", "absent"], "Whether the object exists.").or("present"),
    value: anything("The content: a text as it is, anything else as JSON.").optional(),
    source: path("A file that holds the content, relative to the playbook's folder.").optional(),
    content_type: text("The content type; left out: not managed.").optional(),
    auth: mapping(
      {
        access_key: text("The access key."),
        secret_key: text("The secret key, from a secret input."),
        session_token: text("A session's token, from a secret input.").optional(),
      },
      "Who sends it.",
    ).optional(),
    tls: wayFields.tls,
  },

  check(spec, report) {
    checkStored({ ...spec, key: spec.object }, "object", report);
    if (!/^\/[^/]+$/.test(new URL(spec.store).pathname))
      report({
        code: "store-path",
        summary: "a store without a bucket",
        detail: "behind the host stands the bucket: s3://endpoint/bucket",
        field: ["store"],
      });
    if (spec.object.split("/").some((part) => part === "." || part === ".."))
      report({ code: "bad-key", summary: "a key that no URL can hold", detail: "`.` and `..` are no parts of a key", field: ["object"] });
  },

  settings(spec, world) {
    const { auth } = spec;
    const login = auth && { user: auth.access_key, password: auth.secret_key, token: auth.session_token };
    const store = placeOf(spec.store, { auth: login, tls: spec.tls }, world);
    return storedSettings("object", { ...spec, key: spec.object, store, type: spec.content_type }, world);
  },
});
