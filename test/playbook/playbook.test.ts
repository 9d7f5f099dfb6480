import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Declared, sha256 } from "../../src/core/index.ts";
import { addressMatcher, lintPlaybook, loadPlaybook, type Playbook, playbookSchema } from "../../src/playbook/index.ts";
import { fakeTypes, sources } from "./fake-types.ts";

const head = "setpoint: 1\nname: web\n";

async function load(body: string, over: Parameters<typeof sources>[0] = {}): Promise<Playbook> {
  const loaded = await loadPlaybook(head + body, "site/web.yaml", sources(over));
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems, undefined, 1));
  return loaded.value;
}

const addresses = (playbook: Playbook): readonly string[] => playbook.resources.map((one) => one.address);
const chosen = (playbook: Playbook): readonly string[] => playbook.resources.filter((one) => one.selected).map((one) => one.address);

describe("inputs", () => {
  const body = "inputs:\n  a: { type: integer, default: 1, from: { env: A } }\nresources: []\n";
  const varFiles = [
    { file: "one.yaml", text: "a: 3\n" },
    { file: "two.json", text: '{"a": 4}' },
  ];
  const higher = [
    {},
    { env: { A: "2" } },
    { varFiles: varFiles.slice(0, 1) },
    { varFiles },
    { environment: { a: "5" } },
    { given: { a: "6" } },
  ];

  test("the later of default, from, --var-file, SETPOINT_VAR_ and --var wins", async () => {
    for (const [index] of higher.entries()) {
      const playbook = await load(body, Object.assign({}, ...higher.slice(0, index + 1)));
      expect(playbook.inputs).toEqual({ a: index + 1 });
    }
  });

  test("a source lower down is not asked where a value is given", async () => {
    const command = (): string => {
      throw new Error("asked");
    };
    await load("inputs: { a: { from: { command: [ x ] } } }\nresources: []\n", { given: { a: "x" }, command });
  });

  test("files are relative to the playbook's folder and lose one newline", async () => {
    const playbook = await load("inputs: { a: { from: { file: ../keys/a } } }\nresources: []\n", { files: { "keys/a": "x\n\n" } });
    expect(playbook.inputs).toEqual({ a: "x\n" });
  });

  test("texts are read as the declared type", async () => {
    const playbook = await load(
      "inputs:\n  a: { type: list }\n  b: { type: map }\n  c: { type: boolean }\n  d: { type: string }\n  e: { type: number }\nresources: []\n",
      { given: { a: "[x, 2]", b: "k: v", c: "true", d: "007", e: "-1.5" } },
    );
    expect(playbook.inputs).toEqual({ a: ["x", 2], b: { k: "v" }, c: true, d: "007", e: -1.5 });
  });

  test("a secret is marked, listed and plain in the scope", async () => {
    const playbook = await load("inputs: { t: { secret: true }, m: { type: map, secret: true } }\nresources: [ { file: /a } ]\n", {
      given: { t: "hunter2", m: '{"a": ["x1", "x2"]}' },
    });
    expect(playbook.inputs).toEqual({ t: { $secret: "t" }, m: { $secret: "m" } });
    expect(playbook.secrets).toEqual([
      { name: "t", value: "hunter2" },
      { name: "m", value: "x1" },
      { name: "m", value: "x2" },
    ]);
    expect(playbook.resources[0]?.scope.inputs).toEqual({ t: "hunter2", m: { a: ["x1", "x2"] } });
  });

  test("a value in a --var-file that no input has is a warning at its place", async () => {
    const playbook = await load("inputs: { abc: { default: x } }\nresources: []\n", {
      varFiles: [{ file: "v.yaml", text: "x: 1\nabd: 2\n" }],
    });
    expect(playbook.warnings.map((one) => [one.severity, one.at?.file, one.at?.line, one.at?.column])).toEqual([
      ["warning", "v.yaml", 1, 1],
      ["warning", "v.yaml", 2, 1],
    ]);
  });

  test("what is given for a secret stands in no message, also where it is refused", async () => {
    const body =
      "inputs:\n  a: { secret: true, pattern: '^x' }\n  b: { secret: true, tpye: string, type: integer }\n  c: { secret: true, default: hunter4, minimum: x }\n";
    const varFiles = [
      { file: "v.yaml", text: "a: hunter1\nq: 1\n" },
      { file: "w.yaml", text: "a: hunter2: x\n" },
    ];
    const text = `${head}${body}vars:\n  v: \${{ nope }} hunter4 hunter3\nresources: []\n`;
    const loaded = await loadPlaybook(text, "x.yaml", sources({ varFiles, given: { b: "hunter3" } }));
    expect(loaded.ok ? [] : loaded.problems.map((one) => one.code)).toEqual(
      expect.arrayContaining(["wrong-input", "unknown-key", "wrong-type", "unknown-input", "yaml-syntax", "unknown-name"]),
    );
    expect(JSON.stringify(loaded)).not.toMatch(/hunter/);
    expect(JSON.stringify(await lintPlaybook(text, "x.yaml", fakeTypes))).not.toMatch(/hunter4/);
  });

  test("a pattern that could run away is tested in linear time", async () => {
    const loaded = await loadPlaybook(
      `${head}inputs: { a: { pattern: '^(a+)+$' } }\nresources: []\n`,
      "x.yaml",
      sources({ given: { a: `${"a".repeat(60)}!` } }),
    );
    expect(loaded).toMatchObject({ ok: false, problems: [{ code: "wrong-input" }] });
  });
});

