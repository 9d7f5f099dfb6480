// Where the measuring happens. A file system of its own, so that its syncs do not wait for what others write, with a journal, as most machines
// have one; where that cannot be had, the folder for temporary files.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Bytes of the image. It is sparse: only what is written to it takes room. */
const IMAGE = "6G";

/**
 * A folder to measure in: `{ folder, what, leave }`. `what` says what sort of place it is; `leave` takes it away, and is called on any end of
 * the process too.
 */
export function enterPlace() {
  const base = mkdtempSync(join(process.env.SETPOINT_BENCH_DIR ?? tmpdir(), "setpoint-bench-"));
  const folder = join(base, "mnt");
  mkdirSync(folder);
  const why = mountImage(base, folder);
  let left = false;
  const leave = () => {
    if (left) return;
    left = true;
    if (why === undefined) unmount(folder);
    rmSync(base, { recursive: true, force: true });
  };
  process.on("exit", leave);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));
  const what = why === undefined ? "a loop-mounted ext4 (data=ordered) made for it" : `the folder for temporary files (${why})`;
  return { folder, what, leave };
}

/** Why there is no file system of our own; undefined where there is one. */
function mountImage(base, folder) {
  if (process.geteuid?.() !== 0) return "a loop mount needs root";
  const image = join(base, "image");
  try {
    execFileSync("truncate", ["-s", IMAGE, image], { stdio: "pipe" });
    // Inode tables are written now and not in the background while we measure.
    execFileSync("mkfs.ext4", ["-q", "-i", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], { stdio: "pipe" });
    execFileSync("mount", ["-o", "loop", image, folder], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    rmSync(image, { force: true });
    return `no loop mount: ${
      String(error.stderr ?? error.message)
        .trim()
        .split("\n")[0]
    }`;
  }
}

function unmount(folder) {
  if (spawnSync("umount", [folder]).status === 0) return;
  // A child that was killed may still have its working folder there.
  spawnSync("umount", ["-l", folder]);
}
