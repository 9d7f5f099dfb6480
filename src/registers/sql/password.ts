import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import type { SqlDialect } from "../../core/index.ts";

/** As PostgreSQL's own default. */
const ITERATIONS = 4096;

/** Whether a hash as a database keeps it is that of a password. */
export function isHashOf(dialect: SqlDialect, hash: string, password: string): boolean {
  if (dialect === "mariadb") return hash.toUpperCase() === nativeHash(password);
  const scram = /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(hash);
  return scram !== null && scramHash(password, Buffer.from(scram[2] as string, "base64"), Number(scram[1])) === hash;
}

/** A password as a database keeps it. `salt`: 16 bytes that nobody can guess; made from the password, so that it is always the same. */
export function hashOf(dialect: SqlDialect, password: string, salt: Uint8Array): string {
  return dialect === "mariadb" ? nativeHash(password) : scramHash(password, salt, ITERATIONS);
}

/** RFC 5802 and 7677, as libpq's PQencryptPasswordConn writes it. */
function scramHash(password: string, salt: Uint8Array, iterations: number): string {
  const salted = pbkdf2Sync(password.normalize("NFKC"), salt, iterations, 32, "sha256");
  const mac = (text: string) => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(mac("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString("base64")}$${stored}:${mac("Server Key").toString("base64")}`;
}

/** mysql_native_password. */
function nativeHash(password: string): string {
  const sha1 = (bytes: string | Buffer) => createHash("sha1").update(bytes).digest();
  return `*${sha1(sha1(password)).toString("hex").toUpperCase()}`;
}
