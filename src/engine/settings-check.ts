import { dirname, resolve } from "node:path";
import {
  error,
  isObject,
  type Json,
  type JsonObject,
  type PlannedResource,
  type PlannedSetting,
  type Problem,
  type RegisterId,
  registerId,
  sameJson,
} from "../core/index.ts";
import type { Drafting } from "./drafting.ts";
import type { Expanded } from "./expand.ts";
import type { SecretKeeper } from "./plan-parts.ts";

/** Two settings that name one register with different `about` cannot both be right. */
export function aboutConflicts(settings: readonly PlannedSetting[], resources: readonly PlannedResource[]): readonly Problem[] {
  if (!settings.some(({ register }) => register.about !== undefined)) return [];
  const first = new Map<RegisterId, PlannedSetting>();
  const problems: Problem[] = [];
  for (const setting of settings) {
    const id = registerId(setting.register);
    const other = first.get(id);
    if (other === undefined) {
      first.set(id, setting);
    } else if (other.register.about !== setting.register.about && !sameJson(other.register.about ?? null, setting.register.about ?? null)) {
      const one = resources[setting.by] as PlannedResource;
      const that = resources[other.by] as PlannedResource;
      problems.push(
        error(
          "about-conflict",
          "two resources name one thing in two ways",
          `${one.address} and ${that.address} (line ${that.at.line}) both set ${setting.register.key}, but not as the same sort of thing: keep one of them`,
          one.at,
          one.address,
        ),
      );
    }
  }
  return problems;
}

/** A path that leads through a link which the plan itself changes would be another one when it is done. */
export function movedLinks({ through, resources }: Expanded, drafting: Drafting): readonly Problem[] {
  return (through ?? []).flatMap(({ path, link, rest, by }) => {
    const resource = resources[by];
    const after = resource?.selected === false ? undefined : drafting.changed({ kind: "path", key: link });
    if (after === undefined) return [];
    const real = resolve(dirname(link), after.is === "symlink" && typeof after.to === "string" ? after.to : link, rest);
    return [
      error(
        "misfit",
        "a path leads through a link",
        `${path} leads through ${link}, which this plan changes: name the real path ${real}`,
        resource?.at,
        resource?.address,
      ),
    ];
  });
}

/** Secrets reach children by stdin or environment, and never stand in what every process list, plan or listing shows. */
export function exposedSecrets(
  settings: readonly PlannedSetting[],
  resources: readonly PlannedResource[],
  secrets: SecretKeeper,
): readonly Problem[] {
  if (!secrets.hasSecrets) return [];
  return settings.flatMap((setting): readonly Problem[] => {
    const { address, at } = resources[setting.by] as PlannedResource;
    const inKey = secrets.secretIn(setting.register.key);
    if (inKey !== undefined) {
      return [
        error(
          "secret-in-name",
          "a secret in a name",
          `the secret input ${inKey} is part of the name of what ${address} sets, which every plan and listing shows`,
          at,
          address,
        ),
      ];
    }
    const name = secrets.secretIn(shownWords(setting));
    if (name === undefined) return [];
    return [
      error(
        "secret-in-argv",
        "a secret on a command line",
        `the secret input ${name} would stand among the words of a program that ${address} runs, where the process list shows it to everybody: hand it over with \`env\` or \`stdin\``,
        at,
        address,
      ),
    ];
  });
}

/** All that a setting makes a program be started with and that others can see. */
function shownWords({ register, manner }: PlannedSetting): Json {
  const visible = ({ env: _env, stdin: _stdin, ...command }: JsonObject): JsonObject => command;
  const { command, guards, undo, verify } = (register.about ?? {}) as { readonly [name: string]: JsonObject | undefined };
  const asked = Object.values(guards ?? {}).map((guard) => (isObject(guard) ? visible(guard) : guard));
  const programs = [command, undo, verify].filter((one) => one?.argv !== undefined) as JsonObject[];
  return [...programs.map(visible), ...asked, ...(manner?.validate ?? [])];
}
