import { Command, CommanderError } from "commander";
import pkg from "../../package.json" with { type: "json" };
import { Bug, exitOfSignal, type Files } from "../core/index.ts";
import { loadPainter, plainStyle, type Style } from "../report/index.ts";
import { askAtTerminal, faultIn, mortal, realSystem, startDetached, Unanswered } from "../system/index.ts";
import { commandNames, loadCommand } from "./commands/index.ts";
import { type Context, EXIT, faultProblem, refuse, type Sink, UsageError } from "./context.ts";

const VERSION = pkg.version;

const GLOBAL_HELP = `
Examples:
  setpoint plan site.yaml            what would change, as a diff; exit 2 if anything
  setpoint apply site.yaml           the same, asks, applies, verifies
  setpoint apply site.yaml --yes     without asking, as in CI
  setpoint resume                    go on with an interrupted run
  setpoint revert                    undo the newest run
  setpoint why /etc/motd             who set it, when, and what it was before

Each command has its own --help with examples.`;

/** Runs one command line. Returns its exit code; throws only bugs. */
export async function main(argv: readonly string[]): Promise<number> {
  const point = process.env.SETPOINT_DIE_AT;
  const system = point ? mortal(realSystem(), point) : realSystem();
  quietPipes();
  let exit = 0;
  const program = new Command("setpoint");
  program
    .description("Brings machines to the state that YAML playbooks declare: an exact plan, a journal, resume and revert.")
    .version(VERSION, "-V, --version")
    .addHelpText("after", GLOBAL_HELP)
    .exitOverride()
    .configureOutput({ writeOut: (text) => process.stdout.write(text), writeErr: (text) => process.stderr.write(text) })
    .showHelpAfterError("(setpoint --help lists the commands)");
  // Only the command that is meant is loaded; help and mistakes load all.
  const named = argv.find((word) => !word.startsWith("-"));
  const names = named !== undefined && commandNames.includes(named) ? [named] : commandNames;
  for (const name of names) {
    const module = await loadCommand(name);
    const command = program.command(name).exitOverride().showHelpAfterError(`(setpoint ${name} --help shows examples)`);
    module.define(command);
    command
      .option("--json", "print the result as JSON")
      .option("--state-dir <folder>", "where journals and the ledger are kept")
      .option("--color <when>", "always, never or auto", "auto")
      .action(async (...given: unknown[]) => {
        const options = command.opts<{ json?: boolean; stateDir?: string; color: string }>();
        const context = contextOf(system, options);
        await loadPainter(context.outStyle.colour);
        await loadPainter(context.errStyle.colour);
        exit = await guarded(context, () => module.run(context, given.slice(0, -2).flat() as (string | undefined)[], command.opts()));
      });
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    return thrown.exitCode === 0 ? 0 : EXIT.usage;
  }
  return exit;
}

/** Faults that say which command leads on. */
const LEADS_ON: ReadonlySet<string> = new Set(["in-doubt", "revert-open", "still-running", "not-resumable", "participant-down"]);

/** The one place where faults of the world and mistakes of the command line become exit codes. */
async function guarded(context: Context, body: () => Promise<number>): Promise<number> {
  try {
    return await body();
  } catch (thrown) {
    if (process.env.SETPOINT_DEBUG === "1" && thrown instanceof Error) process.stderr.write(`${thrown.stack}\n`);
    if (thrown instanceof UsageError)
      return refuse(
        context,
        [{ code: "usage", severity: "error", summary: "the command line is wrong", detail: thrown.message }],
        EXIT.usage,
      );
    if (thrown instanceof Unanswered) {
      context.err.write("Nothing was changed.\n");
      return exitOfSignal(thrown.signal);
    }
    const failure = faultIn(thrown);
    if (failure !== undefined) return refuse(context, [faultProblem(failure)], LEADS_ON.has(failure.code) ? EXIT.left : EXIT.failed);
    if (process.env.SETPOINT_DEBUG === "1") throw thrown;
    const what = thrown instanceof Bug || thrown instanceof Error ? thrown.message : String(thrown);
    return refuse(
      context,
      [
        {
          code: "bug",
          severity: "error",
          summary: "a mistake of setpoint itself",
          detail: `${what}. Nothing is lost: what was begun can be resumed or reverted. Please report it with the output of SETPOINT_DEBUG=1`,
        },
      ],
      EXIT.bug,
    );
  }
}

function contextOf(
  system: ReturnType<typeof realSystem>,
  options: { readonly json?: boolean; readonly stateDir?: string; readonly color: string },
): Context {
  const signals = listen();
  const { env, uid, home, cwd } = system.host;
  const self = [process.execPath, ...process.execArgv, process.argv[1] ?? ""] as const;
  const absolute = (path: string) => (path.startsWith("/") ? path : `${cwd}/${path}`).replace(/\/+$/, "");
  const stateDirectory =
    options.stateDir ??
    env.SETPOINT_STATE_DIR ??
    (uid === 0 ? "/var/lib/setpoint" : `${env.XDG_STATE_HOME || `${home}/.local/state`}/setpoint`);
  return {
    system,
    out: sink(process.stdout),
    err: sink(process.stderr),
    stdinIsTTY: process.stdin.isTTY === true,
    version: VERSION,
    node: process.versions.node,
    outStyle: styleOf(process.stdout, options.color, env),
    errStyle: styleOf(process.stderr, options.color, env),
    json: options.json === true,
    stateDirectory: throughLinks(system.files, absolute(stateDirectory)),
    github: env.GITHUB_ACTIONS === "true",
    redact: (text) => text,
    stopped: signals,
    self: [...self],
    detach: (argv, more) => startDetached([...self, ...argv], { ...more, umask: system.host.umask }),
    ask: (question) => askAtTerminal(question, signals),
  };
}

/** A path whose folders are real ones; its last name is left as it is, as the state directory itself must be no link. */
function throughLinks(files: Files, path: string): string {
  const cut = path.lastIndexOf("/");
  if (cut <= 0) return path;
  const parent = path.slice(0, cut);
  return (files.lstat(`${parent}/.`) ? files.realpath(parent) : throughLinks(files, parent)).replace(/\/$/, "") + path.slice(cut);
}

/** `setpoint apply | head` must not kill a run: a closed pipe is nobody's failure. */
function quietPipes(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}

function sink(stream: NodeJS.WriteStream): Sink {
  return { write: (text) => void stream.write(text), isTTY: stream.isTTY === true, columns: stream.columns ?? 80 };
}

function styleOf(stream: NodeJS.WriteStream, when: string, env: NodeJS.ProcessEnv): Style {
  const wanted =
    when === "always" ||
    (when !== "never" &&
      !env.NO_COLOR &&
      (env.FORCE_COLOR ? env.FORCE_COLOR !== "0" : stream.isTTY === true && env.TERM !== "dumb" && !env.CI));
  const unicode = !/^(C|POSIX)$/.test(env.LC_ALL || env.LC_CTYPE || env.LANG || "") || env.CI !== undefined;
  return { ...plainStyle, colour: wanted ? 1 : 0, width: stream.columns ?? 80, unicode };
}

/** The first signal asks to stop after the action in flight; the second ends the program at once, which is as safe as a kill. */
function listen(): Context["stopped"] {
  let first: ReturnType<Context["stopped"]>;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (first !== undefined) process.exit(exitOfSignal(signal));
      first = signal;
      process.stderr.write("\nstopping after the action in flight; once more stops at once\n");
    });
  }
  return () => first;
}
