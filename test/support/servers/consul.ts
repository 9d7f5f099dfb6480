import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Consul's key-value API as its documentation describes it; no real Consul can be had here. */
export async function startConsul() {
  const keys = new Map<string, { readonly value: Buffer; readonly index: number }>();
  let index = 10;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
      const key = decodeURIComponent(pathname.replace("/v1/kv/", ""));
      const now = keys.get(key);
      const cas = searchParams.get("cas");
      const fits = cas === null || Number(cas) === (now?.index ?? 0);
      response.setHeader("content-type", "application/json");
      if (request.method === "GET") {
        response.statusCode = now ? 200 : 404;
        response.end(now ? JSON.stringify([{ Key: key, Value: now.value.toString("base64"), ModifyIndex: now.index }]) : "");
        return;
      }
      if (fits && request.method === "PUT") keys.set(key, { value: Buffer.concat(chunks), index: ++index });
      if (fits && request.method === "DELETE") keys.delete(key);
      response.end(String(fits));
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", () => done()));
  return {
    port: (server.address() as AddressInfo).port,
    get: (key: string) => keys.get(key)?.value.toString(),
    put: (key: string, value: string) => void keys.set(key, { value: Buffer.from(value), index: ++index }),
    remove: (key: string) => void keys.delete(key),
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
