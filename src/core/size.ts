/** A value read from text, or why the text is none: `summary` is the kind of problem, `detail` says what to write. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly summary: string; readonly detail: string };

const byteUnits: ReadonlyMap<string, bigint> = new Map(
  Object.entries({ b: 0, kib: 10, mib: 20, gib: 30, tib: 40, pib: 50 })
    .map(([unit, power]): [string, bigint] => [unit, 2n ** BigInt(power)])
    .concat(Object.entries({ kb: 3, mb: 6, gb: 9, tb: 12, pb: 15 }).map(([unit, power]) => [unit, 10n ** BigInt(power)])),
);

/**
 * Reads a size in bytes: a whole number of bytes, or a number with a unit (`10MiB` by 1024, `10MB` by 1000; case is free).
 * A bare `10M` is refused, as programs differ in what it means.
 */
export function parseSize(given: string | number): Parsed<number> {
  const parts = /^\s*(\d+)(?:\.(\d+))?\s*([a-z]*)\s*$/i.exec(String(given));
  const [, whole, fraction = "", unit = ""] = parts ?? [];
  const factor = byteUnits.get(unit === "" ? "b" : unit.toLowerCase());
  if (whole === undefined) return notASize(given, "Write bytes, or a number with a unit such as 512KiB, 10MiB or 2GB.");
  if (factor === undefined) {
    const letter = /^[kmgtp]$/i.test(unit) ? unit.toUpperCase() : undefined;
    return notASize(
      given,
      letter === undefined
        ? "Units are B, KiB, MiB, GiB, TiB, PiB, and kB, MB, GB, TB, PB."
        : `Write ${whole}${letter}iB (by 1024) or ${whole}${letter}B (by 1000).`,
    );
  }
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * factor;
  if (scaled % scale !== 0n) return notASize(given, "That is no whole number of bytes.");
  const bytes = Number(scaled / scale);
  if (!Number.isSafeInteger(bytes)) return notASize(given, "That is too large.");
  return { ok: true, value: bytes };
}

/** Shows a size to people, with at most one decimal: `10 MiB`, `1.5 KiB`, `999 B`. Not for comparing: it rounds. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  // 1023.95 would be shown as 1024.0, so it already belongs to the next unit.
  while (value >= (unit === 0 ? 1024 : 1023.95) && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(1))} ${units[unit] ?? "B"}`;
}

const durationUnits: readonly (readonly [unit: string, milliseconds: number])[] = [
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/** Reads a duration as milliseconds: `500ms`, `30s`, `5m`, `2h`, `1d`, `1w`, or several from large to small (`1h30m`). A bare number is refused, but for 0. */
export function parseDuration(given: string | number): Parsed<number> {
  const text = String(given).trim();
  if (text === "0") return { ok: true, value: 0 };
  if (/^\d+(\.\d+)?$/.test(text)) return notADuration(given, `Say the unit: ${text}s, ${text}m or ${text}ms.`);
  let rest = text;
  let total = 0;
  let after = -1;
  while (rest !== "") {
    const [part, amount, unit] = /^(\d+(?:\.\d+)?)\s*(ms|[wdhms])\s*/.exec(rest) ?? [];
    const rank = durationUnits.findIndex(([name]) => name === unit);
    const factor = durationUnits[rank]?.[1];
    if (part === undefined || factor === undefined || rank <= after)
      return notADuration(given, "Write for example 500ms, 30s, 5m, 2h, 1d or 1h30m.");
    total += Number(amount) * factor;
    after = rank;
    rest = rest.slice(part.length);
  }
  if (text === "") return notADuration(given, "Write for example 500ms, 30s, 5m, 2h, 1d or 1h30m.");
  const milliseconds = Math.round(total);
  if (!Number.isSafeInteger(milliseconds)) return notADuration(given, "That is too long.");
  return { ok: true, value: milliseconds };
}

/** Shows a duration to people by its two largest units: `350ms`, `1.2s`, `3m 4s`, `2h 5m`, `1d 3h`. Not for comparing: it rounds down. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.floor(milliseconds)}ms`;
  if (milliseconds < 60_000) return `${Math.floor(milliseconds / 100) / 10}s`;
  const rank = durationUnits.findIndex(([unit, size]) => unit !== "w" && milliseconds >= size);
  const [unit, size] = durationUnits[rank] ?? ["ms", 1];
  const [lower, lowerSize] = durationUnits[rank + 1] ?? ["ms", 1];
  const remainder = Math.floor((milliseconds % size) / lowerSize);
  return `${Math.floor(milliseconds / size)}${unit}${remainder === 0 ? "" : ` ${remainder}${lower}`}`;
}

function notASize(given: string | number, detail: string): Parsed<number> {
  return { ok: false, summary: "not a size", detail: `'${given}' is not a size. ${detail}` };
}

function notADuration(given: string | number, detail: string): Parsed<number> {
  return { ok: false, summary: "not a duration", detail: `'${given}' is not a duration. ${detail}` };
}
