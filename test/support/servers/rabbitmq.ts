import { execFileSync } from "node:child_process";
import { connect } from "amqplib";
import { answers, freePort, TestServer, until } from "./server.ts";

/** A RabbitMQ node with an epmd of its own, and a client of it. */
export async function startRabbit() {
  const [epmd, dist] = [await freePort(), await freePort()];
  const endEpmd = () =>
    until("the end of epmd", async () => {
      try {
        execFileSync("epmd", ["-port", String(epmd), "-kill"], { stdio: "ignore" });
      } catch {
        // It still knows a node, or is gone.
      }
      return !(await answers(epmd));
    });
  const server = await TestServer.start(
    "rabbitmq",
    () => ["/usr/lib/rabbitmq/bin/rabbitmq-server"],
    (port, folder) => ({
      HOME: folder,
      RABBITMQ_NODENAME: `sp${port}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_DIST_PORT: String(dist),
      RABBITMQ_MNESIA_BASE: `${folder}/mnesia`,
      RABBITMQ_LOG_BASE: `${folder}/log`,
      RABBITMQ_PID_FILE: `${folder}/pid`,
      RABBITMQ_ENABLED_PLUGINS_FILE: `${folder}/plugins`,
      ERL_EPMD_PORT: String(epmd),
      ERL_EPMD_ADDRESS: "127.0.0.1",
    }),
  ).catch(async (thrown: unknown) => {
    await endEpmd();
    throw thrown;
  });
  const url = `amqp://127.0.0.1:${server.port}`;
  let client: Awaited<ReturnType<typeof connect>> | undefined;
  // The port is open before the node has started.
  await until("RabbitMQ", async () => {
    client = await connect(url).catch(() => undefined);
    return client !== undefined;
  });
  const connection = client as NonNullable<typeof client>;
  connection.on("error", () => undefined); // the server was ended
  const channel = await connection.createChannel();
  return {
    server,
    url,
    queue: (name: string) => channel.assertQueue(name, { durable: true }),
    /** Takes what a queue holds. */
    async take(queue: string) {
      const found: { readonly body: string; readonly id: unknown; readonly persistent: boolean }[] = [];
      for (let got = await channel.get(queue, { noAck: true }); got !== false; got = await channel.get(queue, { noAck: true }))
        found.push({ body: got.content.toString(), id: got.properties.messageId, persistent: got.properties.deliveryMode === 2 });
      return found;
    },
    async stop() {
      await connection.close().catch(() => undefined);
      await server.stop();
      await endEpmd();
    },
  };
}
