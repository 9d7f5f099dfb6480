import type { Plan, Problem } from "../../core/index.ts";
import { StateDirectory } from "../../journal/index.ts";
import type { Playbook } from "../../playbook/index.ts";
import { renderTrials } from "../../report/index.ts";
import { type Counted, readWhole } from "../../system/index.ts";
import { ChaosPlace, differences } from "../chaos-place.ts";
import { chosen, type Expected, few, type Point, pointsOf, sayOf, type Tried, tryPoint } from "../chaos-trial.ts";
import { type Context, EXIT, print, printJson, refuse, showProblems, UsageError } from "../context.ts";
import { collect, type PlaybookOptions, variables } from "../options.ts";
import { savePlan } from "../output.ts";
import { type PlannedStack, planStack, readPlaybook, readText, startReading } from "../stack.ts";
import type { CommandModule } from "./command.ts";

interface ChaosOptions {
  readonly var?: readonly string[];
  readonly varFile?: readonly string[];
  readonly root?: string;
  readonly empty?: boolean;
  readonly in?: string;
  readonly allowCommands?: boolean;
  readonly everyCall?: boolean;
  readonly twice?: boolean;
  readonly limit?: string;
  readonly seed?: string;
  readonly at?: string;
  readonly keep?: boolean;
}

/** Kills applies of a playbook in a throw-away copy, and looks whether resume and revert keep what they promise. */
export const chaos: CommandModule = {
  define(command) {
    command
      .description("kill applies of a playbook in a throw-away copy, at every point, and check that resume and revert hold")
      .argument("<playbook>", "the playbook; nothing that it names is touched, only copies")
      .option("--var <name=value>", "give an input its value (repeatable)", collect)
      .option("--var-file <file>", "give inputs their values from a YAML or JSON file (repeatable)", collect)
      .option("--root <folder>", "begin with a copy of this folder as the root, in place of copies of the targets as they stand here")
      .option("--empty", "begin with nothing but the folders that the targets lie in")
      .option("--in <folder>", "where the throw-away folder is made; left out: $TMPDIR or /tmp")
      .option("--allow-commands", "try a playbook with commands; they run here as they are, again and again; their cwd is in the copy")
      .option("--every-call", "kill at every call that changes something, too")
      .option("--twice", "kill each resume and each revert once, too, and start it again")
      .option("--limit <number>", "try only so many points, chosen by the seed")
      .option("--seed <text>", "what chooses; the same seed chooses the same")
      .option("--at <point>", "try this point alone, as a report names it")
      .option("--keep", "leave the throw-away folder for a look at it")
      .addHelpText(
        "after",
        `
The plan is made once, for a root in a folder of its own, and applied there by real processes that are killed (SIGKILL) at
every boundary of the journal. From what each leaves, a resume must reach what an apply that nobody killed reached (contents,
modes, owners, links, attributes), a plan made then must be empty, and, tried apart, a revert must give back the start. A
playbook with anything else than paths is refused; one with commands, too, unless --allow-commands.

Exit codes: 0 no promise was broken, 1 one was: the first is shown with the command that tries it again, 3 invalid, 5 refused.

Examples:
  setpoint chaos site.yaml
  setpoint chaos site.yaml --root fixtures/root --every-call --limit 200 --seed 7
  setpoint chaos site.yaml --empty --twice`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: ChaosOptions): Promise<number> {
    const [file = ""] = args;
    const limit = limitOf(options.limit);
    if (options.root !== undefined && options.empty) throw new UsageError("--root and --empty exclude each other");
    const reading = { ...options, commands: options.allowCommands === true };
    const loaded = await readPlaybook(context, file, readText(context, file), reading);
    if (!loaded.ok) return refuse(context, loaded.problems, EXIT.invalid);
    const given = [...variables(options.var), ...loaded.value.secrets];
    const env = Object.fromEntries(given.map(({ name, value }) => [`SETPOINT_VAR_${name}`, value]));
    const { host } = context.system;
    const place = await ChaosPlace.make(context, absolute(context, options.in ?? (host.env.TMPDIR || "/tmp")), env);
    try {
      return await new Chaos(context, place, loaded.value, { ...reading, file, limit }).run();
    } finally {
      context.system.processes.endAll();
      if (options.keep) context.err.write(`the throw-away folder is ${place.folder}\n`);
      else await place.end();
    }
  },
};

function absolute(context: Context, path: string): string {
  return path.startsWith("/") ? path : `${context.system.host.cwd}/${path}`;
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (!/^[1-9]\d*$/.test(text)) throw new UsageError(`--limit takes a whole number above 0, not ${JSON.stringify(text)}`);
  return Number(text);
}

type Chosen = Omit<ChaosOptions, "limit"> & PlaybookOptions & { readonly file: string; readonly limit: number };

class Chaos {
  private readonly context: Context;
  private readonly place: ChaosPlace;
  private readonly playbook: Playbook;
  private readonly options: Chosen;

  constructor(context: Context, place: ChaosPlace, playbook: Playbook, options: Chosen) {
    this.context = { ...context, stateDirectory: place.state };
    this.place = place;
    this.playbook = playbook;
    this.options = options;
  }

  async run(): Promise<number> {
    const { context, place, options } = this;
    const started = await this.fillStart();
    if (typeof started === "number") return started;
    await place.reset();
    const planned = await this.plan(place.root);
    if (!planned.ok) return refuse(context, planned.problems, EXIT.invalid);
    const refused = refusals(planned.value.plan, place.root, options.allowCommands === true);
    if (refused.length > 0) return refuse(context, refused, EXIT.refused);
    if (planned.value.plan.changes.length === 0)
      return refuse(
        context,
        [
          problem(
            "nothing-to-try",
            "nothing to try",
            "the copy is as declared already, so an apply changes nothing that a kill could spoil: begin with --empty, or with a --root that lacks something",
          ),
        ],
        EXIT.failed,
      );
    await savePlan(context, planned.value, place.planFile);
    const apply = ["apply", place.planFile, "--yes", ...(options.allowCommands ? ["--allow-irreversible"] : [])];
    const expected = await this.uninterrupted(apply, planned.value.plan);
    if (typeof expected === "number") return expected;
    const seed = options.seed ?? Buffer.from(context.system.chance.bytes(4)).toString("hex");
    const all = pointsOf(expected.counted, options.everyCall === true);
    const points = options.at === undefined ? chosen(all, options.limit, seed) : [pointNamed(options.at, pointsOf(expected.counted, true))];
    const tried: Tried[] = [];
    for (const point of points) {
      if (context.stopped()) break;
      this.progress(tried.length, points.length, point);
      const twice = options.twice ? seed : undefined;
      tried.push(await tryPoint(point, { place, expected, apply, twice, stillToChange: () => this.stillToChange() }));
    }
    this.progress(tried.length, points.length);
    return this.tell(tried, all.length, seed);
  }

  /** What every trial begins with: a copy of a folder, or copies of what stands at the targets or of the folders they lie in. */
  private async fillStart(): Promise<number | undefined> {
    const { context, place, options } = this;
    if (options.root !== undefined) {
      const root = absolute(context, options.root);
      if (context.system.files.lstat(`${root}/.`)?.type !== "directory") throw new UsageError(`--root: there is no folder ${options.root}`);
      await place.startFrom(root);
      return undefined;
    }
    const here = await this.plan(undefined);
    if (!here.ok) return refuse(context, here.problems, EXIT.invalid);
    const refused = refusals(here.value.plan, "", options.allowCommands === true);
    if (refused.length > 0) return refuse(context, refused, EXIT.refused);
    const { plan } = here.value;
    const paths = [...plan.changes, ...plan.steady].flatMap(({ register }) => (register.kind === "path" ? [register.key] : []));
    await place.startWith(paths, context.system.host.cwd, options.empty === true);
    return undefined;
  }

  private plan(root: string | undefined): ReturnType<typeof planStack> {
    const { context, playbook, options } = this;
    const { root: _from, ...others } = options;
    const reading = startReading(context, new StateDirectory(context.system, context.stateDirectory), options);
    return planStack(context, playbook, reading, { ...others, ...(root !== undefined && { root }) });
  }

  /** What a plan made now would change, by register. */
  private async stillToChange(): Promise<readonly string[]> {
    const planned = await this.plan(this.place.root);
    if (!planned.ok) return planned.problems.map(({ detail }) => detail);
    return (planned.value satisfies PlannedStack).plan.changes.map(({ register }) => `${register.kind}:${register.key}`);
  }

  /** An apply, a second one and a revert that nobody kills, for what must come out; the exit code where they break a promise already. */
  private async uninterrupted(apply: readonly string[], plan: Plan): Promise<(Expected & { readonly counted: Counted }) | number> {
    const { context, place } = this;
    const broken = (what: string) =>
      refuse(context, [problem("broken-without-kill", "a promise is broken without any kill", what)], EXIT.failed);
    const start = place.snapshot();
    const counts = `${place.folder}/counts.json`;
    const first = await place.setpoint(apply, `count:${counts}`);
    if (first.exit !== 0) return broken(`the apply ended with ${first.exit ?? "a signal"}: ${sayOf(first)}`);
    const applied = place.snapshot();
    const left = await this.stillToChange();
    if (left.length > 0) return broken(`a second apply would change ${few(left)}`);
    const again = await place.setpoint(apply);
    const moved = differences(applied, place.snapshot());
    if (again.exit !== 0 || moved.length > 0)
      return broken(`a second apply ended with ${again.exit ?? "a signal"}: ${few(moved) || sayOf(again)}`);
    const back = await place.setpoint(["revert", "--yes"]);
    const reverted = place.snapshot();
    const exact = plan.changes.every(({ label }) => label === "exact");
    const unlike = differences(start, reverted);
    if (exact && (back.exit !== 0 || unlike.length > 0))
      return broken(`the revert ended with ${back.exit ?? "a signal"}: ${few(unlike) || sayOf(back)}`);
    const counted = JSON.parse(readWhole(context.system.files, counts)?.toString("utf8") ?? "{}") as Counted;
    return { applied, start, reverted, revertExit: back.exit ?? 0, boundaries: counted.journal.length, counted };
  }

  private progress(done: number, total: number, point?: Point): void {
    const { err, json } = this.context;
    if (json || !err.isTTY) return;
    err.write(point ? `\r\x1b[K${done + 1} of ${total}: ${point.boundary}` : "\r\x1b[K");
  }

  private tell(tried: readonly Tried[], all: number, seed: string): number {
    const { context } = this;
    const signal = context.stopped();
    const broken = tried.flatMap(({ at, boundary, violations }) =>
      violations.map((one) => ({ at, boundary, ...one, replay: this.replay(at, seed) })),
    );
    const exit = signal ? (signal === "SIGINT" ? 130 : 143) : broken.length > 0 ? EXIT.failed : 0;
    const rows = rowsOf(tried);
    if (context.json) {
      printJson(context, {
        format: 1,
        exit,
        seed,
        points: all,
        tried: tried.length,
        rows: rows.map((row) => ({ ...row })),
        violations: broken,
      });
      return exit;
    }
    print(context, renderTrials({ rows, points: all, tried: tried.length, seed }, context.outStyle));
    const [first] = broken;
    if (first)
      showProblems(context, [
        problem(
          "promise-broken",
          `a ${first.phase} does not hold`,
          `killed ${first.boundary} (${first.at}): ${first.what}. Try it again: ${first.replay}`,
        ),
      ]);
    return exit;
  }

  /** The command that tries one point again and leaves the folder. */
  private replay(at: string, seed: string): string {
    const { file, root, empty, allowCommands, twice, var: given = [], varFile = [] } = this.options;
    const words = [
      "setpoint",
      "chaos",
      file,
      ...given.flatMap((pair) => ["--var", pair]),
      ...varFile.flatMap((name) => ["--var-file", name]),
      ...(root === undefined ? [] : ["--root", root]),
      ...(empty ? ["--empty"] : []),
      ...(allowCommands ? ["--allow-commands"] : []),
      ...(twice ? ["--twice", "--seed", seed] : []),
      "--at",
      at,
      "--keep",
    ];
    return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
  }
}

function problem(code: string, summary: string, detail: string): Problem {
  return { code, severity: "error", summary, detail };
}

function pointNamed(at: string, points: readonly Point[]): Point {
  const found = points.find((point) => point.at === at);
  if (found === undefined)
    throw new UsageError(
      `--at takes a point such as journal:3, journal:3:torn or call:17, and this apply does not come to ${JSON.stringify(at)}`,
    );
  return found;
}

/** What must not be tried: what lies outside of the root, what is no path, and programs unless they are allowed. */
function refusals(plan: Plan, root: string, commands: boolean): readonly Problem[] {
  const found: Problem[] = [];
  for (const { register, manner } of [...plan.changes, ...plan.steady]) {
    const { kind, key } = register;
    if (kind === "receipt" ? !commands : kind !== "path")
      found.push(
        kind === "receipt"
          ? problem(
              "has-commands",
              "the playbook runs commands",
              `${key} would run here as it is, outside of the copy, and many times: --allow-commands if that does no harm`,
            )
          : problem(
              "not-a-path",
              "the playbook sets more than paths",
              `${kind}:${key} is no path and cannot be copied: leave it out of what chaos tries`,
            ),
      );
    else if (kind === "path" && !key.startsWith(`${root}/`) && key !== root)
      found.push(problem("outside", "a target outside of the copy", `${key} is not below ${root}: a link leads out of it`));
    else if (manner?.validate && manner.validate.length > 0 && !commands)
      found.push(
        problem(
          "has-commands",
          "the playbook runs commands",
          `${key} is checked by a program, which runs here: --allow-commands if that does no harm`,
        ),
      );
  }
  return found;
}

/** A row for each boundary of one name. */
function rowsOf(tried: readonly Tried[]): Parameters<typeof renderTrials>[0]["rows"] {
  const rows = new Map<
    string,
    { boundary: string; points: number; kills: number; resumed: number; reverted: number; violations: number }
  >();
  for (const { boundary, kills, resumed, reverted, violations } of tried) {
    const row = rows.get(boundary) ?? { boundary, points: 0, kills: 0, resumed: 0, reverted: 0, violations: 0 };
    row.points += 1;
    row.kills += kills;
    row.resumed += resumed ? 1 : 0;
    row.reverted += reverted ? 1 : 0;
    row.violations += violations.length;
    rows.set(boundary, row);
  }
  return [...rows.values()];
}
