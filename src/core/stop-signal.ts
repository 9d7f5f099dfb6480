/** A signal that asks a program to stop. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** The exit code of a program that a signal stopped, as shells tell it: 128 and the signal's number. */
export function exitOfSignal(signal: StopSignal): 130 | 143 | 129 {
  return ({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const)[signal];
}
