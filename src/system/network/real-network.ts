import { type HttpRequest, type HttpResponse, type Network, SystemFault } from "../../core/index.ts";

type HttpModule = typeof import("./real-http.ts");

/** The network of this machine. Each protocol is loaded when it is first used. */
export function realNetwork(env: NodeJS.ProcessEnv): Network {
  let http: Promise<InstanceType<HttpModule["RealHttp"]>> | undefined;
  const closing: (() => Promise<void>)[] = [];
  return {
    async http(request: HttpRequest): Promise<HttpResponse> {
      http ??= import("./real-http.ts").then(({ RealHttp }) => {
        const made = new RealHttp(env);
        closing.push(() => made.close());
        return made;
      });
      return (await http).send(request);
    },
    sql: () => Promise.reject(notYet("databases")),
    broker: () => Promise.reject(notYet("brokers")),
    store: () => Promise.reject(notYet("stores")),
    mail: () => Promise.reject(notYet("mail")),
    async close() {
      for (const one of closing.splice(0)) await one();
      http = undefined;
    },
  };
}

function notYet(what: string): SystemFault {
  return new SystemFault("unknown-protocol", `this version cannot talk to ${what}`, { peer: { retry: false, counts: false } });
}
