import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type PeerAnswer, type PeerManner, PeerModel } from "./http-peer-model.ts";

/** A real HTTP server on a loopback port that answers as its model says, with faults on demand. */
export class HttpPeer {
  readonly model: PeerModel;
  /** Connections that were ever made. */
  connections = 0;
  private readonly server: Server;
  private readonly secure: boolean;

  private constructor(model: PeerModel, tls: ServerOptions | undefined) {
    this.model = model;
    this.secure = tls !== undefined;
    const listener = (request: IncomingMessage, response: ServerResponse) => void this.serve(request, response);
    this.server = tls ? createTlsServer(tls, listener) : createServer(listener);
    this.server.on(this.secure ? "secureConnection" : "connection", () => {
      this.connections += 1;
    });
  }

  static async start(manner: PeerManner = {}, tls?: ServerOptions): Promise<HttpPeer> {
    const peer = new HttpPeer(new PeerModel(manner), tls);
    await peer.listen(0);
    return peer;
  }

  private listen(port: number): Promise<void> {
    return new Promise((done, fail) => {
      this.server.once("error", fail);
      this.server.listen(port, "127.0.0.1", () => done());
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `${this.secure ? "https" : "http"}://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    if (this.server.listening) await new Promise((done) => this.server.close(done));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // the client went away while it was speaking
    }
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]),
    );
    const body = Buffer.concat(chunks).toString("utf8");
    const { answer, fault } = this.model.take({ method: request.method ?? "", target: request.url ?? "", headers, body });
    if (fault?.do === "drop") {
      request.socket.destroy();
      return;
    }
    if (fault?.do === "delay") await sleep(fault.ms);
    await send(response, answer, fault?.do === "slow" ? fault.ms : 0);
  }
}

async function send(response: ServerResponse, { status, headers = {}, body }: PeerAnswer, ms: number): Promise<void> {
  const isText = typeof body === "string";
  const text = body === undefined ? "" : isText ? body : JSON.stringify(body);
  response.writeHead(status, { ...(text !== "" && { "content-type": isText ? "text/plain" : "application/json" }), ...headers });
  if (ms === 0) {
    response.end(text);
    return;
  }
  for (const letter of text) {
    response.write(letter);
    await sleep(ms / text.length);
  }
  response.end();
}
