import { isKeyed, type JsonObject, ok, type Problem, problems, type Receipt, type Result, SystemFault } from "../core/index.ts";
import {
  type Expanded,
  expand,
  hideSensitive,
  makePlan,
  type Planned,
  type PlanParts,
  SECRET_MINIMUM,
  type Secret,
  Vault,
} from "../engine/index.ts";
import { keysFrom, type Ledger, type StateDirectory } from "../journal/index.ts";
import { addressMatcher, loadPlaybook, type Playbook } from "../playbook/index.ts";
import { goals, kinds } from "../registers/index.ts";
import { allTypes, loadTypes, typeNames } from "../resources/index.ts";
import { ContentStore, gatherFacts, machineId, Remotes, readWhole, SystemReader } from "../system/index.ts";
import type { Context } from "./context.ts";
import { UsageError } from "./context.ts";
import { type PlaybookOptions, variables } from "./options.ts";

/** A playbook's text, or the problem that it cannot be had. */
export function readText(context: Context, file: string): string {
  const path = file.startsWith("/") ? file : `${context.system.host.cwd}/${file}`;
  const bytes = readWhole(context.system.files, path);
  if (!bytes) throw new UsageError(`there is no file ${file}`);
  return bytes.toString("utf8");
}

/** What reading and planning of one command work with. */
export interface Reading {
  readonly contents: ContentStore;
  readonly reader: SystemReader;
  readonly remotes: Remotes;
  readonly ledger: Ledger;
  readonly state: StateDirectory;
}

/** Sets up the reading of the machine with what the state directory knows. */
export function startReading(context: Context, state: StateDirectory, options: { readonly commands: boolean }): Reading {
  const { system } = context;
  const ledger = state.ledger();
  const contents = new ContentStore((path) => readWhole(system.files, path));
  contents.addSource((digest) => (state.exists() ? state.content(digest, [...ledger.runs.keys()].reverse()) : undefined));
  contents.addPlace((digest) => (!isKeyed(digest) && state.exists() && state.blobs.has(digest) ? state.blobs.pathOf(digest) : undefined));
  const hidden = [...ledger.runs.values()]
    .filter(({ status, stashes }) => status === "interrupted" || stashes)
    .map(({ run }) => (state.hasKeys() ? `${state.keys().tempPrefix(run)}-` : "\0"));
  const remotes = new Remotes({ system, breakers: ledger.breakers, stopped: () => context.stopped() !== undefined });
  const reader = new SystemReader(system, contents, {
    remote: remotes,
    receipt: (key: string): Receipt | undefined => ledger.receipts.get(key),
    hidden,
    mayAsk: options.commands,
  });
  return { contents, reader, remotes, ledger, state };
}

/** The vault of a set of secrets. A directory without keys yet gets some for this process alone. */
export function vaultFor(context: Context, reading: Reading, secrets: readonly Secret[]): Vault {
  let passing: ReturnType<typeof keysFrom> | undefined;
  const keys = () => {
    if (reading.state.hasKeys()) return reading.state.keys();
    passing ??= keysFrom(context.system.chance.bytes(32));
    return passing;
  };
  const vault = new Vault(secrets, keys, reading.contents);
  const before = context.redact;
  context.redact = (text) => vault.redact(before(text));
  return vault;
}

