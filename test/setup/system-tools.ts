import { spawnSync } from "node:child_process";

/** A command of each package that the system tests use. */
const PACKAGES: { readonly [command: string]: string } = {
  getfattr: "attr",
  getfacl: "acl",
  strace: "strace",
  debootstrap: "debootstrap",
  "mkfs.xfs": "xfsprogs",
  "mkfs.btrfs": "btrfs-progs",
  faketime: "faketime",
  setcap: "libcap2-bin",
  "systemd-nspawn": "systemd-container",
};

/** As root on a Debian, installs what the system tests use and is missing. A test that lacks a tool says so and is skipped; in CI it fails. */
export function setup(): void {
  const has = (command: string) => spawnSync("sh", ["-c", 'PATH="$PATH:/usr/sbin:/sbin" command -v "$0"', command]).status === 0;
  const missing = Object.keys(PACKAGES).filter((command) => !has(command));
  if (missing.length === 0 || process.getuid?.() !== 0 || !has("apt-get")) return;
  const packages = missing.map((command) => PACKAGES[command] as string);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = () => spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { env, encoding: "utf8" });
  if (install().status === 0) return;
  spawnSync("apt-get", ["update", "-qq"], { env });
  const { status, stderr } = install();
  if (status !== 0) process.stderr.write(`\n*** ${packages.join(", ")} could not be installed:\n${stderr}\n`);
}
