import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { parse } from "yaml";
import { typeNames } from "../../src/resources/index.ts";
import { share } from "../support/share.ts";
import { leftovers, must, onMachine, PLAYBOOKS, type Place, type Report, run } from "./machine.ts";
import { changesIn, tracing } from "./syscalls.ts";
import { differences, treeOf } from "./tree.ts";

const BOOK = join(PLAYBOOKS, "debian-config.yaml");
const tools = ["root", "apt-get", "dpkg-deb", "getfattr", "getfacl"];

/** A root with real configuration files: unpacked packages, in the whole suite beside a whole Debian. */
let original: string | undefined;

beforeAll(() => {
  if (process.getuid?.() !== 0 || run(["sh", "-c", "command -v apt-get && command -v dpkg-deb"]).code !== 0) return;
  original = mkdtempSync("/var/tmp/setpoint-root-");
  if (share === 1 && run(["sh", "-c", "command -v debootstrap"]).code === 0) wholeDebian(original);
  const fetched = run(["sh", join(PLAYBOOKS, "debian-config/get-root.sh"), original]);
  if (fetched.code !== 0 && run(["apt-get", "update", "-qq"]).code === 0)
    must("sh", join(PLAYBOOKS, "debian-config/get-root.sh"), original);
}, 600_000);

afterAll(() => {
  if (original !== undefined) rmSync(original, { recursive: true, force: true });
});

function wholeDebian(root: string): void {
  const release = must("sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME").trim();
  const targets = must("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages").split("\n");
  const mirror = targets.find((line) => line.endsWith(` ${release}`))?.split(" ")[0] ?? "";
  const made = run(["sh", "-c", `debootstrap --variant=minbase ${release} "$0" ${mirror} >/dev/null 2>&1 </dev/null`, root]);
  if (made.code !== 0) process.stderr.write("debootstrap failed: the root has only the unpacked packages\n");
}

/** A copy of the root with what people do to machines: other owners, odd modes, attributes, ACLs, capabilities, further names. */
function lived(place: Place): string {
  if (original === undefined) throw new Error("the root could not be made");
  const root = place.at("copy");
  must("cp", "-a", original, root);
  must(
    "sh",
    "-ec",
    `cd "$0/etc"
    chown games:adm nginx/koi-utf ssh/sshd_config && chown www-data nginx/nginx.conf && chown -h games nginx/sites-enabled/default
    chmod 0600 containers/policy.json && chmod 6755 motd && chmod 1777 cron.d && chmod 0440 login.defs
    setfattr -n user.origin -v package ssh/sshd_config nginx/koi-win && setfattr -n trusted.mark -v 1 sysctl.conf
    setfacl -m u:games:rw nginx/koi-utf && setfacl -m g:mail:r ssh/sshd_config && setfacl -d -m u:games:rx nginx/snippets
    setfacl -m u:mail:r nginx/snippets/snakeoil.conf
    ln nginx/mime.types nginx/mime.types.second && ln hosts hosts.second && rm hosts.second
    mkdir -p bystander && printf 'other\\n' > bystander/file && touch -d '2001-02-03 04:05:06.789' bystander/file && chmod 4711 bystander/file
    ! command -v setcap >/dev/null || setcap cap_net_bind_service=ep profile`,
    root,
  );
  return root;
}

/** Which paths of a tree a run had nothing to do with, nor made or removed something in. */
function untouchedBy(report: Report, root: string): (path: string) => boolean {
  const touched = new Set<string>([""]);
  for (const { register } of report.json.actions ?? []) {
    const path = register.replace(/^path:/, "");
    if (!path.startsWith(`${root}/`)) continue;
    touched.add(path.slice(root.length + 1));
    touched.add(path.slice(root.length + 1, Math.max(path.lastIndexOf("/"), root.length + 1)));
  }
  for (const folder of ["etc/nginx/conf.d", "srv"]) touched.add(folder);
  return (path) => !touched.has(path);
}

