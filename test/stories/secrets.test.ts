import { createHash } from "node:crypto";
import { lstatSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { listed, type Ran, type Story, story } from "./story.ts";

// I19: no secret in plan, journal, plain blob, log, diff, report, argv.

/** With characters that JSON, URL, XML and shells spell otherwise. */
const canary = 'cAn4ry "quoted" & <angled> \\ %25/ü';

const formsOf = (value: string): readonly string[] => [
  value,
  JSON.stringify(value).slice(1, -1),
  encodeURIComponent(value),
  value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
  Buffer.from(value).toString("base64"),
  Buffer.from(value).toString("base64url"),
];

/** Which of the secrets' forms a text holds. */
function found(text: string | Buffer, secrets: readonly string[]): readonly string[] {
  const bytes = Buffer.from(text);
  return secrets.flatMap(formsOf).filter((form) => bytes.includes(form));
}

/** The beginning of a content's plain digest: a short secret could be guessed from it. */
const digestOf = (bytes: Buffer | string): string => createHash("sha256").update(bytes).digest("hex").slice(0, 12);

/** Insists that nothing but the tree holds a secret: output, and every byte of every file outside of it. */
function expectHidden(at: Story, secrets: readonly string[], ...ran: readonly Ran[]): void {
  for (const one of ran) expect(found(one.all, secrets)).toEqual([]);
  for (const path of listed(at.folder)) {
    if (path.startsWith(at.tree) || path.startsWith(join(at.folder, "given"))) continue;
    let bytes: Buffer;
    try {
      bytes = readFileSync(path);
    } catch {
      continue; // a folder
    }
    expect([path, ...found(bytes, secrets)]).toEqual([path]);
  }
}

const everywhere = `
  - file: content
    content: "one \${{ inputs.token }} two\\n"
  - file: encoded
    content: "\${{ b64encode(inputs.token) }}\\n"
  - file: templated
    template: site.liquid
  - line: lines
    id: password
    text: "password=\${{ inputs.token }}"
    create: true
  - line: matched
    match: '^key='
    text: "key=\${{ inputs.token }}"
  - block: blocked
    text: "secret \${{ inputs.token }}"
    create: true
  - replace: replaced
    pattern: 'PLACEHOLDER'
    with: "\${{ inputs.token }}"
  - config: app.json
    set: { server.token: "\${{ inputs.token }}" }
    create: true
  - config: app.yaml
    set: { server.token: "\${{ inputs.token }}", pin: "\${{ inputs.pin }}" }
    create: true
  - config: app.toml
    set: { server.token: "\${{ inputs.token }}" }
    create: true
  - config: app.ini
    set: { server.token: "\${{ inputs.token }}" }
    create: true
  - config: app.env
    set: { TOKEN: "\${{ inputs.token }}" }
    create: true
  - config: app.properties
    set: { server.token: "\${{ inputs.token }}" }
    create: true
  - config: app.xml
    set: { server.token: "\${{ inputs.token }}" }
  - command: by its environment
    run: [ sh, -c, 'printf %s "$TOKEN" > by-env' ]
    env: { TOKEN: "\${{ inputs.token }}" }
    creates: by-env
    undo: [ rm, -f, by-env ]
  - command: by its input
    run: [ sh, -c, 'cat > by-stdin' ]
    stdin: "\${{ inputs.token }}"
    creates: by-stdin
    undo: [ rm, -f, by-stdin ]
  - command: process list
    run: [ sh, -c, 'cat /proc/self/cmdline /proc/$$/cmdline /proc/$PPID/cmdline > cmdlines' ]
    creates: cmdlines
    undo: [ rm, -f, cmdlines ]
  - command: reload
    run: [ sh, -c, 'echo once >> reloads' ]
    run_when: [ file:content ]
`;

const inputs = `inputs:
  token: { type: string, secret: true }
  pin: { type: integer, secret: true }`;

function machine(): Story {
  return story()
    .file("matched", "a=1\nkey=old\nb=2\n")
    .file("replaced", "x PLACEHOLDER y\n")
    .file("app.xml", "<server><other/></server>\n")
    .source("site.liquid", "token {{ inputs.token }} and {{ inputs.token | escape }}\n")
    .playbook(everywhere, { head: inputs });
}

const secrets = [canary, "90817263"];
const byEnv = { env: { SETPOINT_VAR_token: canary, SETPOINT_VAR_pin: "90817263" } };

test("I19: a secret is in the targets alone, through plan, apply, apply and revert", () => {
  const at = machine();
  const start = at.snapshot();
  const plan = at.plan("site.plan", "--report", `markdown=${at.folder}/plan.md`, byEnv);
  const shown = [at.run(2, "plan", "site.yaml", "--full", byEnv), at.run(2, "plan", "site.yaml", "--json", byEnv)];
  expectHidden(at, secrets, ...shown);
  expect(readFileSync(plan, "utf8")).toContain("⟦secret:token:");

  const applied = at.apply("--report", `markdown=${at.folder}/run.md`, byEnv);
  expectHidden(at, secrets, applied);
  for (const name of ["content", "lines", "matched", "blocked", "replaced", "app.env", "by-env", "by-stdin", "templated"])
    expect([name, found(at.bytes(name), [canary]).length > 0]).toEqual([name, true]);
  expect(JSON.parse(at.read("app.json"))).toEqual({ server: { token: canary } });
  expect(at.read("app.yaml")).toContain("90817263");
  expect(found(at.bytes("cmdlines"), secrets)).toEqual([]);

  // Digests of what holds a secret are as secret, and so is the digest of such a file's state in a receipt.
  const holders = ["content", "encoded", "templated", "lines", "matched", "blocked", "replaced", "app.json", "app.yaml", "app.xml"];
  const digests = holders.map((name) => digestOf(at.bytes(name)));
  const content = createHash("sha256").update(at.bytes("content")).digest("hex");
  digests.push(digestOf(JSON.stringify({ content, is: "file", mode: "0644" })));
  const told = [
    at.run(0, "plan", "site.yaml", "--json", byEnv),
    applied,
    ...["show", "history", "status"].map((name) => at.try(name, "--json")),
  ];
  told.push(
    at.try("show"),
    at.try("show", plan),
    at.try("why", at.at("content")),
    at.try("why", at.at("by-env"), "--json"),
    at.try("lint", "site.yaml"),
  );
  expectHidden(at, secrets, ...told);
  for (const path of listed(at.state)) {
    const text = lstatSync(path).isFile() ? readFileSync(path, "latin1") : "";
    expect([path, ...digests.filter((digest) => text.includes(digest))]).toEqual([path]);
  }
  expect(digests.filter((digest) => told.some(({ all }) => all.includes(digest)))).toEqual([]);

  const again = at.apply("--json", byEnv);
  expect(again.json()).toMatchObject({ status: "in-sync", summary: { changed: 0 } });
  expectHidden(at, secrets, again, at.run(0, "verify", "site.yaml", "--json", byEnv));

  // Undoing needs the secret nowhere but where a command is started with it.
  const reverted = at.revert("--json", byEnv);
  expectHidden(at, secrets, reverted);
  const { reloads: _, ...end } = at.snapshot();
  expect(end).toEqual(start);
});

test("a saved plan holds no secret, and is applied and undone with the secret given again", () => {
  const at = machine();
  const start = at.snapshot();
  const plan = at.plan("site.plan", byEnv);
  expect(found(readFileSync(plan), secrets)).toEqual([]);
  const missing = at.run(1, "apply", plan);
  expect(missing.all).toContain("token");
  expect(at.snapshot()).toEqual(start);
  const applied = at.run(0, "apply", plan, "--json", byEnv);
  expectHidden(at, secrets, applied);
  expect(at.run(0, "apply", plan, byEnv).all).toContain("already");
  expect(at.apply(byEnv).all).toContain("Nothing to do");
  at.revert(byEnv);
  const { reloads: _, ...end } = at.snapshot();
  expect(end).toEqual(start);
});

describe("wherever the secret comes from", () => {
  const resources =
    '  - file: content\n    content: "${{ inputs.token }}"\n  - command: write\n    run: [ sh, -c, \'printf %s "$T" > made\' ]\n    env: { T: "${{ inputs.token }}" }\n    creates: made\n    undo: [ rm, -f, made ]\n';
  const head = (from: string) => `inputs:\n  token: { type: string, secret: true${from} }`;

  test.each([
    ["--var", "", ["--var", `token=${canary}`], {}],
    ["SETPOINT_VAR", "", [], { SETPOINT_VAR_token: canary }],
    ["from: env", ", from: { env: API_TOKEN }", [], { API_TOKEN: canary }],
    ["from: file", ", from: { file: ../given }", [], {}],
    ["from: command", ", from: { command: [ cat, ../given ] }", [], {}],
  ] as const)("%s: hidden, applied once, and undone from the same source", (_name, from, words, env) => {
    const at = story().playbook(resources, { head: head(from) });
    at.source("../given", `${canary}\n`);
    const applied = at.apply(...words, { env });
    expect(at.read("content")).toBe(canary);
    expect(at.read("made")).toBe(canary);
    const again = at.apply(...words, { env });
    expect(again.all).toContain("Nothing to do");
    at.file("content", "an edit");
    const drift = at.run(2, "plan", "site.yaml", ...words, { env });
    const reverted = at.run(6, "revert", "--json", ...words, { env });
    expectHidden(at, [canary], applied, again, drift, reverted);
    expect(Object.keys(at.snapshot())).toEqual(["content"]);
  });
});

test("a halted run is resumed with the secret from its source, a changed secret is refused, and a lost ledger comes back without it", () => {
  const at = story().playbook(
    `
  - command: waits
    run: [ sh, -c, 'test -e ready && printf %s "$T" > made' ]
    env: { T: "\${{ inputs.token }}" }
    creates: made
    undo: [ rm, -f, made ]
  - line: after
    match: ^key=
    text: "key=\${{ inputs.token }}"
    create: true
    needs: 'command:waits'
`,
    { head: "inputs:\n  token: { secret: true, from: { file: ../given } }" },
  );
  at.source("../given", canary);
  const halted = at.run(6, "apply", "site.yaml", "--yes");
  at.file("ready", "");
  at.source("../given", "an0ther value");
  const changed = at.run(1, "resume");
  expect(changed.all).toContain("is not the one that this plan was made with");
  at.source("../given", canary);
  const resumed = at.run(0, "resume", "--json");
  expect([at.read("made"), at.read("after")]).toEqual([canary, `key=${canary}\n`]);
  rmSync(join(at.state, "ledger"));
  const rebuilt = at.run(0, "apply", "site.yaml", "--yes");
  expectHidden(at, [canary, "an0ther value"], halted, changed, resumed, rebuilt, at.revert());
  expect(Object.keys(at.snapshot())).toEqual(["ready"]);
});

test("a failing command that prints its secret prints it nowhere, in text, JSON and journal", () => {
  const at = story().playbook(
    `
  - command: leaks
    run: [ sh, -c, 'printf "%s\\\\n" "$T"; printf "%s" "$T" | base64 -w0 >&2; exit 3' ]
    env: { T: "\${{ inputs.token }}" }
    creates: never
    undo: none
`,
    { head: inputs },
  );
  const failed = at.run(6, "apply", "site.yaml", "--yes", byEnv);
  const failedJson = at.run(6, "apply", "site.yaml", "--yes", "--json", byEnv);
  expect(failed.all).toContain("[secret token]");
  expectHidden(at, secrets, failed, failedJson, at.try("resume", "--json", byEnv));
});

test("a validator that prints the refused content, and a guard that fails, tell no secret", () => {
  const at = story().playbook(
    `
  - file: content
    content: "token \${{ inputs.token }}"
    validate: [ sh, -c, 'cat "$0"; exit 1', '%s' ]
`,
    { head: inputs },
  );
  expectHidden(at, secrets, at.run(1, "apply", "site.yaml", "--yes", byEnv), at.run(1, "apply", "site.yaml", "--yes", "--json", byEnv));
  expect(at.snapshot()).toEqual({});
});

test.each([
  ["the words of a program", '  - command: c\n    run: [ curl, -u, "me:${{ inputs.token }}" ]\n    creates: x\n    undo: none'],
  ["a shell text", '  - command: c\n    shell: "echo ${{ b64encode(inputs.token) }}"\n    creates: x\n    undo: none'],
  ["a guard", "  - command: c\n    run: [ 'true' ]\n    unless: [ test, \"${{ inputs.token }}\", '=', x ]\n    undo: none"],
  ["an undo", "  - command: c\n    run: [ 'true' ]\n    creates: x\n    undo: [ echo, \"${{ inputs.token }}\" ]"],
  ["a validator", "  - file: f\n    content: x\n    validate: [ check, \"${{ inputs.token }}\", '%s' ]"],
])("a secret in %s is refused with its place, and nothing is run", (_name, resource) => {
  const at = story().playbook(resource, { head: inputs });
  const ran = at.run(3, "apply", "site.yaml", "--yes", "--json", byEnv);
  const problem = ran.json().problems.find(({ code }) => code === "secret-in-argv");
  expect(problem).toMatchObject({ at: { line: 7 } });
  expect(problem?.detail).toContain("`env` or `stdin`");
  expectHidden(at, secrets, ran);
});

test("a secret in a path is refused, with an id too", () => {
  const at = story().playbook('  - file: "dir-${{ inputs.token }}"\n    id: hidden', { head: "inputs:\n  token: { secret: true }" });
  const ran = at.run(3, "plan", "site.yaml", "--json", { env: { SETPOINT_VAR_token: "s3cr3t-name" } });
  expect(ran.json().problems).toMatchObject([{ code: "secret-in-name" }]);
  expect(ran.all).not.toContain("s3cr3t-name");
});

test.each(["s3cr3t", "hush-hush, and much longer than the forty characters at which an address is cut"])(
  "a secret in the tag of an address is refused, cut or not: %s",
  (secret) => {
    const at = story().playbook('  - line: f\n    text: "password=${{ inputs.token }}"\n    create: true', {
      head: "inputs:\n  token: { secret: true }",
    });
    const ran = at.run(3, "plan", "site.yaml", "--json", { env: { SETPOINT_VAR_token: secret } });
    expect(ran.json().problems).toMatchObject([{ code: "secret-in-name" }]);
    expect(ran.all).not.toContain(secret.slice(0, 6));
  },
);

test("a secret too short to be hidden is refused", () => {
  const at = story().playbook('  - file: f\n    content: "${{ inputs.token }}"', { head: "inputs:\n  token: { secret: true }" });
  expect(at.problems(3, "plan", "site.yaml", { env: { SETPOINT_VAR_token: "abc" } })).toMatchObject([{ code: "short-secret" }]);
});

test("a new value of a secret: neither the old nor the new one is told, and the old one comes back", () => {
  const at = machine();
  at.apply(byEnv);
  const before = at.snapshot();
  const rotated = "r0tated-canary-value";
  const env = { ...byEnv.env, SETPOINT_VAR_token: rotated };
  const both = [...secrets, rotated];
  const planned = at.run(2, "plan", "site.yaml", "--full", { env });
  const saved = at.plan("rotated.plan", { env });
  const applied = at.apply({ env });
  expect(at.read("matched")).toBe(`a=1\nkey=${rotated}\nb=2\n`);
  expectHidden(at, both, planned, applied);
  expect(found(readFileSync(saved), both)).toEqual([]);
  const reverted = at.revert("--json", { env });
  expectHidden(at, both, reverted);
  const { reloads: _, "by-env": __, "by-stdin": ___, cmdlines: ____, ...end } = at.snapshot();
  const { reloads: _1, "by-env": __1, "by-stdin": ___1, cmdlines: ____1, ...was } = before;
  expect(end).toEqual(was);
});

test("a stale plan and a conflict of a secret file show that it changed, not what", () => {
  const at = story().playbook('  - file: f\n    content: "${{ inputs.token }}"', { head: "inputs:\n  token: { secret: true }" });
  at.apply(byEnv);
  at.file("f", "s0mebody-else-secret");
  const plan = at.plan("site.plan", byEnv);
  at.file("f", "another-s3cret");
  const stale = at.run(4, "apply", plan, byEnv);
  const conflict = at.run(6, "revert", "--json", byEnv);
  expectHidden(at, [canary, "s0mebody-else-secret", "another-s3cret"], stale, conflict);
});

test("a key in many lines is hidden line by line", () => {
  const key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END KEY-----";
  const at = story().playbook(
    `
  - file: key
    content: "\${{ inputs.token }}\\n"
  - command: leaks
    run: [ sh, -c, 'printf "%s\\\\n" "$T" | sed "s/^/  > /"; exit 3' ]
    env: { T: "\${{ inputs.token }}" }
    creates: never
    undo: none
`,
    { head: "inputs:\n  token: { secret: true }" },
  );
  const env = { SETPOINT_VAR_token: key };
  const ran = at.run(6, "apply", "site.yaml", "--yes", { env });
  expect(at.read("key")).toBe(`${key}\n`);
  for (const line of key.split("\n").slice(1, 3)) expect(ran.all).not.toContain(line);
  expectHidden(at, key.split("\n").slice(1, 3), ran);
});

test("a line that holds a secret is owned once, and a prune takes it back with the secret given once more", () => {
  const at = story()
    .file("lines", "kept\n")
    .playbook(
      '  - line: lines\n    id: password\n    text: "password=${{ inputs.token }}"\n  - line: lines\n    match: ^key=\n    text: "key=${{ inputs.token }}"',
      {
        head: inputs,
      },
    );
  at.apply(byEnv);
  expect(at.run(0, "plan", "site.yaml", "--json", byEnv).json().orphans).toEqual([]);
  at.playbook("", { head: inputs });
  expect(at.run(0, "plan", "site.yaml", "--json", byEnv).json().orphans).toHaveLength(2);
  at.playbook("  []");
  const without = at.apply("--prune");
  expect(at.read("lines")).toBe(`kept\npassword=${canary}\nkey=${canary}\n`);
  expect(
    at
      .run(0, "plan", "site.yaml", "--prune", "--json")
      .json()
      .orphans.map(({ kept }) => kept),
  ).toEqual([expect.stringContaining("give it once again with --var"), expect.stringContaining("give it once again with --var")]);
  expectHidden(at, secrets, without);
  at.playbook("", { head: inputs });
  at.apply("--prune", byEnv);
  expect(at.read("lines")).toBe("kept\n");
});
