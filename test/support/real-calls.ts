import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type RealSite, single } from "./real-site.ts";

/** Calls that change something, or make it durable. `?`: a call that this machine does not know is no error. */
const CHANGING =
  "open,openat,creat,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,fchmod,chmod,fchmodat,fchown,chown,lchown,fchownat,ftruncate,fallocate,utimensat,futimesat,fsetxattr,setxattr,lsetxattr,fremovexattr,removexattr,lremovexattr,write,pwrite64,writev,pwritev,copy_file_range,sendfile,fsync,fdatasync,sync_file_range,ioctl"
    .split(",")
    .map((name) => `?${name}`)
    .join(",");

/** The n-th call of one name in one thread, which is how strace counts. */
export interface Call {
  readonly name: string;
  readonly n: number;
  readonly line: string;
}

/** The calls of a command line that change something below the site's folders, each once; the command runs to its end. */
export function changingCalls(site: RealSite, words: readonly string[], folder: string): readonly Call[] {
  const log = join(folder, "calls.log");
  const through = ["strace", "-f", "-qq", "-y", "-s", "0", "-e", "signal=none", "-e", `trace=${CHANGING}`, "-o", log];
  const { code, err } = site.settled(words, { through, env: single });
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${err}`);
  const lines = readFileSync(log, "utf8").split("\n");
  rmSync(log);
  const counts = new Map<string, number>();
  const found = new Map<string, Call | undefined>();
  for (const line of lines) {
    const parts = /^(\d+) +(\w+)\((.*)/.exec(line);
    if (!parts) continue;
    const [, thread, name, rest] = parts as unknown as [string, string, string, string];
    const n = (counts.get(`${thread} ${name}`) ?? 0) + 1;
    counts.set(`${thread} ${name}`, n);
    // Whichever thread is first to come to its n-th call is the one that dies there.
    if (!found.has(`${name} ${n}`)) found.set(`${name} ${n}`, changes(name, rest, folder) ? { name, n, line } : undefined);
  }
  return [...found.values()].filter((call) => call !== undefined);
}

function changes(name: string, rest: string, folder: string): boolean {
  if (/^open/.test(name)) return /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(rest) && !rest.includes('"/dev/');
  if (/^p?write/.test(name)) return rest.startsWith(`${/^\d+/.exec(rest)?.[0]}<${folder}`);
  // FICLONE copies a file; all else that ioctl does is about terminals.
  if (name === "ioctl") return /FICLONE/.test(rest);
  return true;
}

/** strace's words that kill the program on entry to one call. Not with --seccomp-bpf, under which the signal never comes. */
export function killing({ name, n }: Call): readonly string[] {
  return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${name}`, "-e", `inject=${name}:signal=KILL:when=${n}`];
}

/** Every n-th of a list, from a place that is another one each time it is asked for another turn. */
export function everyNth<T>(list: readonly T[], step: number, turn = 0): readonly T[] {
  return list.filter((_, index) => index % step === turn % step);
}

/** So many of a list, evenly from all of it, from the middles of its parts. */
export function spread<T>(list: readonly T[], count: number): readonly T[] {
  const parts = Math.min(count, list.length);
  return Array.from({ length: parts }, (_, n) => list[Math.floor(((n + 0.5) * list.length) / parts)] as T);
}
