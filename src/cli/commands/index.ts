import { Bug } from "../../core/index.ts";
import type { CommandModule } from "./command.ts";

const loaders: { readonly [name: string]: () => Promise<CommandModule> } = {
  plan: async () => (await import("./plan.ts")).plan,
  apply: async () => (await import("./apply.ts")).apply,
  resume: async () => (await import("./resume.ts")).resume,
  revert: async () => (await import("./revert.ts")).revert,
  verify: async () => (await import("./verify.ts")).verify,
};

/** The commands in the order of the help. */
export const commandNames: readonly string[] = Object.keys(loaders);

export async function loadCommand(name: string): Promise<CommandModule> {
  const load = loaders[name];
  if (!load) throw new Bug(`no command ${name}`);
  return load();
}
