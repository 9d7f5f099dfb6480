/** How much of a long suite is run: 1 is all of it. CI runs a stated share. */
export const share = Math.min(1, Math.max(0.001, Number(process.env.SETPOINT_SHARE ?? 1)));

/** A count of the whole suite, scaled. */
export function shareOf(count: number): number {
  return Math.max(1, Math.round(count * share));
}
