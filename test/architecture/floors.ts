import { dirname, join } from "node:path/posix";
import ts from "typescript";

/** The floors of src/, lowest first: what each folder may import. A folder that is not here is a violation. */
export const floors: Readonly<Record<string, readonly string[]>> = {
  core: [],
  system: ["core"],
  registers: ["core"],
  journal: ["core", "system"],
  resources: ["core", "registers"],
  playbook: ["core"],
  engine: ["core", "system", "journal"],
  report: ["core"],
  cli: ["core", "system", "registers", "journal", "resources", "playbook", "engine", "report"],
};

/** Modules that reach the world; only src/system may import them, so that everything else can be run on a simulated system. */
const worldly = new Set(
  ["fs", "fs/promises", "child_process", "net", "http", "https", "http2", "tls", "dgram", "dns", "dns/promises", "os", "process"].map(
    (name) => `node:${name}`,
  ),
).add("execa");

/** Packages that take milliseconds to load; whatever needs them loads them when it is asked for. */
const heavy = new Set(
  "yaml liquidjs @marcbachmann/cel-js re2js diff chalk execa log-update jsonc-parser smol-toml fast-xml-parser picomatch".split(" "),
);

/** Calls that read the clock or throw dice, and what to use in their place. */
const ambient: Readonly<Record<string, string>> = {
  "Date.now": "the clock of the System that was handed in",
  "performance.now": "the clock of the System that was handed in",
  "Math.random": "the chance of the System that was handed in",
  setTimeout: "the clock of the System that was handed in",
  setInterval: "the clock of the System that was handed in",
  fetch: "a reader or performer of src/system",
};

const chances = new Set(["randomBytes", "randomInt", "randomUUID", "randomFillSync", "randomFill"]);

type Import = { readonly from: string; readonly line: number; readonly specifier: string; readonly how: "static" | "type" | "dynamic" };

/** Source files by their path from the root of the package (`src/core/index.ts`), to their text. */
export type Sources = ReadonlyMap<string, string>;

/** What is wrong with `sources`, each as `file:line: what, and how to mend it`. Reads nothing but its argument. */
export function violationsOf(sources: Sources): readonly string[] {
  const parsed = [...sources].map(([path, text]) => ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true));
  const imports = parsed.flatMap(importsOf);
  return [
    ...parsed.flatMap(wordsOf),
    ...parsed.flatMap(codeOf),
    ...imports.flatMap((one) => importViolations(one, sources)),
    ...circles(imports, sources),
    ...eager(imports, sources),
  ].sort();
}

/** Host names of package registries and paths of one machine, which nothing that is published may name. */
export function placesOf(path: string, text: string): readonly string[] {
  return text.split("\n").flatMap((line, index) => {
    const host = /\b(registry[.](npmjs|yarnpkg|npmmirror)|npmjs[.](org|com)|unpkg[.]com|jsdelivr[.]net)/.exec(line);
    const place = /(?<![\w.])\/work[/](main|shared)\b/.exec(line);
    return [
      ...(host === null ? [] : [`${path}:${index + 1}: names the registry ${host[0]}; leave it to the user's npm settings`]),
      ...(place === null ? [] : [`${path}:${index + 1}: names ${place[0]}, a path of one machine; work it out from the file's own place`]),
    ];
  });
}

function importsOf(file: ts.SourceFile): readonly Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, how: Import["how"]) => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier))
      found.push({ from: file.fileName, line: lineOf(file, node), specifier: specifier.text, how });
  };
  walk(file, (node) => {
    if (ts.isImportDeclaration(node))
      add(node, node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword ? "type" : "static");
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly ? "type" : "static");
    else if (ts.isImportTypeNode(node)) add(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, "type");
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node, node.arguments[0], "dynamic");
    else if (ts.isCallExpression(node) && node.expression.getText(file) === "require") add(node, node.arguments[0], "static");
  });
  return found;
}

function importViolations({ from, line, specifier, how }: Import, sources: Sources): readonly string[] {
  const at = `${from}:${line}:`;
  const folder = folderOf(from);
  const allowed = floors[folder];
  if (allowed === undefined)
    return [`${at} src/${folder} is no folder of the table of floors; move the file, or give the folder a duty and a floor`];
  if (!specifier.startsWith(".")) return packageViolations(at, folder, specifier);

  const target = join(dirname(from), specifier);
  if (target === "package.json") return [];
  if (!target.startsWith("src/")) return [`${at} imports ${target}, which is not published; nothing in src/ may import from outside it`];
  if (!sources.has(target)) return [`${at} imports ${target}, which is not there; name the file, with its ending`];

  const other = folderOf(target);
  if (other === folder) return [];
  if (!allowed.includes(other))
    return [
      `${at} src/${folder} may not import src/${other} (only ${allowed.join(", ") || "nothing"}); have it handed in, or move what is shared to src/core`,
    ];
  if (target !== `src/${other}/index.ts`)
    return [`${at} ${how === "dynamic" ? "loads" : "imports"} ${target} past its door; export what is needed from src/${other}/index.ts`];
  return [];
}

