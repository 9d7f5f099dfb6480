import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Certificates } from "../support/certificates.ts";
import { HttpPeer } from "../support/http-peer.ts";
import { RemoteStage } from "../support/remote-stage.ts";

let stage: RemoteStage;
let peer: HttpPeer | undefined;

beforeEach(() => {
  stage = new RemoteStage();
});

afterEach(async () => {
  await peer?.stop();
  peer = undefined;
  await stage.close();
});

const indented = (text: string) => text.trim().replaceAll("\n", "\n        ");

/** An object of the peer, with what says how it is reached. */
const object = (more: string) => stage.book(`  - http: ${peer?.origin}/users/5\n    body: { status: inactive }\n${more}`);

describe("connections", () => {
  test("are kept: many requests over few connections", async () => {
    peer = await HttpPeer.start();
    stage.book(
      Array.from({ length: 20 }, (_, id) => `  - http: ${peer?.origin}/users/${id}\n    body: { status: inactive }\n`).join(""),
      `peers:\n  ${peer.origin}: { concurrency: 1 }\n`,
    );
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect(peer.model.seen.length).toBeGreaterThanOrEqual(60);
    // One at a time; a slow machine may leave one idle for too long.
    expect(peer.connections).toBeLessThanOrEqual(3);
  });

  test("by TLS: a private authority is trusted where the playbook names it, for the host it certifies and no other", async () => {
    const authority = new Certificates();
    peer = await HttpPeer.start({}, authority.server("127.0.0.1"));
    object(`    tls:\n      ca: |\n        ${indented(authority.ca.cert)}\n`);
    expect(await stage.json("apply")).toMatchObject({ exit: 0, summary: { verified: true } });
    object(`    tls:\n      server_name: other.example\n      ca: |\n        ${indented(authority.ca.cert)}\n`);
    expect((await stage.run("plan")).err).toMatch(/other\.example|altnames/);
    object("");
    expect((await stage.run("plan")).err).toMatch(/certificate/);
    object("    tls: { verify: false }\n");
    expect(await stage.run("plan")).toMatchObject({ exit: 0 });
  });

  test("by mutual TLS: whoever has the client's certificate is let in", async () => {
    const authority = new Certificates();
    const { cert, key } = authority.client("setpoint");
    peer = await HttpPeer.start(
      {},
      { ...authority.server("127.0.0.1"), ca: authority.ca.cert, requestCert: true, rejectUnauthorized: true },
    );
    const ca = `      ca: |\n        ${indented(authority.ca.cert)}\n`;
    const top = "inputs:\n  key: { type: string, secret: true, from: { file: key.pem } }\n";
    stage.write("key.pem", key);
    stage.book(
      `  - http: ${peer.origin}/users/5\n    body: { status: inactive }\n    tls:\n${ca}      cert: |\n        ${indented(cert)}\n      key: \${{ inputs.key }}\n`,
      top,
    );
    expect(await stage.json("apply")).toMatchObject({ exit: 0, summary: { changed: 1, verified: true } });
    object(`    tls:\n${ca}`);
    expect((await stage.run("plan")).exit).not.toBe(0);
    // The key is a secret: neither plan nor journal holds it.
    expect(stage.stateText()).not.toContain(key.split("\n")[1]);
  });

  test.each(["http", "https"] as const)("go through a proxy where the playbook names one (%s)", async (scheme) => {
    const authority = new Certificates();
    peer = await HttpPeer.start({}, scheme === "https" ? authority.server("127.0.0.1") : undefined);
    const proxy = await ForwardProxy.start();
    const tls = scheme === "https" ? `    tls:\n      ca: |\n        ${indented(authority.ca.cert)}\n` : "";
    object(`    proxy: ${proxy.url}\n${tls}`);
    expect(await stage.json("apply")).toMatchObject({ exit: 0, summary: { verified: true } });
    expect(proxy.asked).toContain(`127.0.0.1:${peer.port}`);
    await proxy.stop();
  });

  test("credentials never leave their origin: a redirect to another one is not followed", async () => {
    peer = await HttpPeer.start();
    const other = await HttpPeer.start();
    other.model.objects.set("/users/5", { status: "inactive" });
    object("    auth: { bearer: a-long-token }\n");
    for (const status of [301, 302, 307, 308]) {
      peer.model.fault = () => ({ do: "answer", answer: { status, headers: { location: `${other.origin}/users/5` } } });
      expect((await stage.run("plan")).err, String(status)).toMatch(/not followed/);
    }
    expect(other.model.seen).toEqual([]);
    await other.stop();
  });

  test("a redirect within the origin is followed by reads, and by writes only for 307 and 308", async () => {
    peer = await HttpPeer.start();
    peer.model.objects.set("/users/5", { status: "active" });
    for (const status of [301, 302, 303, 307, 308]) {
      peer.model.objects.set("/users/5", { status: "active" });
      peer.model.fault = ({ target }) =>
        target === "/users/5?to" ? undefined : { do: "answer", answer: { status, headers: { location: "/users/5?to" } } };
      object("");
      const { exit } = await stage.json("apply");
      expect(exit, String(status)).toBe(status >= 307 ? 0 : 6);
    }
  });
});

/** A forward proxy that tells where it was asked to connect to. */
class ForwardProxy {
  readonly asked: string[] = [];
  private readonly server: Server = createServer();

  static async start(): Promise<ForwardProxy> {
    const proxy = new ForwardProxy();
    proxy.server.on("connect", (request, socket, head) => {
      proxy.asked.push(request.url ?? "");
      const [host = "", port = "0"] = (request.url ?? "").split(":");
      const onward = connect(Number(port), host, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        onward.write(head);
        onward.pipe(socket).pipe(onward);
      });
      onward.on("error", () => socket.destroy());
      socket.on("error", () => onward.destroy());
    });
    await new Promise<void>((done) => proxy.server.listen(0, "127.0.0.1", done));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
