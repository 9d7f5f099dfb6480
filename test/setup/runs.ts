import { configureGlobal } from "fast-check";

const runs = Number(process.env.SETPOINT_RUNS ?? "");
if (runs > 0) configureGlobal({ numRuns: runs });
