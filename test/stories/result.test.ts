import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { HttpPeer } from "../support/http-peer.ts";
import { runCommand } from "../support/in-process.ts";
import { MortalSystem } from "../support/mortal-system.ts";
import { RemoteStage } from "../support/remote-stage.ts";

let stage: RemoteStage;
let peer: HttpPeer;

beforeEach(async () => {
  stage = new RemoteStage();
  peer = await HttpPeer.start({ deeds: ["/charges", "/mails", "/refunds"], dedupe: 86_400_000 });
});

afterEach(async () => {
  await peer.stop();
  await stage.close();
});

const at = (name: string) => join(stage.folder, name);
const read = (name: string) => readFileSync(at(name), "utf8");
const of = (path: string) => peer.model.deeds.filter((deed) => deed.path === path);
const id = "${{ result('call:charge').id }}";

/** A charge; a file, a line and a second call that use what it gave. */
function book(): void {
  stage.book(`
  - call: charge
    url: ${peer.origin}/charges
    body: { amount: 5 }
    dedupe: 24h
    undo: { url: "${peer.origin}/refunds", body: { amount: 5 } }
  - file: ${at("receipt")}
    content: "charge ${id} is \${{ result('call:charge').state }}\\n"
  - line: ${at("log")}
    text: "charged ${id}"
    create: true
  - call: mail
    url: "${peer.origin}/mails?about=${id}"
    body: { text: "charge ${id}", charge: "${id}" }
    dedupe: 24h
    undo: { url: "${peer.origin}/refunds", body: { mail: "${id}" } }
  - http: ${peer.origin}/orders/5
    body: { charge: "${id}" }
`);
}

function expectSet(): void {
  expect(read("receipt")).toBe("charge 1 is paid\n");
  expect(read("log")).toBe("charged 1\n");
  // Alone it keeps its type.
  expect(of("/mails").map(({ body }) => body)).toEqual([{ text: "charge 1", charge: 1 }]);
  expect(of("/charges")).toHaveLength(1);
  expect(peer.model.objects.get("/orders/5")).toEqual({ charge: 1 });
}

