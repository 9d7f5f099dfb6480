import { formatBytes, isRunId, type RunId, SystemFault } from "../core/index.ts";
import { readPlan } from "../engine/index.ts";
import { isOpen, type RunFolder, readBase, readJournal, readLedger, runState, StateDirectory } from "../journal/index.ts";
import { type PreparedRow, preparedText } from "../report/index.ts";
import { type Context, localTime } from "./context.ts";
import { nextOf } from "./outcomes.ts";
import { preparedIn } from "./prepared.ts";

/** One thing that was looked at. `mend` says what to do about it. */
export interface Check {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly says: string;
  readonly mend?: string;
  /** What the run leaves prepared at another machine. */
  readonly prepared?: PreparedRow;
}

const MiB = 1 << 20;

/** Looks at everything; changes nothing. `deep`: also reads every kept content. */
export function checkAll(context: Context, deep: boolean): readonly Check[] {
  const state = new StateDirectory(context.system, context.stateDirectory);
  return [
    ...(context.node === undefined ? [] : [ok("node", `version ${context.node}`)]),
    ...toolChecks(context),
    umaskCheck(context),
    spaceCheck(context),
    ...(state.exists()
      ? stateChecks(context, state, deep)
      : [ok("state directory", `${context.stateDirectory} is not there yet: the first apply makes it`)]),
  ];
}

const ok = (name: string, says: string): Check => ({ name, status: "ok", says });
const warn = (name: string, says: string, mend: string): Check => ({ name, status: "warn", says, mend });
const fail = (name: string, says: string, mend: string): Check => ({ name, status: "fail", says, mend });

/** Programs that setpoint itself calls, and what is missing without them. */
const tools: readonly { readonly program: string; readonly without: string; readonly needed: boolean; readonly from: string }[] = [
  { program: "flock", without: "the state directory cannot be locked, so nothing can be applied", needed: true, from: "util-linux" },
  { program: "getfattr", without: "extended attributes and ACLs of files that are replaced are not kept", needed: false, from: "attr" },
  { program: "setfattr", without: "extended attributes and ACLs of files that are replaced are not kept", needed: false, from: "attr" },
  { program: "sync", without: "large applies make each file durable by itself, which is slower", needed: false, from: "coreutils" },
  { program: "getent", without: "only accounts of /etc/passwd and /etc/group are known", needed: false, from: "libc-bin or glibc" },
];

function toolChecks(context: Context): readonly Check[] {
  return tools.map(({ program, without, needed, from }) => {
    if (context.system.processes.has(program)) return ok(program, "is there");
    const make = needed ? fail : warn;
    return make(program, `is not there: ${without}`, `install it (${from}), or put it into PATH`);
  });
}

function umaskCheck({ system }: Context): Check {
  const { umask } = system.host;
  const shown = umask.toString(8).padStart(4, "0");
  return (umask & 0o002) === 0
    ? warn("umask", `${shown}: what commands of playbooks make can be written by everybody`, "start setpoint with a umask such as 022")
    : ok("umask", shown);
}

function spaceCheck({ system, stateDirectory }: Context): Check {
  let path = stateDirectory;
  while (path !== "" && !system.files.lstat(path)) path = path.slice(0, path.lastIndexOf("/"));
  const { bytes, files } = system.files.freeSpace(path || "/");
  const says = `${formatBytes(bytes)} free where ${stateDirectory} is`;
  // Some file systems make inodes as they need them and say 0.
  if (bytes < 8 * MiB) return fail("free space", says, "make room, or use another --state-dir: no run can begin");
  if (bytes < 256 * MiB || (files > 0 && files < 10_000))
    return warn("free space", `${says}, ${files} inodes`, "make room; `setpoint gc` removes old runs");
  return ok("free space", says);
}

function stateChecks(context: Context, state: StateDirectory, deep: boolean): readonly Check[] {
  const checks = [folderCheck(context), ...guarded("format", () => formatCheck(state)), lockCheck(state), keysCheck(context, state)];
  // A layout that this version does not know is judged no further.
  if (checks.some(({ name, status }) => name === "format" && status === "fail")) return checks;
  return [
    ...checks,
    ...guarded("ledger", () => ledgerCheck(context, state)),
    ...guarded("base", () => baseCheck(context, state)),
    ...leftoverChecks(context, state),
    ...state.runs().flatMap((run) => guarded(`run ${run}`, () => runCheck(context, state.runFolder(run), deep))),
    ...(deep ? blobChecks(state) : []),
  ];
}

/** What throws is a check that fails. */
function guarded(name: string, look: () => Check | readonly Check[]): readonly Check[] {
  try {
    return [look()].flat();
  } catch (thrown) {
    if (!(thrown instanceof SystemFault)) throw thrown;
    const mend = thrown.code === "damaged-ledger" ? "setpoint doctor --fix rebuilds it from the journals" : "see the message";
    return [fail(name, thrown.message, mend)];
  }
}

function folderCheck({ system, stateDirectory: path }: Context): Check {
  const name = "state directory";
  const stat = system.files.lstat(path);
  if (stat?.type !== "directory") return fail(name, `${path} is a ${stat?.type}`, "it must be a real directory: move it away");
  if (stat.uid !== system.host.uid)
    return fail(
      name,
      `${path} belongs to the account ${stat.uid}, and this is ${system.host.uid}`,
      "run setpoint as the account that owns it",
    );
  if ((stat.mode & 0o022) !== 0)
    return fail(
      name,
      `${path} can be written by others, who could change what a resume or a revert does`,
      `chmod 0700 ${path}, or doctor --fix`,
    );
  if (stat.mode !== 0o700)
    return warn(name, `${path} has the mode 0${stat.mode.toString(8)}: others can look into it`, `chmod 0700 ${path}, or doctor --fix`);
  return ok(name, path);
}

