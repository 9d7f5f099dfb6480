import type { CommandModule } from "../../src/cli/commands/command.ts";
import { type Appetite, type Chooser, seeded } from "../../src/system/simulated/index.ts";
import { type Fate, type Life, type Scenario, shownCall } from "./simulated-scenario.ts";

/** A moment at which a process can die, with the machine as it stands then. */
export interface Moment {
  readonly scenario: Scenario;
  /** Where it is, for a message. */
  readonly story: string;
}

/** What a crash leaves: the machine, and how it came to be. */
export interface Image {
  readonly scenario: Scenario;
  readonly story: string;
}

/**
 * Runs a command once and keeps the machine as it stands before the first of its mutating calls, after each, and within
 * each write. Each of them is what a kill there leaves; none costs a run of its own.
 */
export async function moments(
  scenario: Scenario,
  module: CommandModule,
  args: readonly string[] = [],
  fate: Pick<Fate, "options" | "lies"> = {},
): Promise<{ readonly life: Life; readonly moments: readonly Moment[] }> {
  const found: Moment[] = [];
  let calls = 0;
  let isProgram = false;
  const keep = (story: string) => found.push({ scenario: scenario.fork(calls + 1), story });
  keep("before the first call");
  const life = await scenario.run(module, args, {
    ...fate,
    watchers: [
      {
        before: ({ name }) => {
          calls += 1;
          isProgram = name === "run";
        },
        after: (call) => keep(`after call ${calls} (${shownCall(call)})`),
      },
    ],
    // What a program leaves half done is its own affair.
    writes: halves(
      () => !isProgram,
      () => keep(`within call ${calls}, a write`),
    ),
  });
  return { life, moments: found };
}

/** Each write takes half of its bytes at first: what stands there in between is a moment too. */
function halves(applies: () => boolean, between: () => void): Appetite {
  let halved = 0;
  return (length) => {
    if (!applies()) return length;
    if (halved === length) {
      halved = 0;
      between();
      return length;
    }
    if (length < 2) return length;
    halved = length - Math.ceil(length / 2);
    return Math.ceil(length / 2);
  };
}

/** How the images of a moment are chosen. */
export interface Choice {
  /** Up to this many legal images of a moment, all are tried. */
  readonly exhaustive: number;
  /** How many are drawn where there are more. */
  readonly samples: number;
  readonly seed: number;
}

/** Counts images and leaves out those that stood there before. */
export class Images {
  private readonly seen = new Set<string>();
  /** Different images given. */
  tried = 0;
  /** Legal images looked at, with those that were the same as an earlier one. */
  met = 0;
  /** Moments of which every legal image was given, and all moments. */
  exhausted = 0;
  moments = 0;

  /** A moment's machine after a kill, and after power cuts. */
  *of(moment: Moment, choice: Choice): Generator<Image> {
    this.moments += 1;
    this.met += 1;
    this.tried += 1;
    yield { scenario: moment.scenario.fork(this.tried), story: `killed ${moment.story}` };
    yield* this.powerCuts(moment, choice);
  }

  /** Only those after power cuts. */
  *powerCuts({ scenario, story }: Moment, { exhaustive, samples, seed }: Choice): Generator<Image> {
    const options = scenario.machine.disk.undecided();
    const legal = options.reduce((product, count) => Math.min(product * count, Number.MAX_SAFE_INTEGER), 1);
    const all = legal <= exhaustive;
    if (all) this.exhausted += 1;
    const outcomes = all ? every(options) : drawn(options, samples, seeded(seed));
    for (const one of outcomes) {
      const image = scenario.fork(seed + this.met);
      image.machine.cut(one);
      const given = this.unlessSeen(image, `power cut ${story}, outcomes ${one.join("")}`);
      if (given) yield given;
    }
    if (all) return;
    // Torn data of any length, which the counted outcomes have only one of.
    for (let round = 0; round < samples / 4; round++) {
      const image = scenario.fork(seed + this.met);
      image.machine.powerCut("random", seeded(seed * 31 + round));
      const given = this.unlessSeen(image, `power cut ${story}, drawn by ${seed * 31 + round}`);
      if (given) yield given;
    }
  }

  private unlessSeen(scenario: Scenario, story: string): Image | undefined {
    this.met += 1;
    const digest = scenario.machine.disk.digest();
    if (this.seen.has(digest)) return undefined;
    this.seen.add(digest);
    this.tried += 1;
    return { scenario, story };
  }
}

/** All combinations of outcomes. */
function* every(options: readonly number[]): Generator<readonly number[]> {
  const outcomes = options.map(() => 0);
  for (;;) {
    yield [...outcomes];
    let place = 0;
    while (place < options.length) {
      outcomes[place] = (outcomes[place] as number) + 1;
      if ((outcomes[place] as number) < (options[place] as number)) break;
      outcomes[place] = 0;
      place += 1;
    }
    if (place === options.length) return;
  }
}

/** Nothing, everything, each thing alone, all but each, and then at random. */
function* drawn(options: readonly number[], count: number, choose: Chooser): Generator<readonly number[]> {
  const none = options.map(() => 0);
  const whole = options.map(() => 1);
  yield none;
  yield whole;
  for (let round = 2; round < count; round++) {
    const place = choose(options.length);
    if (round % 4 === 0) yield none.map((_, index) => (index === place ? 1 : 0));
    else if (round % 4 === 1) yield whole.map((_, index) => (index === place ? 0 : 1));
    else yield options.map((outcomes) => choose(outcomes));
  }
}
