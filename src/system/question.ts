import type { StopSignal } from "../core/index.ts";

/** A question was not answered, because a signal asked the program to stop. Nothing is lost: what is asked about has not begun. */
export class Unanswered extends Error {
  readonly signal: StopSignal;

  constructor(signal: StopSignal) {
    super(`${signal} instead of an answer`);
    this.signal = signal;
  }
}

/**
 * Asks at the terminal. The end of the input (Ctrl-D, a closed terminal) is an empty answer. Ctrl-C, which a terminal that is being
 * edited at does not turn into a signal, counts as one, and any signal ends the question: throws Unanswered.
 */
export async function askAtTerminal(question: string, stopped: () => StopSignal | undefined): Promise<string> {
  const { createInterface } = await import("node:readline");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // A terminal that is gone fails to be read, which is the end of the input.
  process.stdin.once("error", () => terminal.close());
  const close = () => terminal.close();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.once(signal, close);
  terminal.on("SIGINT", () => process.emit("SIGINT", "SIGINT"));
  const answer = await new Promise<string>((done) => {
    terminal.once("close", () => done(""));
    terminal.question(question, (text) => {
      done(text);
      terminal.close();
    });
  });
  for (const signal of signals) process.off(signal, close);
  const signal = stopped();
  if (signal !== undefined) throw new Unanswered(signal);
  return answer;
}
