import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

const SECRET = "s3cr3t-of-the-bucket";

/**
 * A store that speaks as Amazon S3 does, as far as one object needs it: conditions, entity tags, and signatures, which are worked
 * out here anew from AWS's description of Signature Version 4.
 */
export async function startS3() {
  const objects = new Map<string, { readonly body: Buffer; readonly type: string }>();
  /** Called before each request is looked at. */
  const state: { before: (method: string, key: string) => void } = { before: () => undefined };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const answer = (status: number, headers: { readonly [name: string]: string } = {}, content: Buffer | string = ""): void => {
        response.writeHead(status, headers);
        response.end(content);
      };
      const { pathname } = new URL(request.url ?? "", "http://x");
      const key = decodeURIComponent(pathname);
      const method = request.method ?? "";
      if (!isSigned(request, body)) return answer(403, { "content-type": "application/xml" }, "<Code>SignatureDoesNotMatch</Code>");
      if (!key.startsWith("/bucket/")) return answer(404, {}, "<Code>NoSuchBucket</Code>");
      state.before(method, key);
      const now = objects.get(key);
      const etag = now && etagOf(now.body);
      const { "if-match": match, "if-none-match": none } = request.headers;
      if ((match !== undefined && match !== etag) || (none === "*" && now !== undefined))
        return answer(match !== undefined && now === undefined ? 404 : 412, {}, "<Code>PreconditionFailed</Code>");
      if (method === "PUT") {
        objects.set(key, { body, type: request.headers["content-type"] ?? "binary/octet-stream" });
        return answer(200, { etag: etagOf(body) });
      }
      if (method === "DELETE") {
        objects.delete(key);
        return answer(204);
      }
      if (now === undefined) return answer(404, {}, "<Code>NoSuchKey</Code>");
      return answer(200, { etag: etagOf(now.body), "content-type": now.type }, now.body);
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", () => done()));
  return {
    port: (server.address() as AddressInfo).port,
    secret: SECRET,
    state,
    get: (key: string) => objects.get(`/bucket/${key}`),
    put: (key: string, body: string | Buffer, type = "text/plain") =>
      void objects.set(`/bucket/${key}`, { body: Buffer.from(body as string), type }),
    remove: (key: string) => void objects.delete(`/bucket/${key}`),
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function etagOf(body: Buffer): string {
  return `"${createHash("md5").update(body).digest("hex")}"`;
}

function isSigned(request: IncomingMessage, body: Buffer): boolean {
  const found =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? "",
    );
  if (!found) return false;
  const [, , date = "", region = "", signedHeaders = "", signature = ""] = found;
  const hash = request.headers["x-amz-content-sha256"];
  // What is not signed could have been changed on the way.
  const needed = [
    "host",
    "x-amz-date",
    "x-amz-content-sha256",
    ...(["if-match", "if-none-match"] as const).filter((name) => request.headers[name]),
  ];
  if (hash !== createHash("sha256").update(body).digest("hex") || !needed.every((name) => signedHeaders.split(";").includes(name)))
    return false;
  const { pathname } = new URL(request.url ?? "", "http://x");
  const path = decodeURIComponent(pathname).split("/").map(strictly).join("/");
  const headers = signedHeaders.split(";").map((name) => `${name}:${String(request.headers[name]).trim().replace(/ +/g, " ")}\n`);
  const canonical = [request.method, path, "", headers.join(""), signedHeaders, hash].join("\n");
  const scope = `${date}/${region}/s3/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  const hmac = (key: string | Buffer, data: string): Buffer => createHmac("sha256", key).update(data).digest();
  const key = hmac(hmac(hmac(hmac(`AWS4${SECRET}`, date), region), "s3"), "aws4_request");
  return timingSafeEqual(hmac(key, text), Buffer.from(signature, "hex"));
}

function strictly(segment: string): string {
  return encodeURIComponent(segment).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
