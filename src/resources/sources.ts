import { type Reader, SystemFault, type World } from "../core/index.ts";

type Source = NonNullable<ReturnType<Reader["source"]>>;

/** A source file as the reader has it; undefined where it cannot be had, which is reported at the field. */
export function sourceFile(from: string, field: string, world: World): Source | undefined {
  try {
    const found = world.reader.source(from);
    if (found === undefined)
      world.report({ code: "missing-source", summary: "a source does not exist", detail: `there is no file ${from}`, field: [field] });
    return found;
  } catch (thrown) {
    if (!(thrown instanceof SystemFault)) throw thrown;
    if (world.reader.list(from) !== undefined) {
      world.report({
        code: "source-is-folder",
        summary: "a source is a folder",
        detail: `${from} is a folder: the type \`tree\` copies folders`,
        field: [field],
      });
      return undefined;
    }
    world.report({ code: "unreadable-source", summary: "a source cannot be read", detail: thrown.message, field: [field] });
    return undefined;
  }
}
