import {
  type ActionResult,
  type Address,
  type Change,
  type Contents,
  type Digest,
  type Plan,
  type Problem,
  type RegisterId,
  type RunId,
  type RunReport,
  type State,
  SystemFault,
  sha256,
} from "../../src/core/index.ts";
import type { Look, Style } from "../../src/report/index.ts";

export const plain: Style = { colour: 0, width: 80, full: false, unicode: true };

/** Contents in memory, which counts how often one is read. */
export function memory(): Contents & { reads: number } {
  const kept = new Map<string, Buffer>();
  return {
    reads: 0,
    text(digest) {
      return this.bytes(digest).toString("utf8");
    },
    bytes(digest) {
      this.reads += 1;
      const found = kept.get(digest);
      if (!found) throw new SystemFault("moved", "the content is gone");
      return found;
    },
    put(bytes) {
      const digest = sha256(bytes);
      kept.set(digest, Buffer.from(bytes));
      return digest;
    },
    size: (digest) => kept.get(digest)?.length,
  };
}

export const absent: State = { is: "absent" };
export const nowhere = "0".repeat(64) as Digest;

export function file(content: Digest, more: object = {}): State {
  return { is: "file", content, mode: 0o644, owner: "root", group: "root", ...more };
}

/** A change of a path; the place is line `n` of site.yaml. */
export function change(n: number, key: string, before: State, after: State, more: Partial<Change> = {}): Change {
  const kind = more.register?.kind ?? "path";
  const action = before.is === "absent" ? "create" : after.is === "absent" ? "delete" : "update";
  return {
    n,
    register: { kind, key },
    settings: [n],
    before,
    after,
    action,
    label: "exact",
    reason: "intent",
    resources: [{ address: `file:${key}` as Address, at: { file: "site.yaml", line: n + 5, column: 5 } }],
    ...more,
  };
}

export function plan(changes: readonly Change[], more: Partial<Plan> = {}): Plan {
  const counted = (action: Change["action"]): number => changes.filter((one) => one.action === action).length;
  const resources = new Map(changes.flatMap((one) => one.resources).map((resource) => [resource.address, resource]));
  return {
    format: 1,
    stack: "web",
    digest: "d".repeat(64),
    setpoint: "0.1.0",
    playbooks: [],
    inputs: {},
    facts: {},
    summary: {
      resources: resources.size + 57,
      registers: changes.length + 57,
      changes: changes.length,
      creates: counted("create"),
      updates: counted("update"),
      deletes: counted("delete"),
      runs: counted("run"),
      irreversible: changes.filter((one) => one.label === "irreversible").length,
      tentative: changes.filter((one) => one.tentative !== undefined).length,
    },
    changes,
    steady: [],
    resources: [...resources.values()],
    settings: [],
    orphans: [],
    ...more,
  };
}

export function look(contents: Contents, ...secrets: readonly string[]): Look {
  return { contents, sensitive: (digest) => secrets.includes(digest) };
}

export const runName = "20260801T101112345-0a1b2c" as RunId;

export function result(register: string, status: ActionResult["status"], more: Partial<ActionResult> = {}): ActionResult {
  return { register: register as RegisterId, status, ...more };
}

export function report(actions: readonly ActionResult[], more: Partial<RunReport> = {}): RunReport {
  const counted = (...statuses: readonly string[]): number => actions.filter((one) => statuses.includes(one.status)).length;
  return {
    format: 1,
    run: runName,
    stack: "web",
    kind: "apply",
    status: "applied",
    exit: 0,
    summary: {
      changed: counted("set", "found", "restored", "compensated"),
      already: counted("already"),
      conflicts: counted("conflict"),
      failed: counted("failed"),
      in_doubt: counted("unknown"),
      verified: true,
    },
    actions,
    problems: [],
    ...more,
  };
}

export function problem(code: string, more: Partial<Problem> = {}): Problem {
  return { code, severity: "error", summary: "unknown key", detail: "'modee' is not a field of file. Did you mean 'mode'?", ...more };
}

