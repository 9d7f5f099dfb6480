import {
  addressIn,
  type Digest,
  error,
  isObject,
  type Json,
  type JsonObject,
  type Plan,
  type PlannedResource,
  type PlannedSetting,
  type Problem,
  partAt,
  RESULT_MARK,
  type Reader,
  type Register,
  type ResultReference,
  SystemFault,
  withResults,
} from "../core/index.ts";

/** A result that is not there yet: whose, by the key of its receipt. */
export class Awaited extends SystemFault {
  readonly of: string;
  constructor(of: string) {
    super("no-result", `what ${addressIn(of)} gives is not known: it has not run`);
    this.of = of;
  }
}

/** Whether a register or a want may wait for a result; most have nothing that could, and this costs them nothing. */
function mayWait(value: JsonObject | undefined): boolean {
  return value !== undefined && JSON.stringify(value).includes(RESULT_MARK);
}

/** A register with the results that its `about` waits for. Throws Awaited. */
export function readyRegister(register: Register, reader: Reader): Register {
  const { about } = register;
  return about === undefined || !mayWait(about) ? register : { ...register, about: withResults(about, (one) => resultOf(one, reader)) };
}

/** A setting with the results that it waits for. Throws Awaited. */
export function readySetting(setting: PlannedSetting, reader: Reader): PlannedSetting {
  if (setting.results === undefined) return setting;
  const give = (one: ResultReference) => resultOf(one, reader);
  const want = withResults(setting.want, give);
  const { content } = want;
  // A content stands in a want by its digest: what is in it waits too.
  if (typeof content === "string" && /^[0-9a-f]{64}$/.test(content)) {
    const text = reader.contents.text(content as Digest);
    if (text.includes(RESULT_MARK))
      return {
        ...setting,
        register: readyRegister(setting.register, reader),
        want: { ...want, content: reader.contents.put(withResults(text, give)) },
      };
  }
  return { ...setting, register: readyRegister(setting.register, reader), want };
}

/** A part of what an effect's other side answered: of its body, if it has one. Throws Awaited, and SystemFault where there is no such part. */
function resultOf({ of, path }: ResultReference, reader: Reader): Json {
  const receipt = reader.receipt(of);
  if (receipt === undefined || receipt.doubt !== undefined) throw new Awaited(of);
  const name = addressIn(of);
  if (receipt.answer === undefined)
    throw new SystemFault(
      "no-result",
      `${name} was done and its answer was lost, so there is nothing to take \`${path.join(".")}\` from: write the value itself in its place, or do it again on purpose with a new \`occurrence\``,
    );
  const answer = JSON.parse(reader.contents.text(receipt.answer)) as Json;
  const found = partAt(bodyOf(answer), path);
  if (found === undefined)
    throw new SystemFault(
      "no-result",
      `what ${name} gave has no \`${path.join(".")}\`${namesIn(answer)}: name another part of it, and apply again`,
    );
  return found;
}

/** What a result lacks is said at the place of the resource that asks for it. */
export function placed(
  fault: SystemFault,
  plan: Pick<Plan, "resources" | "settings">,
  step: { readonly settings: readonly number[] },
): SystemFault {
  const setting = step.settings.map((index) => plan.settings[index]).find((one) => one?.results !== undefined);
  const { at } = plan.resources[setting?.by ?? -1] ?? {};
  if (fault.code !== "no-result" || at === undefined) return fault;
  return new SystemFault(fault.code, `${at.file}:${at.line}:${at.column}: ${fault.message}`, { cause: fault });
}

/** What the other side said; of an HTTP answer its body. */
function bodyOf(answer: Json): Json | undefined {
  return isObject(answer) && "body" in answer ? answer.body : answer;
}

function namesIn(answer: Json): string {
  const body = bodyOf(answer);
  return isObject(body) ? `; it has ${Object.keys(body).join(", ")}` : "";
}

/** The settings of a plan with the results that are there, and for the others the address whose result they wait for. */
export interface Ready {
  readonly live: readonly PlannedSetting[];
  readonly waits: {
    readonly of: ReadonlyMap<number, string>;
    /** Those whose register cannot even be read before. */
    readonly unreadable: ReadonlySet<number>;
    readonly problems: readonly Problem[];
  };
}

export function readySettings(settings: readonly PlannedSetting[], resources: readonly PlannedResource[], reader: Reader): Ready {
  const of = new Map<number, string>();
  const unreadable = new Set<number>();
  const problems: Problem[] = [];
  if (!settings.some(({ results }) => results !== undefined)) return { live: settings, waits: { of, unreadable, problems } };
  const byKey = new Map(settings.map((setting) => [setting.register.key, resources[setting.by]?.address]));
  const live = settings.map((setting, index) => {
    try {
      return readySetting(setting, reader);
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      const resource = resources[setting.by];
      if (thrown instanceof Awaited) {
        of.set(index, byKey.get(thrown.of) ?? thrown.of);
        if (mayWait(setting.register.about)) unreadable.add(index);
      } else problems.push(error("no-result", "a result that there is not", thrown.message, resource?.at, resource?.address));
      return setting;
    }
  });
  return { live, waits: { of, unreadable, problems } };
}