describe("what another resource gave", () => {
  test("is said to be known later in every view of a plan, and no view shows what stands for it", async () => {
    book();
    const planned = await stage.run("plan", [], { report: [`markdown=${at("plan.md")}`], out: at("saved.plan") });
    const json = await stage.json<{ readonly changes: readonly { readonly tentative_because?: string; readonly unknown?: true }[] }>(
      "plan",
    );
    expect(json.changes.map((change) => [change.tentative_because, change.unknown])).toEqual([
      [undefined, undefined],
      ...Array.from({ length: 4 }, () => ["known after call:charge", true]),
    ]);
    const shown = await stage.run("show", [at("saved.plan")]);
    const views = [planned.out, read("plan.md"), shown.out];
    for (const view of views) {
      const plain = view.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
      expect(plain).toContain("known after call:charge");
      expect(plain).toContain("#charged result(call:charge.id)");
    }
    const all = [...views, JSON.stringify(json), JSON.stringify(await stage.json("show", [at("saved.plan")]))];
    const { run = "" } = await stage.json("apply");
    for (const [name, args] of [
      ["show", [run]],
      ["history", []],
      ["status", []],
      ["verify", [at("book.yaml")]],
      ["why", [at("log")]],
    ] as const) {
      const { out, err } = await stage.run(name, args);
      all.push(out + err, JSON.stringify(await stage.json(name, args)));
    }
    for (const view of all) expect(view).not.toContain("⟦");
  });

  test("is set by an apply, found in sync, verified, and taken back by a revert", async () => {
    book();
    expect(await stage.json("apply")).toMatchObject({ exit: 0, summary: { changed: 5, verified: true } });
    expectSet();
    expect((await stage.run("plan")).exit).toBe(0);
    expect((await stage.run("verify", [at("book.yaml")])).exit).toBe(0);
    expect(await stage.json("apply")).toMatchObject({ status: "in-sync" });
    expect(await stage.json("revert")).toMatchObject({ exit: 0, status: "reverted" });
    expect([existsSync(at("receipt")), existsSync(at("log")), peer.model.objects.size]).toEqual([false, false, 0]);
    // The mail's undo too knows what the charge gave, as it comes first.
    expect(of("/refunds").map(({ body }) => body)).toEqual([{ mail: 1 }, { amount: 5 }]);
  });

  test("is in a saved plan, which applies without its playbook", async () => {
    book();
    expect((await stage.run("plan", [], { out: at("saved.plan") })).exit).toBe(2);
    expect(await stage.json("apply", [at("saved.plan")])).toMatchObject({ exit: 0, summary: { verified: true } });
    expectSet();
  });

  test("is known to a resume, wherever the run was killed", async () => {
    book();
    const calls = async (at: number) => {
      const mortal = new MortalSystem(stage.system, at, "before");
      await runCommand(apply, mortal, stage.folder, [join(stage.folder, "book.yaml")]).catch(() => undefined);
      mortal.bury();
      return mortal;
    };
    const { trace } = await calls(0);
    const first = trace.indexOf("request") + 1;
    expect(first).toBeGreaterThan(0);
    for (let at = first; at <= trace.length; at += 5) {
      await stage.close();
      await peer.stop();
      stage = new RemoteStage();
      peer = await HttpPeer.start({ deeds: ["/charges", "/mails", "/refunds"], dedupe: 86_400_000 });
      book();
      expect((await calls(at)).dead).toBe(true);
      expect(await stage.json("resume"), `killed at ${at}: ${trace[at - 1]}`).toMatchObject({ exit: 0 });
      expectSet();
    }
  });

  test("has to be there: what is missing is said with its place and what there is, before and while it runs", async () => {
    book();
    const missing = read("book.yaml").replace("result('call:charge').state", "result('call:charge').status");
    stage.write("book.yaml", missing);
    const line = missing.split("\n").findIndex((one) => one.includes("- file:")) + 1;
    const failed = await stage.run("apply");
    expect(failed.exit).toBe(6);
    expect(failed.out).toContain(
      `book.yaml:${line}:5: what call:charge gave has no \`status\`; it has id, key, request, state: name another part`,
    );
    const planned = await stage.json<{ readonly problems: readonly object[] }>("plan");
    expect(planned.problems).toMatchObject([
      { code: "no-result", at: { line, column: 5 }, detail: expect.stringContaining("it has id, key") },
    ]);
    stage.write("book.yaml", missing.replace(".status", ".state"));
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expectSet();
  });

  test("cannot be part of a name, nor come from what gives none", async () => {
    stage.book(`  - file: ${at("a")}\n    content: a\n  - file: ${at("b")}\n    content: "\${{ result('file:${at("a")}').id }}"`);
    const none = await stage.run("plan");
    expect(none.exit).toBe(3);
    expect(none.out + none.err).toContain("gives no result: only effects do");
    book();
    stage.write("book.yaml", `${read("book.yaml")}  - file: "${at("x")}-${id}"\n    content: x\n`);
    const named = await stage.run("plan");
    expect(named.out + named.err).toContain("what a resource is called cannot depend on what another gives");
  });

  test("of a call whose answer was lost is what its `verify` finds", async () => {
    stage.book(`
  - call: charge
    url: ${peer.origin}/charges
    body: { amount: 5 }
    verify: { url: "${peer.origin}/charges?key={key}", where: { state: paid } }
    undo: none
  - file: ${at("receipt")}
    content: "charge ${id}"
`);
    peer.model.next(({ method }) => method === "POST", { do: "drop", executed: true });
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect([of("/charges").length, read("receipt")]).toEqual([1, "charge 1"]);
  });

  test("of a call that is killed before its answer came is what its `verify` finds when it is resumed", async () => {
    stage.book(`
  - call: charge
    url: ${peer.origin}/charges
    body: { amount: 5 }
    verify: { url: "${peer.origin}/charges?key={key}" }
    undo: none
  - file: ${at("receipt")}
    content: "charge \${{ result('call:charge').data[0].id }}"
`);
    const mortal = new MortalSystem(stage.system, 0, "after", undefined, [
      {
        after: ({ name }) => {
          if (name === "request") mortal.bury();
        },
      },
    ]);
    await runCommand(apply, mortal, stage.folder, [at("book.yaml")]).catch(() => undefined);
    expect(of("/charges")).toHaveLength(1);
    expect(await stage.json("resume")).toMatchObject({ exit: 0 });
    expect([of("/charges").length, read("receipt")]).toEqual([1, "charge 1"]);
  });

  test("of a call that somebody says has happened is not there, and what to do is said", async () => {
    stage.book(`
  - call: charge
    url: ${peer.origin}/charges
    body: { amount: 5 }
    undo: none
  - file: ${at("receipt")}
    content: "charge ${id}"
`);
    peer.model.next(({ method }) => method === "POST", { do: "drop", executed: true });
    expect(await stage.json("apply")).toMatchObject({ exit: 6 });
    expect((await stage.run("answer", ["call:charge", "happened"])).exit).toBe(0);
    const resumed = await stage.run("resume");
    expect(resumed.exit).toBe(6);
    expect(resumed.out).toContain("its answer was lost, so there is nothing to take `id` from: write the value itself in its place");
    stage.write("book.yaml", read("book.yaml").replace(id, "1"));
    expect(await stage.json("apply")).toMatchObject({ exit: 0 });
    expect([of("/charges").length, read("receipt")]).toEqual([1, "charge 1"]);
  });

  test.each([
    ["its contents and payloads are in no file of the state directory", false],
    ["an object's fields are hidden too", true],
  ])("is as sensitive as the call that gave it: hidden in every view; %s", async (_, withObject) => {
    const token = "t0ken-of-the-peer";
    const uses = (declared: string) => `
  - call: token
    url: ${peer.origin}/charges
    dedupe: 24h
    undo: none
    sensitive: true
  - file: ${at("token")}
    content: "token ${"${{ result('call:token').token }}"} ${declared}"
  - line: ${at("log")}
    text: "token=${"${{ result('call:token').token }}"} ${declared}"
    match: ^token=
    create: true
  - call: mail
    url: ${peer.origin}/mails
    body: { token: "${"${{ result('call:token').token }}"}", text: ${declared} }
    occurrence: ${declared}
    dedupe: 24h
    undo: none
${withObject ? `  - http: ${peer.origin}/orders/5\n    body: { token: "\${{ result('call:token').token }}", text: ${declared} }` : ""}
`;
    peer.model.next(({ target }) => target === "/charges", { do: "answer", answer: { status: 201, body: { token } }, executed: true });
    const seen: string[] = [];
    for (const declared of ["one", "two"]) {
      stage.book(uses(declared));
      for (const [name, args] of [
        ["plan", []],
        ["apply", []],
        ["plan", []],
        ["show", undefined],
        ["history", []],
      ] as const) {
        const [last] = (await stage.json<{ readonly runs: readonly { readonly run: string }[] }>("history")).runs;
        const words = args ?? [last?.run ?? ""];
        const { out, err } = await stage.run(name, words, { report: [`markdown=${at("report.md")}`], full: true });
        seen.push(out, err, read("report.md"));
        if (name !== "apply") seen.push(JSON.stringify(await stage.json(name, words)));
      }
      expect(read("token")).toBe(`token ${token} ${declared}`);
      expect(of("/mails").at(-1)?.body).toEqual({ token, text: declared });
      if (withObject) expect(peer.model.objects.get("/orders/5")).toEqual({ token, text: declared });
    }
    for (const view of seen) expect(view).not.toContain(token);
    expect(seen.join("\n")).toContain("content changed (sensitive)");
    const { out } = await stage.run("plan");
    expect(out).toContain("Nothing to do");
    if (!withObject) expect(stage.stateText()).not.toContain(token);
    expect(await stage.json("revert")).toMatchObject({ exit: 0 });
    expect(read("token")).toBe(`token ${token} one`);
  });
});
