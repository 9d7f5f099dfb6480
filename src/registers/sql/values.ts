import { canonicalJson, isObject, type Json, type JsonObject } from "../../core/index.ts";

/** How the values of a column are compared. */
export type Sort = "boolean" | "integer" | "decimal" | "real" | "json" | "list" | "bytes" | "time" | "padded" | "uuid" | "text" | "any";

/** The sort of a column, from its type's name in any of the databases. */
export function sortOf(type: string): Sort {
  const name = type.toLowerCase().trim();
  if (name.endsWith("[]")) return "list";
  if (/^bool/.test(name)) return "boolean";
  if (/^(?:small|big|tiny|medium)?int|^(?:small|big)?serial|^year/.test(name)) return "integer";
  if (/^(?:numeric|decimal|dec\b|fixed|number)/.test(name)) return "decimal";
  if (/^(?:real|double|float)/.test(name)) return "real";
  if (/^json/.test(name)) return "json";
  if (/^(?:bytea|.*blob|.*binary)/.test(name)) return "bytes";
  if (/^(?:timestamp|datetime|time|date)/.test(name)) return "time";
  if (/^(?:char\b|character\b(?! varying)|bpchar|nchar)/.test(name)) return "padded";
  if (name === "uuid") return "uuid";
  return name === "" ? "any" : "text";
}

/** A value as it is compared: what is declared and what was read have one form. */
export function normalValue(value: Json, sort: Sort): Json {
  if (value === null) return null;
  switch (sort) {
    case "boolean":
      return typeof value === "string" ? /^(?:t|true|1|yes|on)$/i.test(value) : value === true || value === 1;
    case "integer":
      if (typeof value === "boolean") return value ? 1 : 0;
      return whole(value);
    case "decimal":
      return typeof value === "number" || typeof value === "string" ? decimal(String(value)) : value;
    case "real":
      return typeof value === "string" && value.trim() !== "" && !Number.isNaN(Number(value)) ? Number(value) : value;
    case "json":
      return typeof value === "string" ? value : (JSON.parse(canonicalJson(value)) as Json);
    case "list":
      return Array.isArray(value) ? (value as Json[]).map((one) => (one === null || typeof one === "object" ? one : String(one))) : value;
    case "time":
      return typeof value === "string" ? time(value) : value;
    case "padded":
      return String(value).replace(/ +$/, "");
    case "uuid":
    case "bytes":
      return String(value).toLowerCase();
    case "any":
      return typeof value === "boolean" ? (value ? 1 : 0) : typeof value === "object" ? canonicalJson(value) : value;
    case "text":
      return typeof value === "object" ? canonicalJson(value) : typeof value === "boolean" ? (value ? "1" : "0") : String(value);
  }
}

function whole(value: Json): Json {
  if (typeof value !== "string" || !/^\s*[+-]?\d+\s*$/.test(value)) return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value.trim()).toString();
}

/** `+01.50` is `1.5`. */
function decimal(text: string): string {
  const parts = /^\s*([+-]?)0*(\d*)(?:\.(\d*?)0*)?\s*$/.exec(text);
  if (parts === null || (parts[2] === "" && (parts[3] ?? "") === "" && !/\d/.test(text))) {
    const number = Number(text);
    return Number.isFinite(number) && text.trim() !== "" ? decimal(number.toFixed(20)) : text;
  }
  const [, sign, before = "", after = ""] = parts;
  const digits = `${before === "" ? "0" : before}${after === "" ? "" : `.${after}`}`;
  return sign === "-" && /[1-9]/.test(digits) ? `-${digits}` : digits;
}

/** A time with a zone as UTC; the rest as databases write it: a blank between date and time, no zeros behind the seconds. */
function time(text: string): string {
  const parts = /^(\d{4,}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d+))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/i.exec(text.trim());
  if (parts === null)
    return text
      .trim()
      .replace(/(\.\d*?)0+$/, "$1")
      .replace(/\.$/, "");
  const [, date, minutes, seconds = "00", fraction = "", zone] = parts;
  const rest = fraction.replace(/0+$/, "");
  const tail = rest === "" ? "" : `.${rest}`;
  if (zone === undefined) return `${date} ${minutes}:${seconds}${tail}`;
  const offset = /^z$/i.test(zone)
    ? "+00:00"
    : zone.length === 3
      ? `${zone}:00`
      : zone.includes(":")
        ? zone
        : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const at = new Date(`${date}T${minutes}:${seconds}${offset}`);
  if (Number.isNaN(at.getTime())) return text;
  return `${at.toISOString().slice(0, 19).replace("T", " ")}${tail}+00`;
}

/** A value as a parameter of a column of this sort. */
export function sentValue(value: Json, sort: Sort): string | number | boolean | null | JsonObject {
  if (value === null) return null;
  if (sort === "json") return JSON.stringify(value);
  if (sort === "list" && Array.isArray(value)) return arrayText(value as Json[]);
  if (sort === "bytes" && typeof value === "string" && /^\\x[0-9a-f]*$/i.test(value)) return { $hex: value.slice(2) };
  if (sort === "time" && typeof value === "string") return value.replace(/Z$/, "+00");
  return isObject(value) || Array.isArray(value) ? JSON.stringify(value) : (value as string | number | boolean);
}

/** PostgreSQL's text of an array. */
function arrayText(list: readonly Json[]): string {
  const items = list.map((one) => {
    if (one === null) return "NULL";
    if (Array.isArray(one)) return arrayText(one as Json[]);
    const text = typeof one === "object" ? JSON.stringify(one) : String(one);
    return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  });
  return `{${items.join(",")}}`;
}
