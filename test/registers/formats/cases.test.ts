import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  type Edit,
  FormatError,
  type FormatMap,
  type FormatName,
  flattenSet,
  formatNames,
  loadFormat,
  parseKeyPath,
} from "../../../src/registers/formats/index.ts";

/** A text, what is to be set and unset in it (unset first), and the text that comes of it or the problem that is reported. */
interface Case {
  readonly name: string;
  readonly text: string;
  readonly set?: FormatMap;
  readonly unset?: readonly string[];
  /** Left out where nothing changes. */
  readonly after?: string;
  readonly problem?: { readonly message: string; readonly line?: number };
}

const folder = new URL("./cases/", import.meta.url);

describe.each(readdirSync(folder))("%s", (file) => {
  const format = file.split(".")[0] as FormatName;
  const cases = parse(readFileSync(new URL(file, folder), "utf8")) as readonly Case[];

  test.each(cases.map((one) => [one.name, one] as const))("%s", async (_, { text, set = {}, unset = [], after, problem }) => {
    expect(formatNames).toContain(format);
    const { edit } = await loadFormat(format);
    const edits: Edit[] = [...unset.map((path) => ({ unset: parseKeyPath(path) })), ...flattenSet(set)];
    if (problem === undefined) {
      const result = edit(text, edits);
      expect(result).toBe(after ?? text);
      expect(edit(result, edits)).toBe(result);
      return;
    }
    const error = catchError(() => edit(text, edits));
    expect(error).toBeInstanceOf(FormatError);
    expect(error).toMatchObject({
      message: expect.stringContaining(problem.message) as string,
      ...(problem.line === undefined ? {} : { line: problem.line }),
    });
    expect((error as FormatError).mend).not.toBe("");
  });
});

function catchError(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
