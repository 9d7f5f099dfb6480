import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { errnoOf, SystemFault } from "../../core/index.ts";

/**
 * A driver that is no part of setpoint, by the name of its package: from beside setpoint, or from the folder it was started
 * in. Throws SystemFault `driver-missing`, which says what to install.
 */
export async function loadDriver(name: string, what: string): Promise<object> {
  try {
    return (await import(name)) as object;
  } catch (thrown) {
    if (!isMissing(thrown)) throw broken(name, thrown);
  }
  try {
    const path = createRequire(`${process.cwd()}/setpoint.js`).resolve(name);
    return (await import(pathToFileURL(path).href)) as object;
  } catch (thrown) {
    if (!isMissing(thrown)) throw broken(name, thrown);
    throw new SystemFault("driver-missing", `${what} needs the driver ${name}: \`npm install -g ${name}\``, {
      peer: { retry: false, counts: false },
      cause: thrown,
    });
  }
}

function isMissing(thrown: unknown): boolean {
  return ["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"].includes(errnoOf(thrown) ?? "");
}

function broken(name: string, thrown: unknown): SystemFault {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  return new SystemFault("driver-broken", `the driver ${name} cannot be loaded: ${why}`, {
    peer: { retry: false, counts: false },
    cause: thrown,
  });
}
