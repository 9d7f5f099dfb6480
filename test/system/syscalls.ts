import { readFileSync } from "node:fs";

/** Calls that can change something. Those of files by name or descriptor, mounts, and the doors past strace (io_uring). */
const CHANGING = [
  "open,openat,openat2,creat,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,mknod,mknodat,link,linkat,symlink,symlinkat",
  "chmod,fchmod,fchmodat,fchmodat2,chown,lchown,fchown,fchownat,truncate,ftruncate,fallocate,utime,utimes,futimesat,utimensat",
  "setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr,write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range,splice",
  "mount,umount2,pivot_root,swapon,swapoff,sethostname,setdomainname,settimeofday,clock_settime,reboot,io_uring_setup,io_uring_enter",
].join(",");

/** strace's words that make it write those calls, of all processes, to a log. `?`: a call that this machine does not know is no error. */
export function tracing(log: string): readonly string[] {
  const calls = CHANGING.split(",").map((name) => `?${name}`);
  return ["strace", "-f", "-qq", "-y", "-s", "64", "-e", "signal=none", "-e", `trace=${calls.join(",")}`, "-o", log];
}

/**
 * The calls in a log that change something: all but reading opens, and writes to what is no file. `allowed` are beginnings of
 * paths whose changes are expected.
 */
export function changesIn(log: string, allowed: (line: string) => boolean = () => false): readonly string[] {
  return readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => changes(line) && !allowed(line));
}

function changes(line: string): boolean {
  const call = /^(?:\d+ +)?(\w+)\((.*)/.exec(line);
  if (!call) return false; // the second half of an interrupted call, whose first half has the words
  const [, name, words] = call as unknown as [string, string, string];
  if (/^open/.test(name)) return /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE/.test(words) && !/"\/dev\/(null|tty)"/.test(words);
  if (/^p?write/.test(name)) return !/^\d+<(?:pipe|socket|anon_inode|UNIX|\/dev\/(?:null|tty|pts))/.test(words);
  if (name === "splice" || name === "sendfile") return !/^\d+<(?:pipe|socket)/.test(words);
  return true;
}
