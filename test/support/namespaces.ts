import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { until } from "./servers/port.ts";

const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

function ip(...argv: readonly string[]): void {
  const { status, stderr } = spawnSync("ip", argv, { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${argv.join(" ")}: ${stderr}`);
}

/** Machines of one network as far as the network goes: a namespace each, on one bridge, at which this process is reached. */
export class Namespaces {
  /** Where the namespaces reach this process. */
  readonly address: string;
  private readonly tag = `sp${process.pid.toString(36)}`;
  private readonly names: readonly string[];
  private readonly forwarders: ChildProcess[] = [];

  constructor(names: readonly string[]) {
    this.names = names;
    // Of this process alone, as others may run the same test at the same time.
    const net = `10.${200 + (process.pid % 50)}.${Math.floor(process.pid / 50) % 250}`;
    this.address = `${net}.1`;
    try {
      ip("link", "add", this.bridge, "type", "bridge");
      ip("addr", "add", `${this.address}/24`, "dev", this.bridge);
      ip("link", "set", this.bridge, "up");
      for (const [index, name] of names.entries()) {
        ip("netns", "add", this.namespace(name));
        ip("link", "add", this.link(name), "type", "veth", "peer", "name", "eth0", "netns", this.namespace(name));
        ip("link", "set", this.link(name), "master", this.bridge);
        ip("link", "set", this.link(name), "up");
        ip("-n", this.namespace(name), "addr", "add", `${net}.${index + 2}/24`, "dev", "eth0");
        for (const link of ["lo", "eth0"]) ip("-n", this.namespace(name), "link", "set", link, "up");
      }
    } catch (thrown) {
      this.remove();
      throw thrown;
    }
  }

  /** The words that run a program in a namespace. */
  through(name: string): readonly string[] {
    return [
      "/usr/bin/env",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "ip",
      "netns",
      "exec",
      this.namespace(name),
    ];
  }

  /** Nothing gets through any more, and nobody is told. */
  cut(name: string): void {
    ip("link", "set", this.link(name), "down");
  }

  mend(name: string): void {
    ip("link", "set", this.link(name), "up");
  }

  /** Lets the namespaces reach a port of the loopback. Returns where. */
  async forward(port: number): Promise<string> {
    const script = `import { connect, createServer } from "node:net";
      createServer((near) => {
        const far = connect(${port}, "127.0.0.1");
        for (const [one, other] of [[near, far], [far, near]]) one.on("error", () => other.destroy()).on("close", () => other.destroy()).pipe(other);
      }).listen(0, "${this.address}", function () { console.log(this.address().port); });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    this.forwarders.push(child);
    let said = "";
    child.stdout?.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });
    await until("the forwarder", () => said.endsWith("\n"));
    return `${this.address}:${said.trim()}`;
  }

  /** Takes away all that was made of it. */
  remove(): void {
    for (const child of this.forwarders) child.kill("SIGKILL");
    const gone = (...argv: readonly string[]) => spawnSync("ip", argv, { env });
    for (const name of this.names) {
      // A namespace lives on as long as a process is in it, and its link with it.
      gone("link", "del", this.link(name));
      gone("netns", "del", this.namespace(name));
    }
    gone("link", "del", this.bridge);
  }

  private get bridge(): string {
    return `${this.tag}br`;
  }

  private namespace(name: string): string {
    return `${this.tag}-${name}`;
  }

  private link(name: string): string {
    return `${this.tag}v${name}`;
  }
}
