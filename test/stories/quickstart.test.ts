import { cpSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { story } from "./story.ts";

const playbooks = fileURLToPath(new URL("../../playbooks", import.meta.url));

test("the README's walk: apply, apply again, an edit, plan, apply, revert, verify", () => {
  const at = story();
  cpSync(playbooks, at.book, { recursive: true });

  expect(at.run(2, "plan", "quickstart.yaml").stdout).toContain("Plan: 4 to create, 1 to run.");
  expect(at.snapshot()).toEqual({});
  at.run(2, "verify", "quickstart.yaml");

  expect(at.run(0, "apply", "quickstart.yaml", "--yes").stdout).toContain("Applied: 5 changed, 0 already, 0 conflicts, verified.");
  expect(at.read("quickstart/app.toml")).toBe(
    '# Settings of the app; comments stay.\n[server]\nhost = "127.0.0.1"   # loopback only\nworkers = 4\n',
  );
  expect(at.read("quickstart/hosts")).toBe("127.0.0.1 app.internal\n");
  at.run(0, "verify", "quickstart.yaml");
  at.run(0, "plan", "quickstart.yaml");

  const tree = at.snapshot({ times: true });
  const state = at.snapshot({ of: at.state });
  expect(at.run(0, "apply", "quickstart.yaml", "--yes").stdout).toContain("Nothing to do");
  expect(at.snapshot({ times: true })).toEqual(tree);
  expect(withoutLock(at.snapshot({ of: at.state }))).toEqual(withoutLock(state));

  at.file("quickstart/app.toml", at.read("quickstart/app.toml").replace("workers = 4", "workers = 9"));
  const edited = at.snapshot();
  const planned = at.run(2, "plan", "quickstart.yaml");
  expect(planned.stdout).toContain("-workers = 9\n");
  expect(planned.stdout).toContain("+workers = 4\n");
  expect(planned.stdout).toContain("quickstart.yaml:34");
  expect(at.run(2, "verify", "quickstart.yaml").stdout).toContain("-workers = 9\n");
  expect(at.snapshot()).toEqual(edited);

  at.run(0, "apply", "quickstart.yaml", "--yes");
  expect(at.read("quickstart/app.toml")).toContain("workers = 4\n");
  at.run(0, "verify", "quickstart.yaml");

  at.run(0, "revert", "--yes");
  expect(at.snapshot()).toEqual(edited);
  at.run(2, "verify", "quickstart.yaml");
});

test("apply; apply in JSON: the second changes nothing and writes nothing, the lock aside", () => {
  const at = story().file("kept", "as it was\n").playbook("  - file: made\n    content: new\n");
  const first = at.run(0, "apply", "site.yaml", "--yes", "--json").json();
  expect(first).toMatchObject({ status: "applied", summary: { changed: 1, verified: true } });
  const before = [at.snapshot({ times: true }), withoutLock(at.snapshot({ of: at.state, times: true }))];
  const second = at.run(0, "apply", "site.yaml", "--yes", "--json").json();
  expect(second).toMatchObject({ status: "in-sync", summary: { changed: 0, already: 1 } });
  expect([at.snapshot({ times: true }), withoutLock(at.snapshot({ of: at.state, times: true }))]).toEqual(before);
  expect(readFileSync(at.at("made"), "utf8")).toBe("new");
});

test("a revert of everything, and once more: the second is a no-op", () => {
  const at = story()
    .file("kept", "as it was\n", 0o600)
    .playbook("  - file: kept\n    content: other\n    mode: '0644'\n  - directory: new/deep\n");
  const start = at.snapshot({});
  at.apply();
  expect(at.mode("kept")).toBe("0644");
  at.revert();
  expect(at.snapshot()).toEqual(start);
  const state = withoutLock(at.snapshot({ of: at.state, times: true }));
  at.run(0, "revert", "--yes", at.try("revert", "--json").json().run ?? "");
  expect(at.snapshot()).toEqual(start);
  expect(Object.keys(withoutLock(at.snapshot({ of: at.state })))).toEqual(Object.keys(state));
});

/** The lock names the process that held it last. */
function withoutLock(snapshot: { readonly [path: string]: string }): { readonly [path: string]: string } {
  const { lock: _, ...rest } = snapshot;
  return rest;
}
