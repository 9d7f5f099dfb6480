import { createServer } from "node:net";

/** A port of the loopback that is free now. */
export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.on("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** Asks again until the answer is true. Throws when the time is up. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, within = 30_000): Promise<void> {
  const end = Date.now() + within;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what}: not in ${within} ms`);
    await new Promise((go) => setTimeout(go, 20));
  }
}