describe("resources", () => {
  test("names, ids, tags and items make the address", async () => {
    const playbook = await load(`
resources:
  - package: [ nginx, curl ]
  - file: /a
    id: motd
  - line: /etc/hosts
    text: 127.0.0.1 localhost
  - line: /etc/hosts
    text: ${"x".repeat(41)}
  - line: /etc/hosts
    id: third
    text: z
  - config: /etc/a
    set: { "k.\${{ facts.os.family }}": 1 }
  - file: /\${{ each.key }}\${{ each.index }}
    for_each: { b: 1, a: 2 }
  - service: same
    id: svc
    for_each: [ x, y ]
  - command: [ echo, hi there ]
  - file: /left-out
    when: facts.os.family == 'alpine'
`);
    expect(addresses(playbook)).toEqual([
      "package:nginx",
      "package:curl",
      "file:motd",
      "line:/etc/hosts#127.0.0.1 localhost",
      `line:/etc/hosts#${"x".repeat(33)}~${sha256("x".repeat(41)).slice(0, 6)}`,
      "line:third",
      "config:/etc/a#k.debian",
      "file:/b0",
      "file:/a1",
      "service:svc[0]",
      "service:svc[1]",
      "command:echo hi there",
    ]);
    expect(playbook.resources.at(-1)?.spec).toEqual({ command: "echo hi there", run: ["echo", "hi there"] });
  });

  test("common keys come out in one form, and a type's own field of that name stays in its spec", async () => {
    const playbook = await load(`
resources:
  - file: /a
    retry: 3
    timeout: 1m30s
    become: true
    tags: web
    needs: package:nginx
    sensitive: true
  - command: x
    timeout: 5s
    undo: [ y ]
    retry: { attempts: 2, delay: 500ms }
    protect: false
    become: false
  - package: nginx
`);
    const [file, command] = playbook.resources as readonly [Declared, Declared];
    expect(file.common).toEqual({
      retry: { attempts: 3, delay: 1000 },
      timeout: 90_000,
      become: "root",
      tags: ["web"],
      needs: ["package:nginx"],
    });
    expect(file.spec).toEqual({ file: "/a", state: "present", sensitive: true });
    expect(command.common).toEqual({ retry: { attempts: 2, delay: 500 }, protect: false });
    expect(command.spec).toEqual({ command: "x", timeout: "5s", undo: ["y"] });
  });

  test("a resource and its fields know their places", async () => {
    const playbook = await load(
      "resources:\n  - package: [ nginx, curl ]\n    version: '1'\n  - config: /etc/a\n    set:\n      a: { b: x }\n",
    );
    const at = (declared: Declared | undefined, ...path: (string | number)[]): string => {
      const place = declared?.place(...path);
      return `${place?.line}:${place?.column}`;
    };
    const [nginx, curl, config] = playbook.resources;
    expect(nginx?.at).toEqual({ file: "site/web.yaml", line: 4, column: 16 });
    expect([at(curl), at(curl, "package"), at(curl, "version"), at(curl, "nope")]).toEqual(["4:23", "4:23", "5:14", "4:23"]);
    expect([at(config), at(config, "config"), at(config, "set"), at(config, "set", "a", "b"), at(config, "set", "q")]).toEqual([
      "6:5",
      "6:13",
      "8:7",
      "8:15",
      "8:7",
    ]);
    expect({ ...config }.at?.line).toBe(6);
  });

  test("an expression alone keeps its type, within a text it is spelled out, and $${{ is plain", async () => {
    const playbook = await load(`
vars: { n: 3, l: [ 1, a ], m: { k: true } }
resources:
  - config: /a
    set:
      n: \${{ vars.n }}
      l: \${{ vars.l }}
      m: [ "\${{ vars.m }}", " \${{ vars.n }} \${{ vars.m.k }}" ]
      "k-\${{ vars.n }}": $\${{ vars.n }}
      __proto__: 1
`);
    expect(JSON.stringify(playbook.resources[0]?.spec.set)).toBe(
      '{"n":3,"l":[1,"a"],"m":[{"k":true}," 3 true"],"k-3":"${{ vars.n }}","__proto__":1}',
    );
  });

  test("let is worked out in order and seen as let.name and name, also by when", async () => {
    const playbook = await load(
      "resources:\n  - file: /${{ b }}\n    for_each: [ 1, 2 ]\n    let: { a: '${{ each.value + 1 }}', b: 'x${{ let.a }}${{ a }}' }\n    when: [ a > 2, true ]\n",
    );
    expect(addresses(playbook)).toEqual(["file:/x33"]);
    expect(playbook.resources[0]?.scope).toMatchObject({ each: { key: 1, value: 2, index: 1 }, let: { a: 3, b: "x33" }, a: 3, b: "x33" });
  });

  test("a need of what is left out by its when is dropped", async () => {
    const playbook = await load(
      "resources:\n  - package: nginx\n    when: false\n  - file: /x\n    id: y\n    when: false\n  - file: /a\n    needs: [ package:nginx, file:y, file:/x ]\n  - file: /b\n    needs: [ 'file:/*', package:nginx ]\n  - line: /l\n    text: x\n    when: false\n  - package: [ p, q ]\n    when: false\n  - file: /c\n    needs: [ line:/l#x, line:/l, package:q ]\n",
    );
    expect(playbook.resources.map((one) => one.common.needs)).toEqual([undefined, ["file:/*"], undefined]);
  });

  test("facts that were read are known by their paths", async () => {
    const playbook = await load(
      "vars: { a: '${{ facts.os.version + 1 }}' }\nresources:\n  - file: /a\n    when: \"has(facts.gone.x) || facts.os.family == 'debian'\"\n    template: t\n",
    );
    expect(playbook.factsUsed).toEqual({ "os.family": "debian", "os.version": 12, "gone.x": null });
    expect(playbook.render("{{ facts.cpus }}", playbook.resources[0]?.scope ?? {}, "t")).toEqual({ ok: true, value: "4" });
    expect(playbook.factsUsed).toMatchObject({ cpus: 4 });
  });
});

