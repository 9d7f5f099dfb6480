import { registerId } from "../core/index.ts";
import { hideSensitive, makePlan, movedSince, prepareGoals, readPlan, sealedPlan } from "../engine/index.ts";
import { goals, kinds } from "../registers/index.ts";
import { planJson, renderPlan } from "../report/index.ts";
import { type Context, EXIT, print, printJson, readState, refuse, shown } from "./context.ts";
import { lookOf } from "./look.ts";
import { savePlan } from "./output.ts";
import { secretsOf } from "./secrets.ts";
import { planParts, readText, startReading, vaultFor } from "./stack.ts";
import { contentsOfPlan } from "./tools.ts";

/**
 * Plans anew from a saved plan's settings, without its playbook: what did not move comes out as it was, what moved is
 * folded again.
 */
export async function rebase(context: Context, file: string, out: string | undefined): Promise<number> {
  const read = readPlan(readText(context, file), file);
  if (!read.ok) return refuse(context, read.problems, EXIT.invalid);
  const state = readState(context);
  const reading = startReading(context, state, { commands: true });
  const vault = vaultFor(context, reading, await secretsOf(context, read.value, {}));
  const plan = vault.unseal(read.value);
  contentsOfPlan(plan, reading, state);
  await prepareGoals(plan.settings, goals);
  const moved = await movedSince(plan, kinds, reading.reader, (digest) => vault.fingerprint(digest));
  const planned = await makePlan(
    { resources: plan.resources, settings: plan.settings },
    planParts(context, reading, vault, {
      stack: plan.stack,
      playbooks: plan.playbooks,
      inputs: plan.inputs,
      facts: plan.facts,
      prune: false,
      peers: plan.peers ?? {},
      ...(plan.events && { events: plan.events }),
    }),
  );
  if (planned.problems.some(({ severity }) => severity === "error")) return refuse(context, planned.problems, EXIT.invalid);
  hideSensitive(planned.plan, { kinds, vault, ledger: reading.ledger });
  const parts = { plan: planned.plan, vault, reading };
  const made =
    out === undefined ? { ...planned.plan, digest: sealedPlan(planned.plan, { vault }).digest } : await savePlan(context, parts, out);
  const names = moved.map(({ step }) => registerId(step.register));
  if (context.json) printJson(context, planJson(vault.seal(made), { moved: names }));
  else {
    context.err.write(
      shown(context, names.length === 0 ? "Nothing moved since the plan was made.\n" : `Planned anew what moved: ${names.join(", ")}\n`),
    );
    print(context, await renderPlan(made, lookOf(reading.contents, vault), context.outStyle));
  }
  return made.changes.length > 0 ? EXIT.changes : 0;
}
