import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A busy machine may need most of a minute for the slowest of them. */
const DEADLINE = 200_000;

/** A loopback port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  const port = await new Promise<number>((done) => probe.listen(0, "127.0.0.1", () => done((probe.address() as { port: number }).port)));
  await new Promise((done) => probe.close(done));
  return port;
}

/** Asks again until it is so; fails with what it waited for. */
export async function until(what: string, isSo: () => Promise<boolean> | boolean, within = DEADLINE): Promise<void> {
  for (const end = performance.now() + within; ; await sleep(20)) {
    if (await isSo()) return;
    if (performance.now() > end) throw new Error(`waited ${within} ms in vain for ${what}`);
  }
}

export function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => done(true)).on("error", () => done(false));
    socket.on("connect", () => socket.destroy());
  });
}

/** A real server in a folder of its own, which is ended with everything it started. */
export class TestServer {
  readonly port: number;
  readonly folder: string;
  private readonly name: string;
  private readonly argv: readonly string[];
  private readonly env: { readonly [name: string]: string };
  private child: ChildProcess | undefined;

  private constructor(name: string, port: number, folder: string, argv: readonly string[], env: { readonly [name: string]: string }) {
    this.name = name;
    this.port = port;
    this.folder = folder;
    this.argv = argv;
    this.env = env;
  }

  static async start(
    name: string,
    argvOf: (port: number, folder: string) => Promise<readonly string[]> | readonly string[],
    envOf: (port: number, folder: string) => { readonly [name: string]: string } = () => ({}),
  ): Promise<TestServer> {
    const port = await freePort();
    const folder = mkdtempSync(join("/var/tmp", `setpoint-${name}-`));
    // Some servers give up root.
    chmodSync(folder, 0o777);
    const server = new TestServer(name, port, folder, await argvOf(port, folder), envOf(port, folder));
    try {
      await server.up();
    } catch (thrown) {
      await server.stop();
      throw thrown;
    }
    return server;
  }

  /** Starts it, again after `down`, where it was. */
  async up(): Promise<void> {
    const [program = "", ...words] = this.argv;
    let said = "";
    this.child = spawn(program, words, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      cwd: this.folder,
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, ...this.env },
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (data: Buffer) => {
        said = (said + data.toString()).slice(-4000);
      });
    await until(`${this.name} on port ${this.port}`, () => {
      if (this.child?.exitCode !== null) throw new Error(`${this.name} ended with ${this.child?.exitCode}: ${said}`);
      return answers(this.port);
    });
  }

  /** Ends its process group, as a power cut would. */
  async down(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.pid === undefined) return;
    const gone = new Promise((done) => child.once("exit", done));
    process.kill(-child.pid, "SIGKILL");
    await gone;
    this.child = undefined;
  }

  async stop(): Promise<void> {
    await this.down();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
