import { Bug, type Change, error, type Place, type Problem, type RegisterKind, type Step } from "../core/index.ts";

/** A node that must come after others. */
interface Node {
  readonly needs: readonly number[];
}

/**
 * Numbers 0 to n - 1 in listed order, what each needs pulled in front of it; or the circle that makes it impossible.
 * Depth-first with a stack of its own: a chain of ten thousand needs must not end the program.
 */
export function pulledForward(nodes: readonly Node[]): { readonly order: readonly number[] } | { readonly circle: readonly number[] } {
  const order: number[] = [];
  const state = new Uint8Array(nodes.length);
  for (let root = 0; root < nodes.length; root++) {
    if (state[root] !== 0) continue;
    if (nodes[root]?.needs.length === 0) {
      // Most of ten thousand files: no stack for them.
      state[root] = 2;
      order.push(root);
      continue;
    }
    const path: { readonly node: number; next: number }[] = [{ node: root, next: 0 }];
    state[root] = 1;
    while (path.length > 0) {
      const top = path[path.length - 1] as { readonly node: number; next: number };
      const need = nodes[top.node]?.needs[top.next];
      if (need === undefined) {
        state[top.node] = 2;
        order.push(top.node);
        path.pop();
        continue;
      }
      top.next += 1;
      if (state[need] === 1) return { circle: [...path.slice(path.findIndex(({ node }) => node === need)).map(({ node }) => node), need] };
      if (state[need] === 0) {
        state[need] = 1;
        path.push({ node: need, next: 0 });
      }
    }
  }
  return { order };
}

/** The problem of a circle, shown with its places. */
export function circleProblem(names: readonly { readonly name: string; readonly at: Place | undefined }[]): Problem {
  const [first] = names;
  const shown = names.map(({ name, at }) => (at ? `${name} (line ${at.line})` : name)).join(" → ");
  return error("circular-order", "needs in a circle", `${shown}: none of them can be set first`, first?.at);
}

/**
 * The stages in which steps are made, from their listed order and needs alone: neighbours go in parallel where neither
 * needs the other; an opaque step stands alone, and those of one unit are a
 * stage of their own, where the last of them stands. `back` undoes in reverse, with the needs turned round.
 */
export function stagesOf<S extends Step & Pick<Change, "needs">>(
  steps: readonly S[],
  direction: "forward" | "back",
  kinds: ReadonlyMap<string, RegisterKind>,
  unitOf: (step: S) => string | undefined = () => undefined,
): readonly (readonly S[])[] {
  const ordered = together(
    [...steps].sort((a, b) => (direction === "forward" ? a.n - b.n : b.n - a.n)),
    unitOf,
  );
  const stages: S[][] = [];
  let stage: S[] = [];
  /** Forward: the steps of the stage. Back: what the steps of the stage need. */
  let barred = new Set<number>();
  let last: string | undefined;
  for (const step of ordered) {
    const unit = unitOf(step);
    if (unit !== undefined && unit === last) {
      stages.at(-1)?.push(step);
      continue;
    }
    last = unit;
    const kind = kinds.get(step.register.kind);
    if (!kind) throw new Bug(`no kind ${step.register.kind}`);
    const stands = kind.opaque === true || unit !== undefined;
    const meets = direction === "forward" ? (step.needs ?? []).some((need) => barred.has(need)) : barred.has(step.n);
    if (stage.length > 0 && (stands || meets)) {
      stages.push(stage);
      stage = [];
      barred = new Set();
    }
    stage.push(step);
    if (direction === "forward") barred.add(step.n);
    else for (const need of step.needs ?? []) barred.add(need);
    if (stands) {
      stages.push(stage);
      stage = [];
      barred = new Set();
    }
  }
  if (stage.length > 0) stages.push(stage);
  return stages;
}

/** Moves the steps of a unit to where its last one stands. */
function together<S>(steps: readonly S[], unitOf: (step: S) => string | undefined): readonly S[] {
  const units = new Map<string, S[]>();
  for (const step of steps) {
    const unit = unitOf(step);
    if (unit === undefined) continue;
    const known = units.get(unit);
    if (known) known.push(step);
    else units.set(unit, [step]);
  }
  if (units.size === 0) return steps;
  return steps.flatMap((step) => {
    const unit = unitOf(step);
    const members = unit === undefined ? undefined : units.get(unit);
    if (members === undefined) return [step];
    return members.at(-1) === step ? members : [];
  });
}
