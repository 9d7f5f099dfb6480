import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its private key, as PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority of a test, made with openssl. */
export class Certificates {
  readonly ca: Identity;

  constructor() {
    this.ca = inFolder((folder) => {
      openssl(folder, "req", "-x509", "-nodes", ...KEY, "-keyout", "key", "-out", "cert", "-days", "2", "-subj", "/CN=test authority");
    });
  }

  /** A server's options, for a host by name or address. */
  server(host: string): Identity {
    return this.signed("server", `subjectAltName=${/^[\d.]+$/.test(host) ? "IP" : "DNS"}:${host}`);
  }

  client(name: string): Identity {
    return this.signed(name, "extendedKeyUsage=clientAuth");
  }

  private signed(name: string, extension: string): Identity {
    return inFolder((folder) => {
      writeFileSync(join(folder, "ca"), this.ca.cert);
      writeFileSync(join(folder, "ca-key"), this.ca.key);
      writeFileSync(join(folder, "extension"), extension);
      openssl(folder, "req", "-new", "-nodes", ...KEY, "-keyout", "key", "-out", "request", "-subj", `/CN=${name}`);
      const signing = ["-CA", "ca", "-CAkey", "ca-key", "-CAcreateserial", "-days", "2", "-extfile", "extension"];
      openssl(folder, "x509", "-req", "-in", "request", ...signing, "-out", "cert");
    });
  }
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

function inFolder(make: (folder: string) => void): Identity {
  const folder = mkdtempSync(join(tmpdir(), "setpoint-cert-"));
  try {
    make(folder);
    return { cert: readFileSync(join(folder, "cert"), "utf8"), key: readFileSync(join(folder, "key"), "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function openssl(folder: string, ...argv: readonly string[]): void {
  execFileSync("openssl", argv, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
}
