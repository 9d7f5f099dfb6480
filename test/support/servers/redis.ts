import { createClient } from "@redis/client";
import { TestServer } from "./server.ts";

/** A Redis that keeps nothing on disk, and a client of it. */
export async function startRedis() {
  const server = await TestServer.start("redis", (port, folder) => [
    "redis-server",
    ...["--bind", "127.0.0.1", "--port", String(port), "--save", "", "--appendonly", "no", "--dir", folder],
  ]);
  const client = createClient({ RESP: 2, socket: { host: "127.0.0.1", port: server.port } });
  client.on("error", () => undefined); // a server that is gone makes the command fail
  await client.connect();
  return {
    server,
    url: `redis://127.0.0.1:${server.port}/0`,
    /** One command; texts come back as texts. */
    call: (...words: readonly string[]) => client.sendCommand(words as string[]) as Promise<unknown>,
    async stop() {
      client.destroy();
      await server.stop();
    },
  };
}
