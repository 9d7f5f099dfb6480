export { type Chooser, type Cut, contentDigest, type Disk, type Inode } from "./disk.ts";
export type { Appetite, Lies, SimulatedFiles } from "./files.ts";
export type { Loss, Peer, Sent } from "./network.ts";
export { type Program, SimulatedMachine, seeded } from "./system.ts";