function formatCheck(state: StateDirectory): Check {
  state.checkFormat();
  return ok("format", "is one that this version knows");
}

function lockCheck(state: StateDirectory): Check {
  // Asked of the kernel and not by taking it: a run that begins just now would find it held by us.
  const holder = state.holder();
  return holder === ""
    ? ok("lock", "is free")
    : warn("lock", `is held by ${holder}`, "a run is under way: what is said of it here may be out of date");
}

function keysCheck(_context: Context, state: StateDirectory): Check {
  if (state.hasKeys()) {
    try {
      state.keys();
      return ok("keys", "are there");
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      return fail("keys", thrown.message, "restore the file from a backup");
    }
  }
  return state.blobs.list().some(({ digest }) => digest.startsWith("keyed:"))
    ? fail(
        "keys",
        "are missing, and sensitive contents are kept under them",
        "restore the file `keys` from a backup: without it they are lost",
      )
    : ok("keys", "are not made yet");
}

function ledgerCheck({ system }: Context, state: StateDirectory): Check {
  const there = system.files.lstat(`${state.path}/ledger`) !== undefined;
  if (!there)
    return state.runs().length === 0
      ? ok("ledger", "is not made yet")
      : warn(
          "ledger",
          "is missing: each command works it out from all journals",
          "setpoint doctor --fix rebuilds it, and so does the next apply",
        );
  const { runs } = readLedger(system.files, `${state.path}/ledger`);
  return ok("ledger", `knows ${runs.size === 1 ? "1 run" : `${runs.size} runs`}`);
}

function baseCheck({ system }: Context, state: StateDirectory): readonly Check[] {
  const base = readBase(system.files, state.path);
  return base === undefined ? [] : [ok("base", "what is kept of runs that were given up can be read")];
}

/** What a killed process left beside the runs. */
function leftoverChecks({ system }: Context, state: StateDirectory): readonly Check[] {
  const folder = `${state.path}/runs`;
  if (!system.files.lstat(folder)) return [];
  return system.files.readDirectory(folder).flatMap(({ name, type }) => {
    if (name.startsWith(".gc-")) return [warn(name, "is left of a gc that was ended", "setpoint gc goes on with it")];
    if (type !== "directory" || !isRunId(name) || system.files.lstat(`${folder}/${name}/journal`)) return [];
    return [warn(`run ${name}`, "never began: it has no journal", "setpoint doctor --fix removes it, and so does the next apply")];
  });
}

function runCheck({ system }: Context, folder: RunFolder, deep: boolean): readonly Check[] {
  const name = `run ${folder.run}`;
  const parsed = readJournal(system.files, folder.path, folder.run);
  const state = parsed && runState(parsed.records);
  const giveUp = `setpoint show ${folder.run} --salvage lists what can be read; setpoint abandon ${folder.run} gives it up if it is open`;
  if (!parsed || !state) return [fail(name, "its journal cannot be read from its start", giveUp)];
  const found: Check[] = [];
  if (parsed.rest === "damaged")
    found.push(fail(name, `its journal is damaged at byte ${parsed.length}: it can be neither resumed nor reverted`, giveUp));
  if (parsed.rest === "torn")
    found.push(
      warn(
        name,
        `its journal ends in a record that was never durable, as after a power cut, at byte ${parsed.length}`,
        "nothing is lost: the next command that goes on with it puts that aside",
      ),
    );
  const plan = readPlan(folder.planText(), `${folder.path}/plan.json`);
  if (!plan.ok || plan.value.digest !== state.plan)
    found.push(
      fail(
        name,
        "its plan is not as it was written: it can be neither resumed nor reverted",
        "restore plan.json from a backup, or give the run up",
      ),
    );
  if (parsed.rest !== "damaged" && isOpen(state.status)) {
    const next = `${nextOf(state) ?? ""} leads on`;
    found.push(warn(name, `is ${state.status}`, next));
    for (const prepared of plan.ok ? preparedIn(plan.value, parsed.records) : [])
      found.push({ ...warn(name, `${prepared.address}: ${preparedText(prepared, localTime)}`, next), prepared });
  }
  if (deep) found.push(...packChecks(folder, folder.run));
  return found.length > 0 ? found : [ok(name, state.status)];
}

function packChecks(folder: RunFolder, run: RunId): readonly Check[] {
  return [folder.after, folder.before].flatMap((pack) =>
    [...pack.digests()].flatMap((digest) =>
      pack.get(digest as never) === undefined
        ? [fail(`run ${run}`, `the content ${digest} in ${pack.path} is rotten`, "it is never used: what needs it says so")]
        : [],
    ),
  );
}

function blobChecks(state: StateDirectory): readonly Check[] {
  const all = state.blobs.list();
  const bad = all.flatMap(({ digest, path }) =>
    guarded(path, () => {
      state.blobs.get(digest);
      return [];
    }),
  );
  return bad.length > 0 ? bad : [ok("contents", `${all.length === 1 ? "1 has" : `all ${all.length} have`} the digest of its name`)];
}
