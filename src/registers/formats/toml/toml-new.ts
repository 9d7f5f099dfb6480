import { type FlowStyle, renderFlow } from "../flow/edit-flow.ts";
import { slotOf } from "../flow/flow.ts";
import { parseFlow } from "../flow/parse-flow.ts";
import type { FormatJson, FormatMap } from "../format.ts";
import { isMap } from "../format-json.ts";
import { separatorLike } from "../lines/lines.ts";
import { type TomlLine, type TomlPair, tomlFlow } from "./toml-lines.ts";
import { encodeTomlKey } from "./toml-scalar.ts";

const oneLine = (eol: string): FlowStyle => ({ eol, unit: "    ", colon: " = ", lines: false, pad: " ", lastComma: false });

/** The line of a new pair, its `=` placed as its siblings have theirs. Maps in the value become inline tables. */
export function newPair(keys: readonly string[], value: FormatJson, siblings: readonly TomlPair[], eol: string, indent: string): TomlLine {
  const rawKey = keys.map(encodeTomlKey).join(".");
  const equals = separatorLike(
    siblings.slice(-20).map((line) => ({ key: line.rawKey, separator: line.equals })),
    rawKey,
    " = ",
  );
  const raw = renderFlow(value, "", oneLine(eol), tomlFlow);
  return { is: "pair", indent, rawKey, keys, equals, slot: slotOf(parseFlow(raw, 0, tomlFlow).value), rest: "", at: 0, eol };
}

function newHeader(keys: readonly string[], list: boolean, eol: string): TomlLine {
  const name = keys.map(encodeTomlKey).join(".");
  return { is: "header", raw: list ? `[[${name}]]` : `[${name}]`, keys, list, at: 0, eol };
}

function isSection(value: FormatJson): value is FormatMap {
  return isMap(value) && Object.keys(value).length > 0;
}

/** The lines of a new table: its pairs first, then the tables in it. A table of nothing but tables needs no header. */
export function newTable(keys: readonly string[], value: FormatMap, eol: string): readonly TomlLine[] {
  const pairs = Object.entries(value).filter(([, inner]) => !isSection(inner));
  const tables = Object.entries(value).filter(([, inner]) => isSection(inner));
  const lines: TomlLine[] = [];
  if (pairs.length > 0 || tables.length === 0) lines.push(newHeader(keys, false, eol));
  for (const [key, inner] of pairs) lines.push(newPair([key], inner, [], eol, ""));
  for (const [key, inner] of tables) {
    if (lines.length > 0) lines.push({ is: "trivia", raw: "", eol });
    lines.push(...newTable([...keys, key], inner as FormatMap, eol));
  }
  return lines;
}

/** The lines of new entries of an array of tables; maps in them become inline tables. */
export function newTables(keys: readonly string[], items: readonly FormatJson[], eol: string): readonly TomlLine[] {
  const blank: TomlLine = { is: "trivia", raw: "", eol };
  return items.flatMap((item, i) => [
    ...(i === 0 ? [] : [{ ...blank }]),
    newHeader(keys, true, eol),
    ...(isMap(item) ? Object.entries(item) : []).map(([key, inner]) => newPair([key], inner, [], eol, "")),
  ]);
}
