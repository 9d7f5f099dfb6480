import {
  type Declared,
  error,
  holdsResult,
  type JsonObject,
  type PlannedResource,
  type PlannedSetting,
  type PlannedTransaction,
  type Problem,
  type Reader,
  type RegisterId,
  type ResourceType,
  type Result,
  registerId,
  resultMark,
  resultsIn,
  type Setting,
  SystemFault,
  type World,
  withResults,
} from "../core/index.ts";

/** What turning resources into settings needs besides them. */
export interface ExpandParts {
  readonly stack: string;
  readonly types: ReadonlyMap<string, ResourceType>;
  readonly reader: Reader;
  /** Where relative targets are, and absolute ones too if it is set: `--root`. */
  readonly root: string | undefined;
  readonly cwd: string;
  readonly home: string;
  render(template: string, scope: JsonObject, file: string): Result<string>;
  /** Whether an address is meant by a pattern. */
  matching(pattern: string): (address: string) => boolean;
}

/** Resources and their settings, as the plan freezes them. */
export interface Expanded {
  readonly resources: readonly PlannedResource[];
  readonly settings: readonly PlannedSetting[];
  readonly transactions?: readonly PlannedTransaction[];
  /** The links that the declared paths lead through; a saved plan has only where they led. */
  readonly through?: readonly Through[];
}

/** A declared path that leads through a symbolic link. */
export interface Through {
  readonly path: string;
  /** The link's own path, and what stands behind it in the declared one. */
  readonly link: string;
  readonly rest: string;
  readonly by: number;
}

/**
 * Turns declared resources into settings, in listed order. Throws nothing: what cannot be read is a problem at its
 * resource's place, and all problems are found at once.
 */
export async function expand(
  declared: readonly Declared[],
  parts: ExpandParts,
): Promise<{ readonly expanded: Expanded; readonly problems: readonly Problem[] }> {
  const problems: Problem[] = [];
  for (const one of declared) {
    if (one.common.become === undefined) continue;
    problems.push(
      error(
        "not-supported",
        "a key that this version does not know to honour",
        "`become` is not built yet: run setpoint as the account that may do it, or give a command its `user`",
        one.place("become"),
        one.address,
      ),
    );
  }
  for (const one of declared) await parts.types.get(one.type)?.prepare?.(one.spec);
  const expansion = new Expansion(declared, parts, problems);
  const own = declared.map((_, index) => expansion.settingsOf(index));
  const named = new Set<string>();
  for (const settings of own)
    for (const { register, implied } of settings) if (register.kind === "path" && implied !== true) named.add(register.key);
  const swept = declared.map((_, index) => expansion.sweepOf(index, named));
  const settings: PlannedSetting[] = [];
  for (let by = 0; by < declared.length; by += 1) {
    for (const setting of own[by] ?? []) settings.push({ ...setting, by });
    for (const setting of swept[by] ?? []) settings.push({ ...setting, by });
  }
  const transactions = transactionsOf(declared);
  return {
    expanded: {
      resources: expansion.plannedResources(),
      settings,
      through: expansion.through,
      ...(transactions.length > 0 && { transactions }),
    },
    problems,
  };
}

function transactionsOf(declared: readonly Declared[]): readonly PlannedTransaction[] {
  const found = new Map<string, PlannedTransaction>();
  for (const { transaction } of declared) if (transaction !== undefined) found.set(transaction.name, transaction);
  return [...found.values()];
}

/** How the ids of effects begin. */
const EFFECT = "effect:";

class Expansion {
  private readonly declared: readonly Declared[];
  private readonly parts: ExpandParts;
  private readonly problems: Problem[];
  readonly through: Through[] = [];
  private readonly done: (readonly Setting[] | "now" | undefined)[] = [];

  constructor(declared: readonly Declared[], parts: ExpandParts, problems: Problem[]) {
    this.declared = declared;
    this.parts = parts;
    this.problems = problems;
  }

  /** A resource's settings; another resource may ask for them earlier than their turn. */
  settingsOf(index: number): readonly Setting[] {
    const known = this.done[index];
    if (known === "now") return [];
    if (known !== undefined) return known;
    this.done[index] = "now";
    const one = this.declared[index] as Declared;
    const settings = this.caught(one, () => {
      const spec = this.specOf(one);
      if (spec === undefined) return [];
      const made = this.parts.types.get(one.type)?.settings(spec, this.worldOf(one)) ?? [];
      if (spec === one.spec) return made;
      const results = [...new Set(resultsIn(spec).map(({ of }) => of))];
      // What a sensitive answer is part of is sensitive too, whatever it is itself declared to be.
      const sensitive = this.hasSensitive(results, one) && { sensitive: true };
      return made.map((setting) => ({ ...setting, results, ...(sensitive && { manner: { ...setting.manner, ...sensitive } }) }));
    });
    this.done[index] = settings;
    return settings;
  }