describe("selection", () => {
  const body = `
resources:
  - package: [ a, b ]
    tags: [ pkg ]
  - file: /x/1
    needs: package:a
    tags: [ files, slow ]
  - file: /x/2
    tags: files
  - line: /etc/hosts
    text: z
    needs: file:/x/1
`;
  test.each([
    [{}, ["package:a", "package:b", "file:/x/1", "file:/x/2", "line:/etc/hosts#z"]],
    [{ only: ["line:/etc/hosts"] }, ["package:a", "file:/x/1", "line:/etc/hosts#z"]],
    [{ only: ["file:/x/*"] }, ["package:a", "file:/x/1", "file:/x/2"]],
    [{ only: ["file:/x/*"], exclude: ["package:*"] }, ["file:/x/1", "file:/x/2"]],
    [{ tags: ["files"], skipTags: ["slow"] }, ["file:/x/2"]],
    [{ exclude: ["file:/x/2", "package:b"] }, ["package:a", "file:/x/1", "line:/etc/hosts#z"]],
  ])("%j takes %j", async (selection, wanted) => {
    const playbook = await load(body, { selection });
    expect(chosen(playbook)).toEqual(wanted);
    expect(playbook.resources).toHaveLength(5);
  });

  test("addresses are matched by themselves, by what stands before # or [key], and by globs", () => {
    const meant = (pattern: string, address: string): boolean => addressMatcher(pattern)(address);
    expect(meant("line:/etc/hosts", "line:/etc/hosts#x")).toBe(true);
    expect(meant("service:x", "service:x[a b]")).toBe(true);
    expect(meant("line:/etc/host", "line:/etc/hosts#x")).toBe(false);
    expect(meant("file:/etc/*", "file:/etc/a/b")).toBe(false);
    expect(meant("file:/etc/**", "file:/etc/a/b")).toBe(true);
    expect(meant("file:*", "file:/etc/a")).toBe(true);
    expect(meant("*", "file:/etc/a")).toBe(true);
    expect(meant("file:/a.b*", "file:/aXb")).toBe(false);
  });
});

