import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { type Command, type Processes, type Ran, SystemFault } from "../core/index.ts";

/** Bytes of output kept a stream; more is cut in the middle. */
const OUTPUT_LIMIT = 1 << 20;

/** Gathers a stream's output, of a long one its first and last half megabyte. */
class Output {
  private head = Buffer.alloc(0);
  private tail = Buffer.alloc(0);
  private cut = 0;

  add(bytes: Buffer): void {
    const half = OUTPUT_LIMIT / 2;
    const room = Math.max(0, half - this.head.length);
    if (room > 0) this.head = Buffer.concat([this.head, bytes.subarray(0, room)]);
    const rest = bytes.subarray(room);
    if (rest.length === 0) return;
    const joined = Buffer.concat([this.tail, rest]);
    this.cut += Math.max(0, joined.length - half);
    this.tail = joined.subarray(Math.max(0, joined.length - half));
  }

  text(): string {
    const middle = this.cut > 0 ? `\n[${this.cut} bytes cut]\n` : "";
    return this.head.toString("utf8") + middle + this.tail.toString("utf8");
  }
}

/** Real child processes, each in a process group of its own so that all its descendants can be ended with it. */
export function realProcesses(_umask: number, env: NodeJS.ProcessEnv, unmasked: <T>(body: () => T) => T): Processes {
  const running = new Set<number>();

  function environment(command: Command): NodeJS.ProcessEnv {
    return { ...env, ...command.env };
  }

  /** Another account's command goes through setpriv: Node has no call for supplementary groups. */
  function argvOf(command: Command): readonly [string, readonly string[]] {
    const [program, ...words] = command.argv;
    if (program === undefined) throw new SystemFault("empty-command", "a command without a program");
    if (command.user === undefined) return [program, words];
    return ["setpriv", [`--reuid=${command.user}`, "--regid", groupOf(command.user), "--init-groups", "--", program, ...words]];
  }

  function groupOf(user: string): string {
    const ran = spawnSync("id", ["-g", "--", user], { encoding: "utf8" });
    if (ran.status !== 0) throw new SystemFault("unknown-user", `there is no account ${user} to run the command as`);
    return ran.stdout.trim();
  }

  return {
    async run(command, live) {
      const [program, words] = argvOf(command);
      const { execa } = await import("execa");
      const stdout = new Output();
      const stderr = new Output();
      const child = unmasked(() =>
        execa(program, words, {
          ...(command.cwd !== undefined && { cwd: command.cwd }),
          env: environment(command),
          extendEnv: false,
          detached: true,
          reject: false,
          // Its own buffer ends the program where the limit is reached; ours cuts.
          buffer: false,
          // Its typings know no descriptor as a fourth; it takes one.
          stdio: [
            command.stdin === undefined ? "ignore" : "pipe",
            "pipe",
            "pipe",
            ...(live === undefined ? [] : [live as unknown as "pipe"]),
          ],
        }),
      );
      const pid = child.pid;
      if (pid !== undefined) running.add(pid);
      child.stdout?.on("data", (bytes: Buffer) => stdout.add(bytes));
      child.stderr?.on("data", (bytes: Buffer) => stderr.add(bytes));
      if (command.stdin !== undefined) {
        // A program that does not read its input closes it; that is its right.
        child.stdin?.on("error", () => undefined);
        child.stdin?.end(command.stdin);
      }
      let timedOut = false;
      let timer: NodeJS.Timeout | undefined;
      if (command.timeout !== undefined) {
        timer = setTimeout(() => {
          timedOut = true;
          endGroup(pid, "SIGTERM");
          timer = setTimeout(() => endGroup(pid, "SIGKILL"), 2000);
        }, command.timeout);
      }
      const ended = new Promise<void>((done) => {
        // What the program left behind may hold its output open for ever: wait for the end of the streams, but not for long.
        child.once("exit", () => setTimeout(done, 250).unref());
        child.once("close", () => done());
        child.once("error", () => done());
      });
      const [result] = await Promise.all([Promise.race([child, ended.then(() => undefined)]), ended]);
      clearTimeout(timer);
      if (pid !== undefined) running.delete(pid);
      child.stdout?.destroy();
      child.stderr?.destroy();
      const ran: { -readonly [K in keyof Ran]: Ran[K] } = { stdout: stdout.text(), stderr: stderr.text() };
      if (pid === undefined) ran.failed = (result as { code?: string } | undefined)?.code ?? "ENOENT";
      else if (child.exitCode !== null) ran.code = child.exitCode;
      if (child.signalCode !== null) ran.signal = child.signalCode;
      if (timedOut) ran.timedOut = true;
      return ran;
    },
    runNow(command) {
      const [program, words] = argvOf(command);
      const ran = unmasked(() =>
        spawnSync(program, words, {
          cwd: command.cwd,
          env: environment(command),
          input: command.stdin ?? "",
          timeout: command.timeout,
          maxBuffer: 64 << 20,
          encoding: "utf8",
        }),
      );
      const failed = (ran.error as NodeJS.ErrnoException | undefined)?.code;
      return {
        ...(ran.status !== null && { code: ran.status }),
        ...(ran.signal && { signal: ran.signal }),
        ...(failed === "ETIMEDOUT" && { timedOut: true as const }),
        ...(failed !== undefined && failed !== "ETIMEDOUT" && { failed }),
        stdout: ran.stdout ?? "",
        stderr: ran.stderr ?? "",
      };
    },
    lock(fd) {
      const ran = spawnSync("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "pipe", fd] });
      if (ran.error)
        throw new SystemFault("flock-missing", "flock(1) is needed for the lock of the state directory (package util-linux)", {
          cause: ran.error,
        });
      if (ran.status === 0) return "locked";
      if (ran.status === 1) return "held";
      throw new SystemFault("flock", `flock failed: ${ran.stderr.toString().trim()}`);
    },
    has(program) {
      const candidates = program.includes("/") ? [program] : (env.PATH ?? "").split(":").map((folder) => `${folder || "."}/${program}`);
      return candidates.some((path) => {
        try {
          accessSync(path, constants.X_OK);
          return statSync(path).isFile();
        } catch {
          return false; // not executable or not there: the answer is no
        }
      });
    },
    endAll() {
      for (const pid of running) endGroup(pid, "SIGTERM");
    },
  };
}

function endGroup(pid: number | undefined, signal: "SIGTERM" | "SIGKILL"): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ESRCH") throw thrown;
  }
}
