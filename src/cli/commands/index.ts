import { Bug } from "../../core/index.ts";
import type { CommandModule } from "./command.ts";

const loaders: { readonly [name: string]: () => Promise<CommandModule> } = {
  init: async () => (await import("./init.ts")).init,
  lint: async () => (await import("./lint.ts")).lint,
  plan: async () => (await import("./plan.ts")).plan,
  apply: async () => (await import("./apply.ts")).apply,
  watch: async () => (await import("./watch.ts")).watch,
  resume: async () => (await import("./resume.ts")).resume,
  revert: async () => (await import("./revert.ts")).revert,
  confirm: async () => (await import("./confirm.ts")).confirm,
  answer: async () => (await import("./answer.ts")).answer,
  abandon: async () => (await import("./abandon.ts")).abandon,
  verify: async () => (await import("./verify.ts")).verify,
  status: async () => (await import("./status.ts")).status,
  history: async () => (await import("./history.ts")).history,
  show: async () => (await import("./show.ts")).show,
  replay: async () => (await import("./replay.ts")).replay,
  ledger: async () => (await import("./ledger.ts")).ledger,
  why: async () => (await import("./why.ts")).why,
  graph: async () => (await import("./graph.ts")).graph,
  facts: async () => (await import("./facts.ts")).facts,
  schema: async () => (await import("./schema.ts")).schema,
  doctor: async () => (await import("./doctor.ts")).doctor,
  completion: async () => (await import("./completion.ts")).completionOf(loadAll),
  chaos: async () => (await import("./chaos.ts")).chaos,
  gc: async () => (await import("./gc.ts")).gc,
};

/** The commands in the order of the help. */
export const commandNames: readonly string[] = Object.keys(loaders);

export async function loadCommand(name: string): Promise<CommandModule> {
  const load = loaders[name];
  if (!load) throw new Bug(`no command ${name}`);
  return load();
}

/** All commands by name; the completion itself is made of them too. */
async function loadAll(): Promise<ReadonlyMap<string, CommandModule>> {
  return new Map(await Promise.all(commandNames.map(async (name) => [name, await loadCommand(name)] as const)));
}
