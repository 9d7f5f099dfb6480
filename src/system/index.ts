export { ContentStore } from "./contents.ts";
export { Directories } from "./directories.ts";
export { gatherFacts, machineId } from "./facts.ts";
export { type ActionContext, CommitGroup, type GroupParts, type Prepared, stashPath } from "./group.ts";
export { fault, faultIn, readWhole } from "./read-file.ts";
export { SystemReader } from "./reader.ts";
export { realSystem } from "./real.ts";
