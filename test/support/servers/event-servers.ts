import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Line, LogOnServer } from "../event-stacks.ts";
import { Postgres, postgresLacks } from "./postgres.ts";
import { TestServer } from "./server.ts";

/** The password that stands in the logs' URLs. */
export const PASSWORD = "t0ps3cret";

/** A server with logs of events that can be taken away, as a crash does, and brought back. */
export interface EventServer {
  readonly port: number;
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
  /** The log of a name; `at`: where the server is reached. */
  log(
    name: string,
    at?: string,
  ): LogOnServer & {
    /** Drops what stands in it, as whoever keeps it small does. */
    drop(): void;
  };
}

/** What is up already is not started again: a test that fails calls `up` whatever it came to. */
function downAndUp(end: () => Promise<void>, start: () => Promise<void>): Pick<EventServer, "down" | "up"> {
  let isUp = true;
  return {
    async down() {
      isUp = false;
      await end();
    },
    async up() {
      if (!isUp) await start();
      isUp = true;
    },
  };
}

export const eventServers = {
  nats: { lacks: natsLacks, start: startNatsLog },
  postgresql: { lacks: postgresLacks, start: startPostgresqlLog },
} as const satisfies { readonly [name: string]: { lacks(): string | undefined; start(): Promise<EventServer> } };

function natsLacks(): string | undefined {
  const folders = `${process.env.PATH}:/usr/sbin:/sbin`.split(":");
  return folders.some((folder) => existsSync(join(folder, "nats-server"))) ? undefined : "this machine lacks nats-server";
}

async function startNatsLog(): Promise<EventServer> {
  const server = await TestServer.start("nats", (port, folder) => [
    ...["nats-server", "-a", "0.0.0.0", "-p", String(port), "-js", "-sd", folder, "--user", "events", "--pass", PASSWORD],
  ]);
  // The client has no calls that wait, and those who ask do so between two commands.
  const asked = (body: string) => {
    const script = `import nats from "nats";
      const client = await nats.connect({ servers: "127.0.0.1:${server.port}", user: "events", pass: "${PASSWORD}" });
      const manager = await client.jetstreamManager();
      ${body}
      await client.close();`;
    const ran = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", cwd: import.meta.dirname });
    if (ran.status !== 0) throw new Error(ran.stderr);
    return ran.stdout;
  };
  return {
    port: server.port,
    ...downAndUp(
      () => server.down(),
      () => server.up(),
    ),
    stop: () => server.stop(),
    log: (name, at = `127.0.0.1:${server.port}`) => ({
      url: () => `nats://events:${PASSWORD}@${at}/${name}/stacks.${name}`,
      events: () =>
        JSON.parse(
          asked(`const found = [];
            const { state } = await manager.streams.info("${name}");
            for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq++)
              found.push((await manager.streams.getMessage("${name}", { seq })).json());
            console.log(JSON.stringify(found));`),
        ) as readonly Line[],
      drop: () => void asked(`await manager.streams.purge("${name}");`),
    }),
  };
}

async function startPostgresqlLog(): Promise<EventServer> {
  const server = await Postgres.start();
  return {
    port: server.port,
    ...downAndUp(
      () => server.crash(),
      () => server.up(),
    ),
    stop: () => server.stop(),
    log: (name, at = `127.0.0.1:${server.port}`) => ({
      url: () => `postgresql://postgres:${PASSWORD}@${at}/postgres?table=${name}`,
      events: () => JSON.parse(server.sql(`SELECT coalesce(json_agg(event ORDER BY position), '[]') FROM ${name}`)) as readonly Line[],
      drop: () => void server.sql(`DELETE FROM ${name}`),
    }),
  };
}
