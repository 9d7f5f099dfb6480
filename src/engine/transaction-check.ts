import { type Change, error, type Problem, pivotsOf, registerId } from "../core/index.ts";
import type { Expanded } from "./expand.ts";
import type { PlanParts } from "./plan-parts.ts";
import { kindOf } from "./read.ts";

/** What stands against the transactions of a plan, or should be known of them. */
export function transactionProblems({ transactions }: Expanded, changes: readonly Change[], parts: PlanParts): readonly Problem[] {
  const pivots = pivotsOf({ ...(transactions && { transactions }), changes });
  return (transactions ?? []).flatMap(({ name, mode, at }): readonly Problem[] => {
    const members = changes.filter(({ transaction }) => transaction === name);
    if (mode === "two_phase") return members.flatMap((member) => twoPhaseProblems(name, member, members, parts));
    const pivot = members.findIndex(({ n }) => pivots.has(n));
    if (pivot < 0 || pivot === members.length - 1) return [];
    const change = members[pivot] as Change;
    return [
      {
        ...error(
          "pivot-not-last",
          "a step of a transaction that cannot be taken back is not its last",
          `in ${name}, ${registerId(change.register)} has no undo, and ${members.length - 1 - pivot} behind it can still fail: put it last, or give it an \`undo\``,
          change.resources[0]?.at ?? at,
          change.resources[0]?.address,
        ),
        severity: "warning",
      },
    ];
  });
}

/** All members are prepared before one is made: none may wait for another, and each must be able to vote. */
function twoPhaseProblems(name: string, member: Change, members: readonly Change[], { kinds }: PlanParts): readonly Problem[] {
  const { register, before, after, manner, resources } = member;
  const [first] = resources;
  const say = (code: string, summary: string, detail: string): Problem => error(code, summary, detail, first?.at, first?.address);
  const needed = members.find(({ n }) => member.needs?.includes(n));
  if (needed !== undefined)
    return [
      say(
        "two-phase-order",
        "members of a two-phase transaction that need each other",
        `${registerId(register)} needs ${registerId(needed.register)}, but all of ${name} is prepared before any of it is made: declare that one in front of the transaction, or use \`mode: saga\``,
      ),
    ];
  if (member.unknown || member.tentative !== undefined)
    return [
      say(
        "two-phase-unknown",
        "a member of a two-phase transaction that is not known yet",
        `${registerId(register)} is ${member.tentative ?? "only known when it runs"}: what is to be prepared must be known; use \`mode: saga\``,
      ),
    ];
  if (kindOf(kinds, register.kind).preparable?.(register, before, after, manner ?? {}) === true) return [];
  return [
    say(
      "cannot-prepare",
      "a member of a two-phase transaction that cannot be prepared",
      `${registerId(register)} is made in one step, so it could fail when the others are made already: use \`mode: saga\`, or take it out of ${name}${register.kind === "effect" ? "; a `call` to a peer that prepares, confirms and cancels can say how, with `two_phase`" : ""}`,
    ),
  ];
}