describe("templates", () => {
  const render = async (template: string): Promise<unknown> => {
    const playbook = await load("vars: { name: web, list: [ 1, 2 ] }\nresources: [ { file: /a, template: t } ]\n");
    const rendered = playbook.render(template, playbook.resources[0]?.scope ?? {}, "t.conf");
    return rendered.ok
      ? rendered.value
      : rendered.problems.map((one) => `${one.at?.file}:${one.at?.line}:${one.at?.column} ${one.code} ${one.detail}`);
  };
  test.each([
    ["no template { } at all\n", "no template { } at all\n"],
    ["{% for x in vars.list %}{{ x }},{% endfor %} {{ vars.name | upcase }}\n", "1,2, WEB\n"],
    ["{% if facts.os.family == 'debian' %}deb{% endif %}", "deb"],
    ["a\n  {{ vars.nam }}", ["t.conf:2:6 unknown-name there is no `nam` in `vars`; did you mean `name`?"]],
    ["{{ vras.name }}", ["t.conf:1:4 unknown-name there is no `vras`; did you mean `vars`?"]],
  ])("%j gives %j", async (template, wanted) => {
    expect(await render(template)).toEqual(wanted);
  });

  test.each([
    ["x\n{{ vars.name | nope }}", "t.conf:2:", "nope"],
    ["{% if %}", "t.conf:1:6", ""],
    ["{{ vars.list }}", "t.conf:1:", "a list cannot be put out"],
    ["{{ 'now' | date: '%s' }}", "t.conf:1:", "no clock"],
    ["{{ vars.list | sample }}", "t.conf:1:", "no chance"],
    ["{% include 'x' %}", "t.conf:1:", "other files"],
    ["{% for i in (1..100000000) %}{{ i }}{% endfor %}", "t.conf:1:", "limit"],
    ["{{ vars.constructor }}", "t.conf:1:", "constructor"],
  ])("%j is a problem at its place", async (template, place, said) => {
    const [problem] = (await render(template)) as readonly string[];
    expect(problem?.startsWith(place), problem).toBe(true);
    expect(problem).toContain(said);
  });
});

