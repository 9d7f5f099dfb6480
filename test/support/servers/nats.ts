import { connect, type StreamConfig } from "nats";
import { TestServer } from "./server.ts";

/** A NATS server with JetStream, and a client of it. */
export async function startNats() {
  const server = await TestServer.start("nats", (port, folder) => [
    ...["nats-server", "-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder],
  ]);
  const client = await connect({ servers: `127.0.0.1:${server.port}` });
  const manager = await client.jetstreamManager();
  return {
    server,
    url: `nats://127.0.0.1:${server.port}`,
    stream: (config: Partial<StreamConfig> & { readonly name: string }) => manager.streams.add(config),
    /** What a stream holds, in order. */
    async messages(stream: string) {
      const { state } = await manager.streams.info(stream);
      const found: { readonly subject: string; readonly body: string; readonly id: string | undefined }[] = [];
      for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq++) {
        const message = await manager.streams.getMessage(stream, { seq });
        found.push({ subject: message.subject, body: message.string(), id: message.header?.get("Nats-Msg-Id") });
      }
      return found;
    },
    client,
    async stop() {
      await client.close();
      await server.stop();
    },
  };
}
