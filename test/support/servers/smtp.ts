import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";

/** What the server does when it has a whole mail: says so, hangs up without a word, or refuses it. */
export type Manner = "accept" | "drop" | "refuse";

/** A mail server that keeps what it gets (RFC 5321, as far as one client needs it). */
export async function startSmtp() {
  const mails: { readonly from: string; readonly to: readonly string[]; readonly text: string }[] = [];
  const state: { manner: Manner; connections: number } = { manner: "accept", connections: 0 };
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    state.connections += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined); // clients are killed
    const say = (line: string): void => void (socket.writable && socket.write(`${line}\r\n`));
    let rest = "";
    let data: string[] | undefined;
    let from = "";
    let to: string[] = [];
    say("220 test");
    socket.on("data", (chunk) => {
      rest += chunk.toString("utf8");
      for (let end = rest.indexOf("\r\n"); end >= 0; end = rest.indexOf("\r\n")) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        if (data !== undefined) {
          if (line !== ".") data.push(line.replace(/^\.\./, "."));
          else {
            if (state.manner === "refuse") say("451 4.3.0 not now");
            else {
              mails.push({ from, to, text: data.join("\n") });
              if (state.manner === "drop") socket.destroy();
              else say("250 2.0.0 kept");
            }
            data = undefined;
          }
          continue;
        }
        const verb = line.slice(0, 4).toUpperCase();
        if (verb === "MAIL") {
          from = line;
          to = [];
        }
        if (verb === "RCPT") to.push(line);
        if (verb === "DATA") {
          data = [];
          say("354 go on");
        } else if (verb === "QUIT") {
          say("221 bye");
          socket.end();
        } else say("250 ok");
      }
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", () => done()));
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mails,
    state,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
