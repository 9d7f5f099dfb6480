import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AwsClient } from "aws4fetch";
import { execa } from "execa";
import { freePort, TestServer, until } from "./server.ts";

const ACCESS = "ID";
const SECRET = "s3cr3t-of-the-gateway";

/** One monitor, one store in memory and the S3 gateway of Ceph, with a user and a bucket. */
export async function startCeph() {
  const monitor = await freePort();
  const fsid = randomUUID();
  const osd = randomUUID();
  const others: { stop(): Promise<void> }[] = [];
  const server = await TestServer.start("radosgw", async (port, folder) => {
    const run = async (program: string, ...words: readonly string[]): Promise<string> => {
      const { stdout } = await execa(program, words, { cwd: folder, env: { CEPH_CONF: join(folder, "ceph.conf") }, timeout: 120_000 });
      return stdout;
    };
    for (const name of ["mon", "osd", "rgw"]) mkdirSync(join(folder, name));
    writeFileSync(join(folder, "ceph.conf"), configuration(folder, fsid, monitor, port));
    await makeKeys(run);
    await run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", `[v2:127.0.0.1:${monitor}]`, "monmap");
    await run("ceph-mon", "-i", "a", "--mkfs", "--monmap", "monmap", "--keyring", "keyring");
    others.push(background(folder, "ceph-mon", "-i", "a", "-f"));
    await until("a quorum of Ceph", () =>
      run("ceph", "--connect-timeout", "5", "status").then(
        () => true,
        () => false,
      ),
    );
    await run("ceph", "osd", "new", osd);
    await run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd);
    others.push(background(folder, "ceph-osd", "-i", "0", "-f"));
    await run(
      "radosgw-admin",
      "-n",
      "client.rgw",
      "user",
      "create",
      "--uid=test",
      "--display-name=test",
      `--access-key=${ACCESS}`,
      `--secret-key=${SECRET}`,
    );
    return ["radosgw", "-c", join(folder, "ceph.conf"), "-n", "client.rgw", "-f"];
  }).catch(async (thrown: unknown) => {
    for (const one of others) await one.stop();
    throw thrown;
  });
  const client = new AwsClient({ accessKeyId: ACCESS, secretAccessKey: SECRET, service: "s3", region: "eu-central-1" });
  const bucket = `http://127.0.0.1:${server.port}/bucket`;
  const set = async (url: string, body?: string): Promise<void> => {
    const response = await client.fetch(url, { method: "PUT", ...(body !== undefined && { body }) });
    if (!response.ok) throw new Error(`PUT ${url}: ${response.status} ${await response.text()}`);
  };
  await set(bucket);
  return {
    port: server.port,
    secret: SECRET,
    async get(key: string): Promise<string | undefined> {
      const response = await client.fetch(`${bucket}/${key}`);
      const text = await response.text();
      if (response.ok) return text;
      if (response.status === 404) return undefined;
      throw new Error(`GET ${key}: ${response.status} ${text}`);
    },
    put: (key: string, value: string) => set(`${bucket}/${key}`, value),
    async stop() {
      await server.down();
      for (const one of others) await one.stop();
      await server.stop();
    },
  };
}

function configuration(folder: string, fsid: string, monitor: number, port: number): string {
  return `[global]
fsid = ${fsid}
mon host = v2:127.0.0.1:${monitor}
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = ${folder}/keyring
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
run dir = ${folder}
admin socket = ${folder}/$name.$pid.asok
log file = ${folder}/$name.log
mon data = ${folder}/mon
osd data = ${folder}/osd
rgw data = ${folder}/rgw
osd objectstore = memstore
memstore device bytes = 268435456
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw thread pool size = 16
`;
}

async function makeKeys(run: (program: string, ...words: readonly string[]) => Promise<string>): Promise<void> {
  await run("ceph-authtool", "--create-keyring", "keyring");
  for (const [name, ...caps] of [
    ["mon.", "--cap", "mon", "allow *"],
    ["client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *"],
    ["osd.0", "--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"],
    ["client.rgw", "--cap", "mon", "allow rw", "--cap", "osd", "allow rwx"],
  ] as const)
    await run("ceph-authtool", "keyring", "--gen-key", "-n", name, ...caps);
}

function background(folder: string, program: string, ...words: readonly string[]): { stop(): Promise<void> } {
  const child = spawn(program, words, { cwd: folder, stdio: "ignore", env: { ...process.env, CEPH_CONF: join(folder, "ceph.conf") } });
  const gone = new Promise<void>((done) => child.once("exit", () => done()));
  return {
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await gone;
    },
  };
}
