import { errnoOf, originOf, type PlaceData, SystemFault } from "../../core/index.ts";
import { loadDriver } from "./load-driver.ts";

const TIMEOUT = 30_000;
/** How long a connection may take to be made, in ms. */
export const CONNECT_TIMEOUT = 10_000;

/** A driver as its types have it: of a package in CommonJS `import` gives the module as the default. Throws SystemFault. */
export async function driver<T>(name: string, what: string): Promise<T> {
  const loaded = await loadDriver(name, what);
  return ("default" in loaded ? loaded.default : loaded) as T;
}

/** ms that one exchange may take. */
export function timeoutOf({ timeout }: PlaceData): number {
  return timeout ?? TIMEOUT;
}

/** Who we are there: what `auth` says, else what the URL says. */
export function loginOf({ url, auth }: PlaceData): { readonly user?: string; readonly password?: string; readonly token?: string } {
  const { username, password } = new URL(url);
  return {
    ...(username !== "" && { user: decodeURIComponent(username) }),
    ...(password !== "" && { password: decodeURIComponent(password) }),
    ...auth,
  };
}

/** The options of node:tls. */
export function tlsOptionsOf({ url, tls }: PlaceData): object {
  return {
    ...(tls?.ca !== undefined && { ca: tls.ca }),
    ...(tls?.cert !== undefined && { cert: tls.cert }),
    ...(tls?.key !== undefined && { key: tls.key }),
    servername: tls?.server_name ?? new URL(url).hostname,
    ...(tls?.verify === false && { rejectUnauthorized: false }),
  };
}

/** What is known of a fault of another machine. */
interface Trouble {
  readonly mutated?: "no" | "maybe";
  readonly retry?: boolean;
  /** Whether it speaks against the other side's being there at all; left out: as `retry`. */
  readonly counts?: boolean;
  readonly code?: string;
}

/** A driver's error as a fault: one that may pass, unless `retry` is false. Its message never holds the URL's credentials. */
export function placeFault(
  place: PlaceData,
  doing: string,
  thrown: unknown,
  { mutated = "no", retry = true, counts = retry, code }: Trouble = {},
): SystemFault {
  if (thrown instanceof SystemFault) return thrown;
  const why = thrown instanceof Error ? messageOf(thrown) : String(thrown);
  return new SystemFault(code ?? errnoOf(thrown) ?? "peer-fault", `${originOf(place.url)}: ${doing}: ${why}`, {
    mutated,
    peer: { retry, counts },
    cause: thrown,
  });
}

/** Node gives several attempts to connect as one error without a message. */
function messageOf(error: Error): string {
  const { errors } = error as Error & { readonly errors?: readonly Error[] };
  const text = error.message || (errors?.[0]?.message ?? error.name);
  return text.replace(/\s+/g, " ").trim();
}

/** Waits for an answer only so long. Throws SystemFault. */
export async function within<T>(place: PlaceData, doing: string, work: Promise<T>, ms: number, mutated: "no" | "maybe" = "no"): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new SystemFault("timeout", `${originOf(place.url)}: ${doing}: there was no answer in ${ms} ms`, {
            mutated,
            peer: { retry: true, counts: true },
          }),
        ),
      ms,
    );
  });
  work.catch(() => undefined); // what comes after the time is up concerns nobody
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
