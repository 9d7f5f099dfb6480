const runs = Number(process.env.SETPOINT_RUNS ?? "");
if (runs > 0) {
  const { configureGlobal } = await import("fast-check");
  configureGlobal({ numRuns: runs });
}

export {};
