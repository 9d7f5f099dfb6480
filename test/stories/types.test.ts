import { chmodSync, existsSync, linkSync, lstatSync, readdirSync, symlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { story } from "./story.ts";

test("an exact directory keeps what other resources declare and what is excluded, and a revert brings the rest back", () => {
  const at = story()
    .file("d/mine", "m\n")
    .file("d/strange", "s\n", 0o640)
    .file("d/sub/deep", "d\n")
    .file("d/kept.local", "k\n")
    .playbook("  - directory: d\n    exact: true\n    exclude: [ '*.local' ]\n  - file: d/mine\n    content: mine\n");
  const start = at.snapshot();
  at.apply();
  expect(Object.keys(at.snapshot())).toEqual(["d", "d/kept.local", "d/mine"]);
  expect(at.apply().all).toContain("Nothing to do");
  at.revert();
  expect(at.snapshot()).toEqual(start);
});

test("a tree copies, renders, removes strangers when exact, and a revert takes all of it back", () => {
  const at = story()
    .source("site/index.html.liquid", "hello {{ vars.who }}\n")
    .source("site/run.sh", "#!/bin/sh\n", 0o755)
    .source("site/deep/er/x", "x\n")
    .source("site/skip.tmp", "t\n")
    .file("www/old", "old\n")
    .playbook("  - tree: www\n    source: site\n    template_suffix: .liquid\n    exclude: [ '*.tmp' ]\n    exact: true\n", {
      head: "vars: { who: world }",
    });
  const start = at.snapshot();
  at.apply();
  expect(Object.keys(at.snapshot())).toEqual(["www", "www/deep", "www/deep/er", "www/deep/er/x", "www/index.html", "www/run.sh"]);
  expect(at.read("www/index.html")).toBe("hello world\n");
  expect(at.mode("www/run.sh")).toBe("0755");
  expect(at.apply().all).toContain("Nothing to do");
  at.revert();
  expect(at.snapshot()).toEqual(start);
});

test("recurse sets modes of files and folders apart, and symbolic modes go from what is there", () => {
  const at = story()
    .file("d/a", "a", 0o600)
    .file("d/sub/b", "b", 0o711)
    .file("s", "s", 0o640)
    .playbook("  - directory: d\n    recurse: { file_mode: '0644', directory_mode: 'u=rwx,go=rx' }\n  - file: s\n    mode: u+x,g-r,o=u\n");
  const start = at.snapshot();
  at.apply();
  expect(["d/a", "d/sub/b", "d/sub", "s"].map((name) => at.mode(name))).toEqual(["0644", "0644", "0755", "0707"]);
  expect(at.apply().all).toContain("Nothing to do");
  at.revert();
  expect(at.snapshot()).toEqual(start);
});

test("create_only makes a file and then leaves it to others", () => {
  const at = story().playbook("  - file: f\n    content: first\n    create_only: true\n    mode: '0640'\n");
  at.apply();
  at.file("f", "edited\n");
  expect(at.run(0, "plan", "site.yaml").stdout).toContain("in sync");
  at.file("f", "edited\n", 0o600);
  at.apply();
  expect([at.read("f"), at.mode("f")]).toEqual(["edited\n", "0640"]);
});

test("links: symbolic kept as written, hard as a second name; both are undone", () => {
  const at = story()
    .file("data", "d\n")
    .file("link", "a file in the way\n")
    .playbook("  - link: soft\n    to: ./data\n  - link: hard\n    hard: data\n  - link: link\n    to: nowhere\n    replace: true\n");
  const start = at.snapshot();
  at.apply();
  expect(at.snapshot()).toMatchObject({ soft: "link ./data", link: "link nowhere" });
  expect(lstatSync(at.at("hard")).ino).toBe(lstatSync(at.at("data")).ino);
  expect(at.apply().all).toContain("Nothing to do");
  at.revert();
  expect(at.snapshot()).toEqual(start);
});

test("a hard-linked file is refused, and `hardlinks: break` changes one name only", () => {
  const at = story().file("f", "shared\n");
  linkSync(at.at("f"), at.at("other"));
  at.playbook("  - file: f\n    content: new\n");
  expect(at.problems(3, "apply", "site.yaml", "--yes")).toMatchObject([
    { code: "refused-change", detail: expect.stringContaining("hardlinks: break") },
  ]);
  at.playbook("  - file: f\n    content: new\n    hardlinks: break\n").apply();
  expect([at.read("f"), at.read("other")]).toEqual(["new", "shared\n"]);
});

test("a revert gives a name back the very inode that it shared, and leaves nothing beside it", () => {
  const at = story().file("d/f", "shared\n", 0o640).file("d/gone", "shared too\n");
  linkSync(at.at("d/f"), at.at("other"));
  linkSync(at.at("d/gone"), at.at("another"));
  at.playbook("  - directory: d\n    exact: true\n  - file: d/f\n    content: new\n    hardlinks: break\n    mode: '0600'\n");
  const start = at.snapshot();
  const inode = lstatSync(at.at("other")).ino;
  at.apply();
  expect(lstatSync(at.at("d/f")).ino).not.toBe(inode);
  // What is put aside is no stranger to an exact folder.
  expect(at.apply().all).toContain("Nothing to do");
  at.revert();
  expect(lstatSync(at.at("d/f")).ino).toBe(inode);
  expect(lstatSync(at.at("d/gone")).ino).toBe(lstatSync(at.at("another")).ino);
  expect(readdirSync(at.at("d")).sort()).toEqual(["f", "gone"]);
  expect(at.snapshot()).toEqual(start);
});

test("attributes that parted a name from a shared file: a revert joins them again, but not what was changed through the other name", () => {
  const at = story().file("f", "shared\n", 0o640);
  linkSync(at.at("f"), at.at("other"));
  at.playbook("  - file: f\n    mode: '0600'\n    hardlinks: break\n");
  const inode = lstatSync(at.at("other")).ino;
  at.apply();
  expect([lstatSync(at.at("f")).ino === inode, at.mode("f"), at.mode("other")]).toEqual([false, "0600", "0640"]);
  at.revert();
  expect([lstatSync(at.at("f")).ino, lstatSync(at.at("other")).ino]).toEqual([inode, inode]);
  expect(at.mode("f")).toBe("0640");
  at.apply();
  chmodSync(at.at("other"), 0o604);
  at.revert();
  expect([lstatSync(at.at("f")).ino === inode, at.mode("f"), at.mode("other")]).toEqual([false, "0640", "0604"]);
});

test("a revert lets a command be whose folder went with it, and one that never ran before is not run for what is restored", () => {
  const at = story().file("log", "");
  at.playbook(
    [
      "  - directory: app",
      "  - file: app/conf",
      "    content: one",
      "  - command: reload",
      "    shell: echo reload >> ../log",
      `    cwd: ${at.at("app")}`,
      "    run_when: [ 'file:app/conf' ]",
      "",
    ].join("\n"),
  );
  const start = at.snapshot();
  at.apply();
  expect(at.read("log")).toBe("reload\n");
  at.revert();
  expect(at.read("log")).toBe("reload\n");
  expect(Object.keys(at.snapshot())).toEqual(Object.keys(start));
});

test("a symbolic link where a file should be is refused; `follow` manages what it leads to, `replace` takes its place", () => {
  const at = story().file("real", "r\n");
  symlinkSync("real", at.at("f"));
  at.playbook("  - file: f\n    content: new\n");
  expect(at.problems(3, "plan", "site.yaml")[0]?.detail).toContain("follow: true");
  at.playbook("  - file: f\n    content: followed\n    follow: true\n").apply();
  expect([at.read("real"), at.snapshot().f]).toEqual(["followed", "link real"]);
  at.playbook("  - file: f\n    content: replaced\n    replace: true\n", { name: "other" });
  at.run(0, "apply", "other.yaml", "--yes");
  expect([at.read("real"), lstatSync(at.at("f")).isFile()]).toEqual(["followed", true]);
  at.run(0, "revert", "--stack", "other", "--yes");
  expect(at.snapshot().f).toBe("link real");
});

test("replace changes all that a pattern matches, between two others, and is refused where it would never end", () => {
  const at = story()
    .file("f", "x=1\n[a]\nx=1\n[b]\nx=1\n")
    .playbook("  - replace: f\n    pattern: 'x=\\d'\n    with: x=2\n    within: { after: '\\[a\\]', before: '\\[b\\]' }\n");
  at.apply();
  expect(at.read("f")).toBe("x=1\n[a]\nx=2\n[b]\nx=1\n");
  at.playbook("  - replace: f\n    pattern: x\n    with: xx\n");
  at.run(3, "plan", "site.yaml");
});

test("a validator that refuses leaves everything of its group as it was", () => {
  const at = story()
    .file("a", "a\n")
    .file("b", "b\n")
    .playbook(
      "  - file: a\n    content: new\n  - file: b\n    content: bad\n    validate: [ grep, -q, good, '%s' ]\n  - file: c\n    content: c\n",
    );
  const before = at.snapshot({ times: true });
  const ran = at.run(1, "apply", "site.yaml", "--yes");
  expect(ran.all).toContain("was not accepted");
  const { tree: _, ...after } = at.snapshot({ times: true });
  expect(after).toEqual(before);
  at.playbook("  - file: b\n    content: good\n    validate: [ grep, -q, good, '%s' ]\n").apply();
  expect(at.read("b")).toBe("good");
});

const failing = (policy: string) => `
  - file: first
    content: x
  - command: fails
    run: [ 'false' ]
    creates: never
    undo: none
    on_failure: ${policy}
  - file: last
    content: x
  - file: needy
    content: x
    needs: 'command:fails'
`;

test.each([
  ["stop", 6, ["first"]],
  ["continue", 6, ["first", "last"]],
  ["revert", 7, []],
] as const)("on_failure: %s ends with exit %i", (policy, exit, left) => {
  const at = story().playbook(failing(policy));
  const ran = at.run(exit, "apply", "site.yaml", "--yes", "--json");
  expect(Object.keys(at.snapshot())).toEqual(left);
  if (policy !== "revert") {
    const status = Object.fromEntries(ran.json().actions.map((action) => [action.register.replace(/^.*[/:]/, ""), action.status]));
    expect(status).toMatchObject({ fails: "failed", needy: policy === "stop" ? "pending" : "blocked" });
    at.revert();
    expect(at.snapshot()).toEqual({});
  }
});

test("retry tries a failed command again", () => {
  const at = story().playbook(
    "  - command: third time\n    run: [ sh, -c, 'echo x >> tries; test $(wc -l < tries) -ge 3 && touch done' ]\n    creates: done\n    undo: [ rm, -f, tries, done ]\n    retry: { attempts: 3, delay: 1ms }\n",
  );
  at.apply();
  expect(at.read("tries")).toBe("x\nx\nx\n");
  at.revert();
  expect(at.snapshot()).toEqual({});
});

test("needs pull forward, and a line after a command that may change its file is known at its turn", () => {
  const at = story().playbook(
    `
  - line: made/conf
    text: "late"
    needs: 'command:make'
  - command: make
    run: [ sh, -c, 'mkdir made && echo early > made/conf' ]
    creates: made/conf
    undo: [ rm, -rf, made ]
`,
  );
  expect(at.run(2, "plan", "site.yaml").stdout).toContain("known after command:make");
  at.apply();
  expect(at.read("made/conf")).toBe("early\nlate\n");
  expect(at.apply().all).toContain("Nothing to do");
  at.revert();
  expect(at.snapshot()).toEqual({});
});

test("run_when runs once after a change and not again; a revert runs it for what was restored", () => {
  const at = story()
    .file("conf", "one\n")
    .playbook(
      `
  - file: conf
    content: "two"
  - command: reload
    run: [ sh, -c, 'cat conf >> reloads; echo >> reloads' ]
    run_when: file:conf
`,
    );
  at.apply();
  expect(at.read("reloads")).toBe("two\n");
  expect(at.apply().all).toContain("Nothing to do");
  at.source("site.yaml", at.readBook("site.yaml").replace('"two"', '"three"'));
  at.apply();
  expect(at.read("reloads")).toBe("two\nthree\n");
  at.file("conf", "drifted");
  at.apply();
  expect(at.read("reloads")).toBe("two\nthree\nthree\n");
  at.revert();
  expect([at.read("conf"), at.read("reloads")]).toEqual(["drifted", "two\nthree\nthree\ndrifted\n"]);
});

test("a command that failed is due still, and runs when it is mended", () => {
  const at = story().playbook(
    "  - file: conf\n    content: x\n  - command: reload\n    run: [ sh, -c, 'test -e ready && echo ran >> ran' ]\n    run_when: file:conf\n",
  );
  at.run(6, "apply", "site.yaml", "--yes");
  at.file("ready", "");
  at.apply();
  expect(at.read("ran")).toBe("ran\n");
  expect(at.apply().all).toContain("Nothing to do");
});

test("`once` runs a single time, its undo on revert, and then once more", () => {
  const at = story().playbook(
    "  - command: once\n    run: [ sh, -c, 'echo x >> runs' ]\n    once: true\n    undo: [ sh, -c, 'echo undone >> runs' ]\n",
  );
  at.apply();
  at.apply();
  expect(at.read("runs")).toBe("x\n");
  at.revert();
  at.apply();
  expect(at.read("runs")).toBe("x\nundone\nx\n");
});

test("a command's own folder, account's environment, input and exit codes", () => {
  const at = story()
    .directory("in")
    .playbook(
      "  - command: c\n    run: [ sh, -c, 'cat > out; echo $WORD >> out; exit 3' ]\n    cwd: in\n    env: { WORD: hello }\n    stdin: \"given\\n\"\n    ok_exit_codes: [ 3 ]\n    creates: out\n    undo: [ rm, out ]\n",
    );
  at.apply();
  expect(at.read("in/out")).toBe("given\nhello\n");
  at.revert();
  expect(existsSync(at.at("in/out"))).toBe(false);
});

test("--no-commands runs no guard and says what it does not know", () => {
  const at = story().playbook("  - command: c\n    run: [ 'true' ]\n    unless: [ sh, -c, 'touch asked; exit 1' ]\n    undo: none\n");
  expect(at.run(2, "plan", "site.yaml", "--no-commands").stdout).toContain("  not known without running its guard");
  expect(at.snapshot()).toEqual({});
});

test("--only takes along what it needs, and leaves the rest", () => {
  const at = story().playbook("  - file: d/a\n    content: a\n    needs: directory:d\n  - directory: d\n  - file: other\n    content: o\n");
  at.apply("--only", "file:d/a");
  expect(Object.keys(at.snapshot())).toEqual(["d", "d/a"]);
});
