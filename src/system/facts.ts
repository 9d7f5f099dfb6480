import { type JsonObject, type System, sha256 } from "../core/index.ts";
import { readWhole } from "./read-file.ts";

/** What playbooks may ask of the machine. Read once, before anything else. */
export function gatherFacts(system: System): JsonObject {
  const text = (path: string) => {
    try {
      return readWhole(system.files, path)?.toString("utf8");
    } catch {
      return undefined; // a fact that cannot be read is one that the machine does not have
    }
  };
  const release = parseRelease(text("/etc/os-release") ?? text("/usr/lib/os-release") ?? "");
  const id = release.ID ?? system.host.platform;
  const families = [id, ...(release.ID_LIKE ?? "").split(" ")];
  const family = ["debian", "rhel", "fedora", "suse", "arch", "alpine", "gentoo"].find((name) => families.includes(name)) ?? id;
  const hostname = (text("/proc/sys/kernel/hostname") ?? text("/etc/hostname") ?? "localhost").trim();
  return {
    os: {
      id,
      family: family === "fedora" ? "rhel" : family,
      version: release.VERSION_ID ?? "",
      codename: release.VERSION_CODENAME ?? "",
      name: release.PRETTY_NAME ?? id,
      platform: system.host.platform,
    },
    hostname,
    kernel: (text("/proc/sys/kernel/osrelease") ?? "").trim(),
    arch: system.host.arch,
    cpus: (text("/proc/cpuinfo")?.match(/^processor\s*:/gm) ?? []).length,
    memory: Number(/^MemTotal:\s+(\d+) kB/m.exec(text("/proc/meminfo") ?? "")?.[1] ?? 0) * 1024,
    user: { uid: system.host.uid, home: system.host.home },
  };
}

/** A name of this machine that says nothing of it: plans are for the machine that they were made on. */
export function machineId(system: System): string {
  const id = readWhole(system.files, "/etc/machine-id")?.toString("utf8").trim();
  const name = id || readWhole(system.files, "/proc/sys/kernel/hostname")?.toString("utf8").trim() || "unknown";
  return sha256(`setpoint/machine/${name}`).slice(0, 32);
}

function parseRelease(text: string): { readonly [key: string]: string } {
  const found: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^([A-Z_]+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(line);
    if (match) found[match[1] as string] = match[2] ?? match[3] ?? match[4] ?? "";
  }
  return found;
}
