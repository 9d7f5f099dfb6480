export type { Chooser, Cut } from "./disk.ts";
export type { Lies } from "./files.ts";
export { type Program, SimulatedMachine, seeded } from "./system.ts";