describe("a playbook over real Debian configuration files", () => {
  onMachine("has over 60 resources, of every type and format", tools, () => {
    const { resources } = parse(readFileSync(BOOK, "utf8")) as { resources: readonly { readonly [key: string]: unknown }[] };
    expect(resources.length).toBeGreaterThanOrEqual(60);
    const used = new Set(resources.map((resource) => Object.keys(resource)[0]));
    expect([...used].sort()).toEqual([...typeNames].filter((name) => used.has(name)).sort());
    for (const type of ["file", "directory", "tree", "link", "line", "block", "replace", "config", "command"]) expect(used).toContain(type);
  });

  onMachine(
    "I2, I4: is applied, changes and writes nothing the second time, and is taken back byte for byte",
    [...tools, "strace"],
    (place) => {
      const root = lived(place);
      const before = treeOf(root);
      const aclOf = (path: string) => must("getfacl", "-n", "-p", path);
      const [sshd, sysctl] = [join(root, "etc/ssh/sshd_config"), join(root, "etc/sysctl.conf")];
      const acl = aclOf(sshd);

      const applied = place.apply(BOOK, { more: ["--root", root] });
      expect(applied.json.problems).toEqual([]);
      expect(applied.json).toMatchObject({ exit: 0, status: "applied", summary: { failed: 0, conflicts: 0, verified: true } });
      expect(readFileSync(sshd, "utf8")).toMatch(/^PermitRootLogin no$/m);
      expect(aclOf(sshd)).toBe(acl);
      expect(statSync(sshd).uid).toBe(Number(must("id", "-u", "games")));
      expect(must("getfattr", "-m", "-", "-d", sysctl)).toContain('trusted.mark="1"');
      expect(must("getfattr", "-m", "-", "-d", sshd)).toContain('user.origin="package"');

      const [then, state] = [treeOf(root), treeOf(place.state)];
      const again = place.apply(BOOK, { more: ["--root", root], through: tracing(place.trace) });
      expect(again.json).toMatchObject({ exit: 0, status: "in-sync", summary: { changed: 0 } });
      // Whoever wants the lock must open it.
      expect(changesIn(place.trace, (line) => line.includes(`"${place.state}/lock", O_RDWR`))).toEqual([]);
      expect(differences(then, treeOf(root), () => true)).toEqual([]);
      expect(differences(state, treeOf(place.state), () => true)).toEqual([]);
      expect(place.setpoint(["plan", BOOK, "--root", root]).code).toBe(0);
      expect(place.setpoint(["verify", BOOK, "--root", root]).code).toBe(0);

      const reverted = place.setpoint(["revert"]);
      expect(reverted.json).toMatchObject({ exit: 0, status: "reverted", summary: { failed: 0, conflicts: 0 } });
      expect(differences(before, treeOf(root), untouchedBy(applied, root))).toEqual([]);
      expect(leftovers(root)).toEqual([]);
      expect(place.setpoint(["revert"]).code).toBe(0);
    },
  );

  onMachine("I1: plans the same under a relative root, and touches nothing", tools, (place) => {
    const root = lived(place);
    // Fingerprints of sensitive contents are the same once there is a key for them.
    const empty = place.playbook("  - file: unmanaged\n    state: absent\n");
    expect(place.apply(empty).code).toBe(0);
    const [before, state] = [treeOf(root), treeOf(place.state)];
    const [one, other] = [place.setpoint(["plan", BOOK, "--root", root]), place.setpoint(["plan", BOOK, "--root", "copy"])];
    expect(one.code).toBe(2);
    expect(other.json).toEqual(one.json);
    expect(differences(before, treeOf(root), () => true)).toEqual([]);
    expect(differences(state, treeOf(place.state), () => true)).toEqual([]);
  });

  onMachine("runs for somebody who is not root, on a copy of their own", [...tools, "setpriv"], (place) => {
    if (original === undefined) throw new Error("the root could not be made");
    const root = place.at("copy");
    must("cp", "-r", "--no-dereference", original, root);
    // The checkout may be where others cannot look.
    for (const part of ["bin", "dist", "playbooks", "package.json"]) must("cp", "-r", join(PLAYBOOKS, "..", part), place.folder);
    must("chmod", "-R", "a+rX", place.folder);
    must("chown", "-R", "65534:65534", root);
    must("install", "-d", "-o", "65534", "-m", "0700", place.state);
    const before = treeOf(root);
    const setpoint = (...args: readonly string[]) =>
      run(
        [
          "setpriv",
          "--reuid=65534",
          "--regid=65534",
          "--clear-groups",
          process.execPath,
          "bin/setpoint.js",
          ...args,
          "--state-dir",
          "state",
        ],
        {
          cwd: place.folder,
        },
      );
    const applied = setpoint("apply", "playbooks/debian-config.yaml", "--root", "copy", "--yes");
    expect(applied).toMatchObject({ code: 0 });
    expect(setpoint("plan", "playbooks/debian-config.yaml", "--root", "copy")).toMatchObject({ code: 0 });
    expect(setpoint("revert")).toMatchObject({ code: 0 });
    expect(differences(before, treeOf(root))).toEqual([]);
    expect(readdirSync(join(root, "srv"))).toEqual([]);
  });
});
