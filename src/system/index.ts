export { ContentStore } from "./contents.ts";
export { Directories } from "./directories.ts";
export { gatherFacts, machineId } from "./facts.ts";
export { CommitGroup } from "./group.ts";
export { fault, faultIn, readWhole } from "./read-file.ts";
export { SystemReader } from "./reader.ts";
export { realSystem } from "./real.ts";
export { stashPath } from "./stash.ts";
export type { ActionContext, GroupParts, Prepared } from "./workbench.ts";