function packageViolations(at: string, folder: string, specifier: string): readonly string[] {
  if (specifier.startsWith("node:") || worldly.has(specifier))
    return worldly.has(specifier) && folder !== "system"
      ? [`${at} only src/system may import ${specifier}; take a Reader or System as an argument`]
      : [];
  if (worldly.has(`node:${specifier}`)) return [`${at} imports ${specifier}; write node:${specifier}`];
  return folder === "core" ? [`${at} src/core imports no package (${specifier}); move this to a higher floor`] : [];
}

function codeOf(file: ts.SourceFile): readonly string[] {
  const found: string[] = [];
  const path = file.fileName;
  const isSystem = path.startsWith("src/system/");
  const mayUseProcess = isSystem || path === "src/cli/main.ts" || declares(file, "process");
  const say = (node: ts.Node, what: string) => found.push(`${path}:${lineOf(file, node)}: ${what}`);

  walk(file, (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) say(node, "the type any; use unknown and narrow it");
    if (isDefaultExport(node)) say(node, "a default export; export it by its name");
    if (isSystem) return;
    if (ts.isNewExpression(node) && node.expression.getText(file) === "Date" && (node.arguments ?? []).length === 0)
      say(node, "new Date() reads the clock; use the clock of the System that was handed in");
    if (ts.isImportSpecifier(node) && chances.has((node.propertyName ?? node.name).text))
      say(node, `${node.getText(file)} throws dice; use the chance of the System that was handed in`);
    if (ts.isPropertyAccessExpression(node) || (ts.isIdentifier(node) && isCallee(node))) {
      const name = node.getText(file).replace(/^globalThis\./, "");
      const instead = Object.hasOwn(ambient, name) && !declares(file, name) ? ambient[name] : undefined;
      if (instead !== undefined) say(node, `${name} is only for src/system; use ${instead}`);
    }
    if (!mayUseProcess && isProcess(node)) say(node, "process is only for src/system and src/cli/main.ts; have what is needed handed in");
  });
  return found;
}

function wordsOf(file: ts.SourceFile): readonly string[] {
  const places = placesOf(file.fileName, file.text);
  const todos = file.text.split("\n").flatMap((line, index) => {
    const word = /\b(TODO|FIXME|HACK)\b(?!\s*\(?#\d+)/.exec(line)?.[1];
    return word === undefined ? [] : [`${file.fileName}:${index + 1}: ${word} without an issue; write ${word}(#number), or do it now`];
  });
  return [...places, ...todos];
}

// Depth first; each circle is told once, by the path that closes it.
function circles(imports: readonly Import[], sources: Sources): readonly string[] {
  const edges = groupByFrom(imports);
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    for (const { line, specifier } of edges.get(path) ?? []) {
      const target = join(dirname(path), specifier);
      const start = [...trail, path].indexOf(target);
      if (start >= 0)
        found.push(
          `${path}:${line}: closes the circle ${[...trail, path].slice(start).join(" -> ")} -> ${target}; move what both need to a third file`,
        );
      else if (!done.has(target) && sources.has(target)) visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of sources.keys()) if (!done.has(path)) visit(path, []);
  return found;
}

function eager(imports: readonly Import[], sources: Sources): readonly string[] {
  const edges = groupByFrom(imports, (one) => one.how === "static");
  const reached = new Set<string>();
  const found: string[] = [];
  const visit = (path: string) => {
    if (reached.has(path) || !sources.has(path)) return;
    reached.add(path);
    for (const { line, specifier } of edges.get(path) ?? []) {
      if (specifier.startsWith(".")) visit(join(dirname(path), specifier));
      else if (heavy.has(specifier))
        found.push(
          `${path}:${line}: ${specifier} is loaded at every start; load it with await import(), here or where main.ts comes to here`,
        );
    }
  };
  visit("src/cli/main.ts");
  return found;
}

function groupByFrom(
  imports: readonly Import[],
  keep: (one: Import) => boolean = (one) => one.specifier.startsWith("."),
): Map<string, Import[]> {
  const groups = new Map<string, Import[]>();
  for (const one of imports.filter(keep)) groups.set(one.from, [...(groups.get(one.from) ?? []), one]);
  return groups;
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true;
  if (ts.isExportSpecifier(node)) return node.name.text === "default";
  return ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword) ?? false);
}

function isProcess(node: ts.Node): boolean {
  const isMember = ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node);
  return isMember && ["process", "globalThis.process"].includes(node.expression.getText());
}

function isCallee(node: ts.Identifier): boolean {
  return ts.isCallExpression(node.parent) && node.parent.expression === node;
}

// Whether the file has something of its own by that name.
function declares(file: ts.SourceFile, name: string): boolean {
  let found = false;
  walk(file, (node) => {
    const own = ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isBindingElement(node) || ts.isFunctionDeclaration(node);
    if ((own || ts.isImportSpecifier(node)) && node.name?.getText(file) === name) found = true;
  });
  return found;
}

function folderOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function lineOf(file: ts.SourceFile, node: ts.Node): number {
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}