/** Reads a playbook with the variables, environment and facts of this command. */
export async function readPlaybook(context: Context, file: string, text: string, options: PlaybookOptions): Promise<Result<Playbook>> {
  const { system } = context;
  const absolute = file.startsWith("/") ? file : `${system.host.cwd}/${file}`;
  const folder = absolute.slice(0, absolute.lastIndexOf("/")) || "/";
  const environment = Object.fromEntries(
    Object.entries(system.host.env).flatMap(([name, value]) =>
      name.startsWith("SETPOINT_VAR_") && value !== undefined ? [[name.slice("SETPOINT_VAR_".length), value]] : [],
    ),
  );
  const sources = {
    variables: {
      files: (options.varFile ?? []).map((name) => ({ file: name, text: readText(context, name) })),
      environment,
      given: variables(options.var),
    },
    env: (name: string) => system.host.env[name],
    file: (path: string) => readWhole(system.files, path.startsWith("/") ? path : `${folder}/${path}`)?.toString("utf8"),
    command: (argv: readonly string[]) => {
      const ran = system.processes.runNow({ argv, cwd: folder, timeout: 60_000 });
      if (ran.code !== 0)
        throw new SystemFault(
          "input-command",
          `${argv[0]} ${ran.failed !== undefined ? `cannot be run: ${ran.failed}` : `ended with ${ran.code === undefined ? ran.signal : `exit code ${ran.code}`}: ${ran.stderr.trim()}`}`,
        );
      return ran.stdout;
    },
    facts: gatherFacts(system) as JsonObject,
    selection: { only: options.only ?? [], exclude: options.exclude ?? [], tags: options.tags ?? [], skipTags: options.skipTags ?? [] },
  };
  // The playbook's resources keep the folder of their file as they were given; sources are read from the absolute one.
  // A search for each name and not one for all words, which would take hours over a content of one long word.
  const mentioned = typeNames.filter((name) => new RegExp(`${name}["']?\\s*:`).test(text));
  const loaded = await loadPlaybook(text, file, { ...sources, types: await loadTypes(mentioned) });
  if (loaded.ok || !loaded.problems.some((problem) => problem.code === "unknown-type")) return loaded;
  // Only now all types are needed: for the nearest name in the message.
  return loadPlaybook(text, file, { ...sources, types: new Map((await allTypes()).map((type) => [type.type, type])) });
}

/** A playbook that was planned. */
export interface PlannedStack extends Planned {
  readonly vault: Vault;
  readonly reading: Reading;
  readonly expanded: Expanded;
}

/** From a playbook to a plan, changing nothing. */
export async function planStack(
  context: Context,
  playbook: Playbook,
  reading: Reading,
  options: PlaybookOptions,
): Promise<Result<PlannedStack>> {
  const short = playbook.secrets.find(({ value }) => value.length < SECRET_MINIMUM);
  if (short) {
    return problems({
      code: "short-secret",
      severity: "error",
      summary: "a secret that cannot be hidden",
      detail: `the secret input ${short.name} has fewer than ${SECRET_MINIMUM} characters, and taking so short a text out of all output would spoil it: use a longer one`,
    });
  }
  const { system } = context;
  const vault = vaultFor(context, reading, playbook.secrets);
  reading.remotes.peers.treat(playbook.peers);
  const types = await loadTypes(new Set(playbook.resources.map((resource) => resource.type)));
  const { expanded, problems: found } = await expand(playbook.resources, {
    stack: playbook.stack,
    types,
    reader: reading.reader,
    root: options.root === undefined ? undefined : options.root.startsWith("/") ? options.root : `${system.host.cwd}/${options.root}`,
    cwd: system.host.cwd,
    home: system.host.home,
    render: (template, scope, file) => playbook.render(template, scope, file),
    matching: addressMatcher,
  });
  const warnings: readonly Problem[] = [...playbook.warnings, ...found];
  if (warnings.some(({ severity }) => severity === "error")) return problems(...warnings);
  const parts = planParts(context, reading, vault, {
    stack: playbook.stack,
    playbooks: [{ file: playbook.file, digest: playbook.digest }],
    inputs: playbook.inputs,
    facts: { machine: machineId(system), ...playbook.factsUsed },
    prune: options.prune === true,
    peers: playbook.peers,
    ...eventsFor(playbook),
  });
  const planned = await makePlan(expanded, parts);
  const all = [...warnings, ...planned.problems];
  if (all.some(({ severity }) => severity === "error")) return problems(...all);
  hideSensitive(planned.plan, { kinds, vault, ledger: reading.ledger });
  return ok({ ...planned, problems: all, vault, reading, expanded });
}

/** What a run tells others, frozen with its plan: so a resume and a revert know it without the playbook. */
function eventsFor({ events }: Playbook): Pick<PlanParts, "events"> {
  const emits = Object.entries(events.emits).map(([name, all]) => [name, all.flatMap(({ address }) => address ?? [])] as const);
  return events.log === undefined || emits.length === 0 ? {} : { events: { log: events.log, emits: Object.fromEntries(emits) } };
}

/** What makePlan needs besides the settings. */
export function planParts(
  context: Context,
  reading: Reading,
  vault: Vault,
  more: Pick<PlanParts, "stack" | "playbooks" | "inputs" | "facts" | "prune" | "peers" | "events">,
): PlanParts {
  return {
    kinds,
    goals,
    reader: reading.reader,
    ledger: reading.ledger,
    fingerprint: (digest) => vault.fingerprint(digest),
    secrets: vault,
    setpoint: context.version,
    ...more,
  };
}
