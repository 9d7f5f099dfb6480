import type { HttpRequest, HttpResponse, Network } from "../../core/index.ts";

type HttpModule = typeof import("./real-http.ts");

/** The network of this machine. Each protocol is loaded when it is first used. */
export function realNetwork(env: NodeJS.ProcessEnv): Network {
  let http: Promise<InstanceType<HttpModule["RealHttp"]>> | undefined;
  const closing: (() => Promise<void>)[] = [];
  const network: Network = {
    async http(request: HttpRequest): Promise<HttpResponse> {
      http ??= import("./real-http.ts").then(({ RealHttp }) => {
        const made = new RealHttp(env);
        closing.push(() => made.close());
        return made;
      });
      return (await http).send(request);
    },
    sql: async (url, options) => (await import("./real-sql.ts")).openSql(url, options),
    broker: async (place) => (await import("./real-broker.ts")).openBroker(place),
    store: async (place) => (await import("./real-store.ts")).openStore(place, (request) => network.http(request)),
    mail: async (mail) => (await import("./real-mail.ts")).sendMail(mail),
    async close() {
      for (const one of closing.splice(0)) await one();
      http = undefined;
    },
  };
  return network;
}
