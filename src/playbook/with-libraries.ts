import { type Libraries, NotLoaded } from "./libraries.ts";

const loaded: Libraries = {};

/** Does pure work; where it asks for a library, loads that and does the work again from the start. */
export async function withLibraries<T>(work: (libraries: Libraries) => T): Promise<T> {
  for (;;) {
    try {
      return work(loaded);
    } catch (thrown) {
      if (!(thrown instanceof NotLoaded)) throw thrown;
      if (thrown.library === "cel") loaded.cel = (await import("./expression/cel.ts")).createCel(loaded);
      else if (thrown.library === "linear") loaded.linear = await import("./expression/linear-regex.ts");
      else loaded.yaml = await import("./parse-yaml.ts");
    }
  }
}