  /** Whether one of the effects, by the keys of their receipts, is declared sensitive. */
  private hasSensitive(keys: readonly string[], from: Declared): boolean {
    return this.declared.some(
      (other, index) =>
        other !== from && other.common.sensitive === true && this.settingsOf(index).some(({ register }) => keys.includes(register.key)),
    );
  }

  /** The spec, where results are named by the keys of their receipts: a run knows no addresses. */
  private specOf(one: Declared): JsonObject | undefined {
    if (one.common.needs === undefined || !holdsResult(one.spec)) return one.spec;
    let isMissing = false;
    const spec = withResults(one.spec, ({ of, ...part }) => {
      const [key, ...more] = this.registersOf(of, one).filter((id) => id.startsWith(EFFECT));
      if (key === undefined || more.length > 0) {
        const detail =
          key === undefined
            ? `${of} gives no result: only effects do, such as a call or a message`
            : `${of} means several resources: name one`;
        this.problems.push(error("no-result", "a result that there is not", detail, one.at, one.address));
        isMissing = true;
        return null;
      }
      return resultMark({ ...part, of: key.slice(EFFECT.length) });
    });
    return isMissing ? undefined : spec;
  }

  sweepOf(index: number, named: ReadonlySet<string>): readonly Setting[] {
    const one = this.declared[index] as Declared;
    return this.caught(one, () => this.parts.types.get(one.type)?.sweep?.(one.spec, this.worldOf(one), named) ?? []);
  }

  private caught(one: Declared, body: () => readonly Setting[]): readonly Setting[] {
    try {
      return body();
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      this.problems.push(error("cannot-read", "the system cannot be read", thrown.message, one.at, one.address));
      return [];
    }
  }

  private worldOf(one: Declared): World {
    const { parts, problems } = this;
    return {
      stack: parts.stack,
      declared: one,
      contents: parts.reader.contents,
      reader: parts.reader,
      target: (path) => this.resolved(this.targetOf(path), one),
      source: (path) =>
        normal(
          path.startsWith("~/")
            ? parts.home + path.slice(1)
            : path.startsWith("/")
              ? path
              : `${one.folder.startsWith("/") ? "" : `${parts.cwd}/`}${one.folder}/${path}`,
        ),
      render: (text, vars, file) => {
        const rendered = parts.render(text, { ...one.scope, ...vars }, file);
        if (rendered.ok) return rendered.value;
        problems.push(...rendered.problems.map((problem) => ({ ...problem, address: one.address })));
        return "";
      },
      registersOf: (address) => this.registersOf(address, one),
      report: ({ code, summary, detail, field, severity }) =>
        problems.push({
          code,
          severity: severity ?? "error",
          summary,
          detail,
          at: field ? one.place(...field) : one.at,
          address: one.address,
        }),
    };
  }

  private resolved(path: string, one: Declared): string {
    const { reader } = this.parts;
    const real = reader.resolve(path);
    if (real === path) return real;
    const parts = path.split("/");
    for (let depth = 2; depth < parts.length; depth++) {
      const link = reader.resolve(parts.slice(0, depth).join("/"));
      if (reader.lookAt([link])[0]?.is !== "symlink") continue;
      this.through.push({ path, link, rest: parts.slice(depth).join("/"), by: this.declared.indexOf(one) });
    }
    return real;
  }

  private targetOf(path: string): string {
    const { root, cwd, home } = this.parts;
    if (path === "~" || path.startsWith("~/")) return normal(root === undefined ? home + path.slice(1) : `${root}/${home}${path.slice(1)}`);
    if (path.startsWith("/")) return normal(root === undefined ? path : `${root}/${path}`);
    return normal(`${root ?? cwd}/${path}`);
  }

  private registersOf(pattern: string, from: Declared): readonly RegisterId[] {
    const matches = this.parts.matching(pattern);
    const ids = new Set<RegisterId>();
    this.declared.forEach((other, index) => {
      if (other === from || !matches(other.address)) return;
      for (const { register, implied } of this.settingsOf(index)) if (implied !== true) ids.add(registerId(register));
    });
    return [...ids];
  }

  plannedResources(): readonly PlannedResource[] {
    return this.declared.map((one): PlannedResource => {
      const { on_failure, protect, retry } = one.common;
      const needs = (one.common.needs ?? []).flatMap((pattern) => this.indexesOf(pattern, one));
      return {
        address: one.address,
        at: one.at,
        ...(needs.length > 0 && { needs: [...new Set(needs)].sort((a, b) => a - b) }),
        ...(on_failure !== undefined && { onFailure: on_failure }),
        ...(protect === true && { protect }),
        ...(retry !== undefined && { retry }),
        ...(one.transaction && { transaction: one.transaction.name }),
        ...(one.selected ? {} : { selected: false as const }),
      };
    });
  }

  private indexesOf(pattern: string, from: Declared): readonly number[] {
    const matches = this.parts.matching(pattern);
    return this.declared.flatMap((other, index) => (other !== from && matches(other.address) ? [index] : []));
  }
}

/** An absolute path without `.`, `..`, double or trailing slashes. */
function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}
