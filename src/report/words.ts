import type { Place } from "../core/index.ts";
import { safeLine } from "./safe.ts";

const grouped = /\B(?=(\d{3})+(?!\d))/g;

/** A count for people: `12,345`. */
export function number(value: number): string {
  return Number.isInteger(value) ? String(value).replace(grouped, ",") : String(value);
}

/** A count with its noun: `1 resource`, `2 resources`, `3 directories`. */
export function count(value: number, noun: string, plural = `${noun}s`): string {
  return `${number(value)} ${value === 1 ? noun : plural}`;
}

/** A size for people, with at most one decimal: `1.5 KiB`. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let amount = value;
  let unit = 0;
  while (amount >= (unit === 0 ? 1024 : 1023.95) && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${Number(amount.toFixed(1))} ${units[unit] ?? "B"}`;
}

/** A span of time for people by its two largest units: `4s`, `3m 04s`, `2h 05m`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const two = (value: number): string => String(value).padStart(2, "0");
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h ${two(Math.floor((seconds % 3600) / 60))}m`;
}

/** `file:line:column`, safe to print. */
export function placeText(at: Place): string {
  return `${safeLine(at.file)}:${at.line}:${at.column}`;
}

/** `file:line`, safe to print. */
export function lineText(at: Place): string {
  return `${safeLine(at.file)}:${at.line}`;
}

/** Parts that say something, joined by commas. */
export function listed(...parts: readonly (string | undefined | false)[]): string {
  return parts.filter((part) => part !== undefined && part !== false && part !== "").join(", ");
}
