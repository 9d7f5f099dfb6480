import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Address, RegisterId, RunId, State } from "../../src/core/index.ts";
import {
  githubAnnotations,
  jsonText,
  markdownReport,
  planJson,
  type RunDetail,
  renderHistory,
  renderPlan,
  renderProblems,
  renderReport,
  renderRun,
  renderStatus,
  renderWhy,
  runJson,
  safeLine,
  safeText,
  terminalView,
  withoutCommands,
} from "../../src/report/index.ts";
import { absent, change, file, look, memory, plain, plan, problem, report, result } from "./builders.ts";

const raw = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}/u;
const nasty = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom(
      "\x1b",
      "[2J",
      "\r",
      "\n",
      "\x07",
      "\x9b",
      "\x00",
      "\t",
      "\u202e",
      "\u2066",
      "\udc80",
      "\udcff",
      "\ud800",
      "::",
      "##[",
      "`",
      "|",
      "<",
      "a",
      "日",
      "\x7f",
      "\x85",
      "\u2028",
    ),
    maxLength: 12,
  }),
);

describe("names and contents of strangers", () => {
  test("are escaped so that one sees what they are", () => {
    expect(safeLine("a\x1b[31m\r\n\t\u202e\udcff\ud800\x9b")).toBe("a\\x1b[31m\\r\\n\\t\\u{202e}\\xff\\u{d800}\\x9b");
    expect(safeLine("héllo 日本 👩‍💻")).toBe("héllo 日本 👩‍💻");
    expect(safeText("a\r\n\tb\x07")).toBe("a\n        b\\x07");
  });

  test("are no commands to a runner once those are broken", () => {
    expect(withoutCommands("::set-output name=x::y\n  ::1\n+ a::b\n##[error]x ##vso[y]")).toBe(
      "\\x3a:set-output name=x::y\n  \\x3a:1\n+ a::b\n#\\x23[error]x #\\x23vso[y]",
    );
  });

  test("put no raw control character into any output", async () => {
    await fc.assert(
      fc.asyncProperty(nasty, nasty, nasty, nasty, async (name, left, right, word) => {
        const contents = memory();
        const state: State = { is: word, [word]: name, list: [left, { [right]: word }] };
        const resources = [{ address: `t:${name}` as Address, at: { file: word, line: 1, column: 2 } }];
        const hostile = plan(
          [
            change(0, name, file(contents.put(left)), file(contents.put(right), { owner: word })),
            change(1, name, absent, file(contents.put(left))),
            change(
              2,
              name,
              state,
              { ...state, [word]: left, is: "x" },
              { resources: [...resources, ...resources], tentative: word, foreign: name },
            ),
            change(3, name, absent, state, {
              resources,
              action: "run",
              register: { kind: word, key: name, about: { argv: [word, left] } },
            }),
          ],
          { stack: name, orphans: [{ register: name as RegisterId, address: word as Address, aspects: [left], kept: right }] },
        );
        const ended = report(
          [
            result(name, "conflict", { detail: left, before: state, after: absent, found: state }),
            result(word, "failed", { detail: right }),
            result(word, "set"),
          ],
          {
            run: name as RunId,
            stack: word,
            next: left,
            exit: 6,
            problems: [
              problem(name, {
                summary: word,
                detail: left,
                more: right,
                excerpt: left,
                at: { file: name, line: 3, column: 4 },
                address: word as Address,
              }),
              problem("y", { address: name as Address }),
            ],
          },
        );
        const row: RunDetail = {
          run: name as RunId,
          stack: word,
          kind: "apply",
          status: "applied",
          at: 0,
          changed: 1,
          by: left,
          actions: ended.actions,
          playbooks: [right],
          next: left,
        };
        const time = (): string => right;
        const written: string[] = [];
        const view = terminalView({ write: (text) => written.push(text) }, plain, { now: () => 0 });
        view.show({ type: "begin", run: name as RunId, stack: word, kind: "apply", total: 3 });
        for (const [index, one] of ended.actions.entries()) view.show({ type: "action", result: one, done: index + 1, total: 3 });
        view.show({ type: "note", text: left });
        view.show({ type: "end", report: ended });
        const outputs = {
          plan: await renderPlan(hostile, look(contents), plain),
          full: await renderPlan(hostile, look(contents), { ...plain, full: true, unicode: false }),
          markdown: await markdownReport(hostile, ended, look(contents)),
          problems: renderProblems(ended.problems, plain),
          report: renderReport(ended, plain),
          history: renderHistory([row], plain, time),
          status: renderStatus(
            [
              {
                stack: name,
                owned: 1,
                last: row,
                open: { run: name as RunId, status: "halted", left: 1, next: word },
                inDoubt: [{ address: left, next: right }],
                prepared: [
                  {
                    transaction: word,
                    decision: "none",
                    address: left,
                    register: name as RegisterId,
                    server: right,
                    name: word,
                    since: 0,
                  },
                ],
                debts: [{ register: name as RegisterId, why: word }],
                orphans: [{ address: word as Address, register: name as RegisterId }],
              },
            ],
            plain,
            time,
            [{ origin: name, failures: 5, until: 0 }],
          ),
          why: renderWhy(
            {
              register: name as RegisterId,
              current: state,
              declared: resources.map((one) => ({ ...one, aspects: [left] })),
              owners: [{ stack: word, aspects: [right] }],
              sets: [{ run: name as RunId, stack: word, at: 0, before: state, after: state }],
            },
            plain,
            time,
          ),
          run: renderRun(row, plain, time),
          view: written.join(""),
          json: jsonText([planJson(hostile), runJson(ended)], 2),
        };
        for (const [which, text] of Object.entries(outputs)) {
          expect(`${which}: ${raw.exec(text)?.[0] ?? ""}`).toBe(`${which}: `);
          if (which !== "json" && which !== "markdown") expect(withoutCommands(text)).not.toMatch(/^\s*::|##\[/m);
        }
        const annotations = githubAnnotations(ended.problems);
        expect(annotations).not.toMatch(raw);
        expect(annotations.trimEnd().split("\n")).toHaveLength(2);
      }),
      { numRuns: 300 },
    );
  });
});
