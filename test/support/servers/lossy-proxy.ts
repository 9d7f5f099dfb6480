import { connect, createServer, type Server, type Socket } from "node:net";

/** A proxy before a server that loses the answers to chosen requests: they arrive, and what comes back does not. */
export class LossyProxy {
  readonly port: number;
  /** How often it lost an answer. */
  lost = 0;
  /** Of what the client says, that whose answer is lost; asked once a piece. */
  loses: (text: string) => boolean = () => false;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.server = server;
    this.port = port;
  }

  static start(to: number): Promise<LossyProxy> {
    return new Promise((done) => {
      const server = createServer((client) => {
        const upstream = connect(to, "127.0.0.1");
        let isCut = false;
        for (const socket of [client, upstream]) {
          proxy.sockets.add(socket);
          socket.on("error", () => undefined);
          socket.on("close", () => proxy.sockets.delete(socket));
        }
        client.on("data", (bytes) => {
          if (proxy.loses(bytes.toString("latin1"))) {
            isCut = true;
            proxy.lost += 1;
            // The server has it, and goes on; who asked is left without an answer.
            upstream.write(bytes, () => client.destroy());
            return;
          }
          upstream.write(bytes);
        });
        upstream.on("data", (bytes) => {
          if (!isCut) client.write(bytes);
        });
        upstream.on("close", () => client.destroy());
        client.on("close", () => {
          if (!isCut) upstream.destroy();
        });
      });
      const proxy = new LossyProxy(server, 0);
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        Object.assign(proxy, { port: typeof address === "object" && address !== null ? address.port : 0 });
        done(proxy);
      });
    });
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}