describe("lint", () => {
  test("a playbook whose values are not known has no problems, and its addresses are not guessed at", async () => {
    const body =
      "inputs: { d: {} }\nvars: { root: '/srv/${{ inputs.d }}' }\nresources:\n  - file: ${{ vars.root }}/a\n    when: facts.os.family == 'x'\n  - service: nginx\n    needs: file:/srv/x/a\n    restart_when: [ 'file:/srv/*' ]\n  - file: /${{ each.value }}\n    for_each: ${{ inputs.d }}\n    content: ${{ each.value.x }}\n";
    expect(await lintPlaybook(head + body, "x.yaml", fakeTypes)).toEqual([]);
  });

  test("what can be judged is", async () => {
    const body =
      "inputs: { d: {} }\nvars: { a: '${{ inputs.e }}', b: '${{ 1 + }}' }\nresources:\n  - file: /a\n    mode: 644\n    content: ${{ inputs.d }}\n    sensitive: 3\n  - service: nginx\n    restart_when: [ 'file:/b', package:x ]\n";
    expect((await lintPlaybook(head + body, "x.yaml", fakeTypes)).map((one) => `${one.at?.line}:${one.at?.column} ${one.code}`)).toEqual([
      "4:24 unknown-name",
      "4:43 expression-syntax",
      "7:11 a-mode-must-be-quoted",
      "9:16 wrong-type",
      "11:21 unknown-address",
      "11:32 unknown-address",
    ]);
  });
});

