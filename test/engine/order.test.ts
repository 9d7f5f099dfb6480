import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RegisterKind, Step } from "../../src/core/index.ts";
import { pulledForward, stagesOf } from "../../src/engine/order.ts";

const plain = { kind: "plain", read: () => [], transition: () => [] } satisfies RegisterKind;
const opaque = { ...plain, kind: "opaque", opaque: true as const };
const kinds = new Map<string, RegisterKind>([plain, opaque].map((kind) => [kind.kind, kind]));

type Node = { readonly needs: readonly number[] };

/** Nodes that only need earlier ones in a hidden order, so without circles, shuffled. */
const acyclic: fc.Arbitrary<readonly Node[]> = fc.integer({ min: 1, max: 30 }).chain((size) =>
  fc
    .tuple(
      fc.shuffledSubarray(
        Array.from({ length: size }, (_, n) => n),
        { minLength: size },
      ),
      fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 40 }),
    )
    .map(([order, pairs]) => {
      const place = new Map(order.map((node, index) => [node, index]));
      const needs: number[][] = Array.from({ length: size }, () => []);
      for (const [a, b] of pairs) if ((place.get(a) ?? 0) > (place.get(b) ?? 0)) needs[a]?.push(b);
      return needs.map((list) => ({ needs: list }));
    }),
);

describe("order", () => {
  test("listed order stays where nothing needs otherwise", () => {
    expect(pulledForward([{ needs: [] }, { needs: [] }, { needs: [0] }])).toEqual({ order: [0, 1, 2] });
    expect(pulledForward([{ needs: [2] }, { needs: [] }, { needs: [] }])).toEqual({ order: [2, 0, 1] });
  });

  test("each comes once and after all it needs", () => {
    fc.assert(
      fc.property(acyclic, (nodes) => {
        const result = pulledForward(nodes);
        if (!("order" in result)) throw new Error("a circle where there is none");
        expect([...result.order].sort((a, b) => a - b)).toEqual(nodes.map((_, n) => n));
        const place = new Map(result.order.map((node, index) => [node, index]));
        nodes.forEach((node, n) => {
          for (const need of node.needs) expect(place.get(need)).toBeLessThan(place.get(n) as number);
        });
      }),
    );
  });

  test("a circle is shown from its first to its first", () => {
    expect(pulledForward([{ needs: [1] }, { needs: [2] }, { needs: [1] }])).toEqual({ circle: [1, 2, 1] });
    expect(pulledForward([{ needs: [0] }])).toEqual({ circle: [0, 0] });
  });

  test("a chain of 100,000 needs does not end the program", () => {
    const result = pulledForward(Array.from({ length: 100_000 }, (_, n) => ({ needs: n < 99_999 ? [n + 1] : [] })));
    expect("order" in result && result.order[0]).toBe(99_999);
  });
});

const steps = fc.tuple(acyclic, fc.array(fc.boolean(), { minLength: 30, maxLength: 30 })).map(([nodes, opaques]) => {
  const result = pulledForward(nodes);
  const order = "order" in result ? result.order : [];
  const number = new Map(order.map((node, n) => [node, n]));
  return order.map((node, n): Step & { readonly needs: readonly number[] } => ({
    n,
    register: { kind: opaques[n] ? "opaque" : "plain", key: String(node) },
    settings: [],
    before: { is: "x" },
    needs: (nodes[node]?.needs ?? []).map((need) => number.get(need) as number),
  }));
});

describe("stages", () => {
  for (const direction of ["forward", "back"] as const) {
    test(`${direction}: all steps, in order, none beside what it needs, an opaque one alone`, () => {
      fc.assert(
        fc.property(steps, (list) => {
          const stages = stagesOf(list, direction, kinds);
          const flat = stages.flat().map((step) => step.n);
          const listed = list.map((step) => step.n);
          expect(flat).toEqual(direction === "forward" ? listed : listed.reverse());
          for (const stage of stages) {
            const members = new Set(stage.map((step) => step.n));
            for (const step of stage) expect(step.needs.some((need) => members.has(need))).toBe(false);
            if (stage.some((step) => step.register.kind === "opaque")) expect(stage).toHaveLength(1);
          }
        }),
      );
    });
  }
});
