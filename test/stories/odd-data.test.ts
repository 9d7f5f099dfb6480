import { spawnSync } from "node:child_process";
import { closeSync, existsSync, ftruncateSync, lstatSync, openSync, readFileSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { type Story, story } from "./story.ts";

const oddNames = [
  "with spaces",
  " leading and trailing ",
  "-rf",
  "--",
  "tab\tand\nnewline",
  "emoji 🎉 and ü",
  "u\u0308 apart",
  "quotes ' \" \\",
  "$(touch hacked) `x` *?[a]",
  "#;%&=:,|<>",
  "⟦secret:x:0⟧",
  ".hidden",
  "a".repeat(250),
];

test("files of all sorts of names are set, found again and undone", () => {
  const at = story().file("bystander", "b\n");
  const start = at.snapshot();
  const two = (name: string) =>
    `  - file: ${JSON.stringify(`./${name}`)}\n    content: x\n    create_only: true\n  - line: ${JSON.stringify(at.at(name))}\n    text: second\n`;
  at.playbook(oddNames.map(two).join(""));
  at.apply();
  expect(Object.keys(at.snapshot()).sort()).toEqual(["bystander", ...oddNames].sort());
  for (const name of oddNames) expect([name, at.read(name)]).toEqual([name, "x\nsecond"]);
  expect(at.apply().all).toContain("Nothing to do");
  at.revert();
  expect(at.snapshot()).toEqual(start);
});

test("names and contents that are no UTF-8 come through a tree and an exact directory unchanged", () => {
  const at = story();
  const name = Buffer.concat([Buffer.from(`${at.book}/site/`), Buffer.from([0x66, 0xff, 0xfe, 0x67])]);
  const content = Buffer.from([0, 1, 0xff, 0xfe, 0x0a, 0x80, 0xc3]);
  at.source("site/plain", content);
  writeFileSync(name, content);
  const stranger = Buffer.concat([Buffer.from(`${at.tree}/d/`), Buffer.from([0xe9, 0x20])]);
  at.file("d/known", "k\n");
  writeFileSync(stranger, content);
  at.playbook("  - tree: copy\n    source: site\n  - directory: d\n    exact: true\n  - file: d/known\n");
  at.apply();
  expect(readFileSync(Buffer.concat([Buffer.from(`${at.tree}/copy/`), Buffer.from([0x66, 0xff, 0xfe, 0x67])]))).toEqual(content);
  expect(at.bytes("copy/plain")).toEqual(content);
  expect(existsSync(stranger)).toBe(false);
  expect(at.apply().all).toContain("Nothing to do");
  at.revert();
  expect(readFileSync(stranger)).toEqual(content);
  expect(existsSync(at.at("copy"))).toBe(false);
});

test("content_base64 sets bytes that are no text", () => {
  const at = story().playbook("  - file: f\n    content_base64: AAH//g==\n");
  at.apply();
  expect(at.bytes("f")).toEqual(Buffer.from([0, 1, 0xff, 0xfe]));
  expect(at.run(2, "plan", "site.yaml", "--root", at.folder).all).not.toContain("\u0000");
});

describe("what is no file, directory or link is refused, and never waited for", () => {
  const resources = [
    "  - file: it\n    content: x\n",
    "  - line: it\n    text: x\n",
    "  - config: it\n    format: json\n    set: { a: 1 }\n",
    "  - file: it\n    state: absent\n",
    "  - directory: it\n",
    "  - file: new\n    source: ../tree/it\n",
    "  - file: new\n    template: ../tree/it\n",
    "  - directory: .\n    exact: true\n",
  ];
  const refused = async (at: Story) => {
    const batch = at.batch();
    for (const resource of resources) {
      at.playbook(resource);
      const ran = await batch.run("apply", `${at.book}/site.yaml`, "--yes", "--json");
      expect([resource, ran.exit]).toEqual([resource, 3]);
    }
    expect(existsSync(at.at("new"))).toBe(false);
    expect(lstatSync(at.at("it")).isFile()).toBe(false);
  };

  test("a FIFO", { timeout: 30_000 }, async () => {
    const at = story();
    spawnSync("mkfifo", [at.at("it")]);
    await refused(at);
  });

  test("a socket", { timeout: 30_000 }, async () => {
    const at = story();
    const server = createServer().listen(at.at("it"));
    await new Promise((listening) => server.once("listening", listening));
    await refused(at);
    server.close();
  });

  test("a device that never ends", { timeout: 30_000 }, () => {
    const at = story().playbook("  - file: f\n    source: /dev/zero\n");
    expect(at.problems(3, "plan", "site.yaml")[0]?.detail).toContain("/dev/zero");
    symlinkSync("/dev/zero", `${at.book}/link`);
    at.playbook("  - file: f\n    source: link\n");
    at.run(3, "plan", "site.yaml");
    at.run(1, "plan", "/dev/zero");
    expect(at.snapshot()).toEqual({});
  });
});

test("a path through a link that is there is resolved: one fact has one register", () => {
  const at = story()
    .directory("real")
    .playbook("  - file: real/f\n    content: |\n      one\n    create_only: true\n  - line: short/f\n    text: two\n");
  symlinkSync("real", at.at("short"));
  const planned = at.run(2, "plan", "site.yaml", "--json").json();
  expect(planned.changes.map(({ register }) => register)).toEqual([`path:${at.at("real/f")}`]);
  at.apply();
  expect(at.read("real/f")).toBe("one\ntwo\n");
  at.revert();
  expect(at.snapshot()).toEqual({ real: "directory 0755", short: "link real" });
});

test.each([
  ["made", (at: Story) => at],
  ["led elsewhere", (at: Story) => symlinkAt(at, "elsewhere", "short")],
])("a path through a link that the same plan has %s is refused, and the real path is named", (_name, prepare) => {
  const at = prepare(story().directory("real").directory("elsewhere"));
  at.playbook("  - link: short\n    to: real\n  - file: short/f\n    content: x\n");
  const before = at.snapshot();
  const [problem] = at.problems(3, "apply", "site.yaml", "--yes");
  expect(problem).toMatchObject({ at: { line: 6, column: 5 } });
  expect(problem?.detail).toContain(at.at("real/f"));
  expect(at.snapshot()).toEqual(before);
});

function symlinkAt(at: Story, to: string, name: string): Story {
  symlinkSync(to, at.at(name));
  return at;
}

test("line ends and byte order marks stay as they are", () => {
  const at = story()
    .file("dos.txt", "\ufeffone\r\ntwo\r\n")
    .file("app.ini", "\ufeff[a]\r\nx=1\r\n")
    .file("app.json", '\ufeff{\r\n  "a": 1\r\n}\r\n')
    .file("nolast", "one\ntwo")
    .playbook(
      "  - line: dos.txt\n    text: three\n  - config: app.ini\n    set: { a.x: 2 }\n  - config: app.json\n    set: { a: 2 }\n  - line: nolast\n    match: ^two\n    text: two2\n",
    );
  const start = at.snapshot();
  at.apply();
  expect(at.read("dos.txt")).toBe("\ufeffone\r\ntwo\r\nthree\r\n");
  expect(at.read("app.ini")).toBe("\ufeff[a]\r\nx=2\r\n");
  expect(at.read("app.json")).toBe('\ufeff{\r\n  "a": 2\r\n}\r\n');
  expect(at.read("nolast")).toBe("one\ntwo2");
  expect(at.apply().all).toContain("Nothing to do");
  at.revert();
  expect(at.snapshot()).toEqual(start);
});

test("a sparse file of 300 MiB is replaced and comes back with its holes", { timeout: 60_000 }, () => {
  const at = story();
  const fd = openSync(at.at("image"), "w");
  ftruncateSync(fd, 300 << 20);
  writeSync(fd, "end", (200 << 20) + 7);
  closeSync(fd);
  const before = lstatSync(at.at("image"));
  at.playbook("  - file: image\n    content: small\n").apply();
  expect(at.read("image")).toBe("small");
  at.revert();
  const after = lstatSync(at.at("image"));
  expect(after.size).toBe(before.size);
  const bytes = readFileSync(at.at("image"));
  expect(bytes.subarray((200 << 20) + 7, (200 << 20) + 10).toString()).toBe("end");
  // A file system may round up, but not by a hundred megabytes.
  expect(after.blocks).toBeLessThan(before.blocks + 4096);
});

test("sixty folders within each other are made and taken away again", () => {
  const deep = Array.from({ length: 60 }, (_, n) => `level${n}`).join("/");
  const at = story().playbook(`  - directory: ${deep}\n  - file: ${deep}/f\n    content: deep\n`);
  at.apply();
  expect(at.read(`${deep}/f`)).toBe("deep");
  at.revert();
  expect(at.snapshot()).toEqual({});
});

test("an empty playbook, an empty file and a file of one newline", () => {
  const at = story().playbook("  []");
  expect(at.apply().all).toContain("Nothing to do");
  at.playbook('  - file: empty\n  - file: newline\n    content: "\\n"\n').apply();
  expect([at.read("empty"), at.read("newline")]).toEqual(["", "\n"]);
});