/** A plan with one of everything, and the look that it needs. */
export function richPlan(): { plan: Plan; look: Look } {
  const contents = memory();
  const before = contents.put(
    [
      "user www;",
      "workers 2;",
      "",
      "events {}",
      "",
      "http {",
      "\tgzip on;",
      "}",
      "# 9",
      "# 10",
      "# 11",
      "# 12",
      "# 13",
      "# 14",
      "end",
    ].join("\n"),
  );
  const after = contents.put(
    [
      "user www;",
      "workers 4;",
      "",
      "events {}",
      "",
      "http {",
      "\tgzip on;",
      "}",
      "# 9",
      "# 10",
      "# 11",
      "# 12",
      "# 13",
      "# 14",
      "end",
      "",
    ].join("\n"),
  );
  const long = contents.put(Array.from({ length: 120 }, (_, index) => `line ${index}\n`).join(""));
  const changed = contents.put(Array.from({ length: 120 }, (_, index) => `row ${index}\n`).join(""));
  const motd = contents.put("hello\nworld\n");
  const binary = contents.put(Buffer.from([0, 1, 2, 3]));
  const larger = contents.put(Buffer.alloc(4096));
  const secret = contents.put("token=hunter2\n");
  const command = (address: string, line: number) => [{ address: address as Address, at: { file: "site.yaml", line, column: 5 } }];
  const rich = plan(
    [
      change(0, "/etc/motd", absent, file(motd)),
      change(1, "/etc/big.conf", absent, file(long)),
      change(2, "/etc/nginx/nginx.conf", file(before), file(after, { mode: 0o600, owner: "www" }), {
        manner: { sensitive: false },
        reason: "drift",
      }),
      change(3, "/etc/rows", file(long), file(changed)),
      change(4, "/etc/hosts", file(motd), file(contents.put("hello\n127.0.0.1 web\nworld\n")), {
        resources: [
          { address: "line:/etc/hosts#web" as Address, at: { file: "site.yaml", line: 30, column: 5 } },
          { address: "line:/etc/hosts#db" as Address, at: { file: "modules/db.yaml", line: 3, column: 3 } },
        ],
      }),
      change(5, "/usr/bin/tool", file(binary), file(larger, { mode: 0o755 }), { foreign: "base" }),
      change(6, "/etc/token", file(secret, { mode: 0o600 }), file(contents.put("token=hunter3\n"), { mode: 0o600 })),
      change(7, "/etc/current", { is: "symlink", to: "/srv/1" }, { is: "symlink", to: "/srv/2" }),
      change(8, "/srv/a", absent, { is: "directory", mode: 0o755, owner: "root", group: "root" }, { resources: command("tree:/srv", 40) }),
      change(9, "/srv/a/b", absent, file(motd), { resources: command("tree:/srv", 40) }),
      change(10, "/etc/old", file(motd), absent, { reason: "prune" }),
      change(
        11,
        "www",
        { is: "account", uid: 33, groups: ["www"] },
        { is: "account", groups: ["www", "docker"] },
        { register: { kind: "account", key: "www" }, resources: command("user:www", 50) },
      ),
      change(
        12,
        "migrate",
        absent,
        { is: "receipt" },
        {
          register: { kind: "command", key: "migrate", about: { argv: ["./migrate", "--to", "it's 5"] } },
          action: "run",
          label: "irreversible",
          tentative: "after package:nginx",
          resources: command("command:migrate", 60),
        },
      ),
      change(
        13,
        "nginx",
        { is: "owed" },
        { is: "settled" },
        {
          register: { kind: "debt", key: "nginx" },
          action: "run",
          label: "compensated",
          reason: "debt",
          resources: command("service:nginx", 61),
        },
      ),
      change(14, "/etc/later", absent, absent, { unknown: true, action: "create", tentative: "known after package:nginx" }),
    ],
    {
      orphans: [
        { register: "path:/etc/hosts" as RegisterId, aspects: ["line ^10"], address: "line:/etc/hosts#old" as Address },
        {
          register: "path:/etc/x" as RegisterId,
          aspects: ["content"],
          address: "file:/etc/x" as Address,
          kept: "somebody changed it since",
        },
      ],
    },
  );
  return { plan: rich, look: look(contents, secret) };
}