describe("laws", () => {
  const key = fc.constantFrom(
    "setpoint",
    "name",
    "inputs",
    "vars",
    "resources",
    "file",
    "when",
    "for_each",
    "let",
    "needs",
    "id",
    "content",
    "a",
    "${{ vars.a }}",
    "&x a",
    "*x",
    "? ",
    "- ",
    "<<",
  );
  const scalar = fc.constantFrom(
    "1",
    "web",
    "${{ vars.a }}",
    "${{ inputs.a",
    "'",
    '"',
    "|",
    ">-",
    "[",
    "]",
    "{",
    "}",
    "!!binary x",
    "!tag y",
    "&x",
    "*x",
    "0644",
    "~",
    "[a, b]",
    "{a: 1}",
    "\t",
    "---",
    "...",
    "%YAML 1.1",
    "# c",
    "\u0000",
    "\ud800",
  );
  const line = fc
    .tuple(fc.nat(6), fc.boolean(), fc.option(key, { nil: undefined }), scalar)
    .map(([indent, dash, name, value]) => `${" ".repeat(indent)}${dash ? "- " : ""}${name === undefined ? "" : `${name}: `}${value}`);
  const yamlish = fc.array(line, { maxLength: 14 }).map((lines) => lines.join("\n"));

  test("no text makes it throw, and all places are inside the text", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          yamlish,
          yamlish.map((text) => head + text),
          fc.string({ unit: "binary" }),
        ),
        async (text) => {
          const loaded = await loadPlaybook(text, "x.yaml", sources());
          const found = [...(loaded.ok ? loaded.value.warnings : loaded.problems), ...(await lintPlaybook(text, "x.yaml", fakeTypes))];
          if (!loaded.ok) expect(loaded.problems.some((one) => one.severity === "error")).toBe(true);
          const lines = text.split("\n");
          for (const { at, excerpt } of found) {
            const line = lines[(at?.line ?? 0) - 1];
            expect(line).toBeDefined();
            expect(at?.column).toBeGreaterThan(0);
            expect(at?.column).toBeLessThanOrEqual((line ?? "").length + 1);
            expect(excerpt).toBe(line?.replace(/\r$/, ""));
          }
        },
      ),
      { numRuns: 500 },
    );
  }, 60_000);

  test("no expression makes it throw, and its problems stand in its line", async () => {
    const piece = fc.constantFrom(
      "inputs.a",
      "facts",
      ".os",
      ".?x",
      "[0]",
      "[",
      "]",
      "(",
      ")",
      "{",
      "}",
      "'a'",
      "'",
      '"',
      "1",
      "1.5",
      "-",
      "+",
      "*",
      "/",
      "%",
      "==",
      "<",
      "in ",
      "&&",
      "||",
      "!",
      "? ",
      ": ",
      ", ",
      ".map(x, ",
      ".filter(",
      ".all(y, y",
      "x",
      "has(",
      "size(",
      "string(",
      "sort(",
      "keys(",
      "range(",
      "toYaml(",
      "fromJson(",
      ".matches(",
      "'(a+)+$'",
      ".orValue(",
      "optional.none()",
      "let",
      "cel.bind(",
      "null",
      "true",
      "type(",
      "dyn(",
      "b'x'",
      "1u",
      "duration('1s')",
      "\\",
      " ",
      "é",
      "\u{1f600}",
      "__proto__",
      ".constructor",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 9 }), async (pieces) => {
        const body = `inputs: { a: { default: x } }\nresources:\n  - config: /a\n    set: { v: ${JSON.stringify(`\${{ ${pieces.join("")} }}`)} }\n    when: ${JSON.stringify(pieces.join(""))}\n`;
        const text = head + body;
        for (const found of [
          await loadPlaybook(text, "x.yaml", sources()).then((loaded) => (loaded.ok ? [] : loaded.problems)),
          await lintPlaybook(text, "x.yaml", fakeTypes),
        ]) {
          for (const one of found) {
            expect([6, 7]).toContain(one.at?.line);
            expect(one.detail).not.toMatch(/undefined|\[object|\.js:/);
          }
        }
      }),
      { numRuns: 1500 },
    );
  }, 60_000);

  test("the same text and sources give the same playbook", async () => {
    const body =
      "inputs: { a: { default: x } }\nvars: { b: '${{ inputs.a + string(facts.cpus) }}' }\nresources:\n  - file: /${{ vars.b }}/${{ each.key }}\n    for_each: { q: 1, p: 2 }\n";
    expect(JSON.stringify(await load(body))).toBe(JSON.stringify(await load(body)));
  });

  test("nesting without end is a problem, not a crash", async () => {
    for (const text of [
      "[".repeat(50_000),
      "a: ".repeat(1000),
      `${head}vars: {a: ${"[".repeat(3000)}${"]".repeat(3000)}}\nresources: []\n`,
      Array.from({ length: 3000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"),
    ]) {
      const loaded = await loadPlaybook(text, "x.yaml", sources());
      expect(loaded.ok).toBe(false);
    }
  }, 60_000);

  test("a playbook of 2000 resources is read in well under a second", async () => {
    const body = `vars: { root: /srv }\nresources:\n${Array.from({ length: 2000 }, (_, index) => `  - file: \${{ vars.root }}/${index}\n    content: "hello ${index}"\n    mode: '0644'\n    owner: root\n    tags: [ a, b ]\n`).join("")}`;
    const began = performance.now();
    const playbook = await load(body);
    const took = performance.now() - began;
    expect(playbook.resources).toHaveLength(2000);
    expect(playbook.resources.at(-1)?.at.line).toBe(3 + 2 + 1999 * 5);
    expect(took).toBeLessThan(4000);
  }, 20_000);
});

test("the schema is made from the types and lets expressions stand where values may", () => {
  const schema = playbookSchema(fakeTypes) as unknown as {
    definitions: { [name: string]: { properties: { [key: string]: unknown }; required?: readonly string[] } };
  };
  expect(Object.keys(schema.definitions)).toEqual(["resource", "transaction", ...[...fakeTypes.keys()].sort()]);
  expect(schema.definitions.file?.properties.state).toMatchObject({
    anyOf: [{ enum: ["present", "absent"] }, { pattern: "\\$\\{\\{" }],
    default: "present",
  });
  expect(schema.definitions.file?.properties.file).toMatchObject({ anyOf: [{ type: "string" }, { type: "array" }] });
  expect(schema.definitions.line?.required).toEqual(["line", "text"]);
});
