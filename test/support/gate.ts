import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";

/** A piece of bytes on its way through a gate, counted from 1 over all connections. */
export interface Passing {
  readonly n: number;
  readonly to: "server" | "client";
}

/**
 * A way to a server on which one can look at each piece of bytes, before it goes on and after: there a process is killed, or a
 * connection is cut. `before` that answers false holds the piece back for good.
 */
export class Gate {
  pieces = 0;
  before: (piece: Passing) => boolean = () => true;
  after: (piece: Passing) => void = () => undefined;
  private readonly sockets = new Set<Socket>();
  private readonly server;

  private constructor(target: number) {
    this.server = createServer((client) => {
      const server = connect(target, "127.0.0.1");
      for (const socket of [client, server]) {
        this.sockets.add(socket);
        socket.setNoDelay(true);
        socket.on("error", () => undefined).on("close", () => this.sockets.delete(socket));
      }
      const pass = (to: Passing["to"], from: Socket, into: Socket): void => {
        from.on("data", (data) => {
          this.pieces += 1;
          const piece = { n: this.pieces, to };
          if (!this.before(piece)) return;
          into.write(data, () => this.after(piece));
        });
        from.on("close", () => into.end());
      };
      pass("server", client, server);
      pass("client", server, client);
    });
  }

  static async to(target: number): Promise<Gate> {
    const gate = new Gate(target);
    await new Promise<void>((done) => gate.server.listen(0, "127.0.0.1", () => done()));
    return gate;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Counts anew, and lets everything through. */
  open(): void {
    this.pieces = 0;
    this.before = () => true;
    this.after = () => undefined;
  }

  /** Ends all connections. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((done) => this.server.close(done));
  }
}
