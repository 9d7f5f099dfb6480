import type { SentMessageInfo } from "nodemailer/lib/smtp-transport/index.js";
import { type Mail, originOf, SystemFault } from "../../core/index.ts";
import { CONNECT_TIMEOUT, driver, loginOf, placeFault, timeoutOf, tlsOptionsOf } from "./place.ts";

/** Codes of nodemailer for what fails before a mail is begun. Its `command` is of no use: a connection that is lost in the middle of a mail says CONN, too. */
const BEFORE: ReadonlySet<string> = new Set([
  "EDNS",
  "EAUTH",
  "ENOAUTH",
  "ETLS",
  "ENOTFOUND",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/** Hands one mail to a server. Throws SystemFault. */
export async function sendMail(mail: Mail): Promise<{ readonly response: string }> {
  const { server, from, to, subject, text, id } = mail;
  const { createTransport } = await driver<typeof import("nodemailer")>("nodemailer", "SMTP");
  const { protocol, hostname, port } = new URL(server.url);
  const { user, password } = loginOf(server);
  const secure = protocol === "smtps:";
  const transport = createTransport({
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? (secure ? 465 : 25) : Number(port),
    secure,
    connectionTimeout: CONNECT_TIMEOUT,
    greetingTimeout: CONNECT_TIMEOUT,
    socketTimeout: timeoutOf(server),
    // A name that is not ours to give is not given.
    name: "localhost",
    tls: tlsOptionsOf(server),
    ...(user !== undefined && { auth: { user, pass: password ?? "" } }),
  });
  try {
    const sent: SentMessageInfo = await transport.sendMail({
      from,
      to: [...to],
      subject,
      text,
      messageId: id,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    if (sent.rejected.length > 0)
      throw new SystemFault("partly-refused", `${originOf(server.url)}: the mail was taken, but not for ${sent.rejected.join(", ")}`, {
        mutated: "maybe",
        peer: { retry: false, counts: false },
      });
    return { response: sent.response };
  } catch (thrown) {
    const {
      responseCode,
      code = "",
      syscall,
    } = thrown as { readonly responseCode?: number; readonly code?: string; readonly syscall?: string };
    // A server that answers with 4xx or 5xx has not taken it; one that does not answer may have.
    const refused = responseCode !== undefined && responseCode >= 400;
    const before =
      BEFORE.has(code) || syscall === "connect" || /^(Greeting never received|Connection timeout)/.test((thrown as Error).message);
    throw placeFault(server, "sending a mail", thrown, {
      mutated: refused || before ? "no" : "maybe",
      retry: responseCode === undefined || responseCode < 500,
      // Who refuses is there.
      counts: responseCode === undefined,
    });
  } finally {
    transport.close();
  }
}
