import { connectAsync } from "mqtt";
import { TestServer } from "./server.ts";

/** A Mosquitto that lets everybody in, and a client that hears everything. */
export async function startMosquitto() {
  const server = await TestServer.start("mosquitto", (port) => ["mosquitto", "-p", String(port)]);
  const client = await connectAsync(`mqtt://127.0.0.1:${server.port}`, { protocolVersion: 5 });
  const heard: { readonly topic: string; readonly body: string; readonly key: unknown }[] = [];
  client.on("message", (topic, body, { properties }) => {
    heard.push({ topic, body: body.toString(), key: properties?.userProperties?.["sp-key"] });
  });
  await client.subscribeAsync("#", { qos: 1 });
  return {
    server,
    url: `mqtt://127.0.0.1:${server.port}`,
    heard,
    async stop() {
      await client.endAsync(true);
      await server.stop();
    },
  };
}
