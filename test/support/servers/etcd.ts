import { freePort, TestServer, until } from "./server.ts";

/** An etcd of one member, and its JSON gateway. */
export async function startEtcd() {
  const server = await TestServer.start("etcd", async (port, folder) => {
    const client = `http://127.0.0.1:${port}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    return [
      ...["etcd", "--data-dir", folder, "--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `default=${peer}`],
    ];
  });
  const ask = async (path: string, body: object): Promise<{ readonly [name: string]: unknown }> => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method: "POST", body: JSON.stringify(body) });
    return (await response.json()) as { readonly [name: string]: unknown };
  };
  const encoded = (text: string): string => Buffer.from(text).toString("base64");
  // It listens before it has a leader.
  await until("a leader of etcd", async () => "header" in (await ask("/v3/kv/range", { key: encoded("x") })));
  return {
    server,
    url: `etcd://127.0.0.1:${server.port}`,
    async get(key: string): Promise<string | undefined> {
      const { kvs } = (await ask("/v3/kv/range", { key: encoded(key) })) as { readonly kvs?: readonly { readonly value?: string }[] };
      const [entry] = kvs ?? [];
      return entry && Buffer.from(entry.value ?? "", "base64").toString();
    },
    put: (key: string, value: string) => ask("/v3/kv/put", { key: encoded(key), value: encoded(value) }),
    stop: () => server.stop(),
  };
}
