import type { FormatJson, FormatMap } from "./format.ts";

/** Whether a value is a map (and not null or a list). */
export function isMap(value: FormatJson | undefined): value is FormatMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value is a list; narrows what `Array.isArray` leaves as `any[]`. */
export function isList(value: FormatJson | undefined): value is readonly FormatJson[] {
  return Array.isArray(value);
}

/** A map from its entries. `Object.fromEntries` defines fields, so `__proto__` becomes data and not a prototype. */
export function mapOf(entries: Iterable<readonly [string, FormatJson]>): FormatMap {
  return Object.fromEntries(entries);
}

/** The value of an own key; inherited names such as `constructor` are absent. */
export function own(map: FormatMap, key: string): FormatJson | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** Whether two values are the same JSON; the order of keys does not count. */
export function sameJson(one: FormatJson, other: FormatJson): boolean {
  if (isList(one)) return isList(other) && one.length === other.length && one.every((item, i) => sameJson(item, other[i] as FormatJson));
  if (isMap(one)) {
    if (!isMap(other)) return false;
    const keys = Object.keys(one);
    return (
      keys.length === Object.keys(other).length &&
      keys.every((key) => Object.hasOwn(other, key) && sameJson(one[key] as FormatJson, other[key] as FormatJson))
    );
  }
  // -0 is written as 0 by most formats, so the two count as the same; NaN is the same as NaN, or an edit would never be satisfied.
  return one === other || (typeof one === "number" && typeof other === "number" && Number.isNaN(one) && Number.isNaN(other));
}
