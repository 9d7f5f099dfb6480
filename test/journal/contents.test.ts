import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sha256 } from "../../src/core/index.ts";
import { Blobs, keysFrom, Pack } from "../../src/journal/index.ts";
import { realSystem } from "../../src/system/index.ts";
import { tally } from "../support/figures.ts";

const { files } = realSystem();
const keys = keysFrom(Buffer.alloc(32, 7));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "setpoint-contents-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const contents = ["one", "two\n", "", "ü\0binary"].map((text) => Buffer.from(text));

function packed(): string {
  const path = join(folder, "after.pack");
  const pack = new Pack(files, path);
  for (const bytes of contents) pack.add(sha256(bytes), bytes);
  pack.flush();
  pack.close();
  return path;
}

describe("a pack", () => {
  test("gives back what was put in, also in another process", () => {
    const pack = new Pack(files, packed());
    for (const bytes of contents) expect(pack.get(sha256(bytes))).toEqual(bytes);
    expect(pack.get(sha256("never"))).toBeUndefined();
  });

  test("I18: cut anywhere or with any byte changed it gives the right content or none", () => {
    const path = packed();
    const whole = readFileSync(path);
    const check = (bytes: Buffer): void => {
      writeFileSync(path, bytes);
      const pack = new Pack(files, path);
      for (const content of contents) {
        const found = pack.get(sha256(content));
        if (found !== undefined) expect(found).toEqual(content);
        expect(pack.has(sha256(content))).toBe(found !== undefined);
      }
    };
    for (let length = 0; length < whole.length; length++) check(whole.subarray(0, length));
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] as number) ^ 0x11;
      check(changed);
    }
    tally({ invariants: ["I18"], what: "damaged packs", count: 2 * whole.length });
  });

  test("I13: what a crash tore off is cut away before more is added", () => {
    const path = packed();
    writeFileSync(path, readFileSync(path).subarray(0, -3));
    const pack = new Pack(files, path);
    const last = contents.at(-1) as Buffer;
    expect(pack.has(sha256(last))).toBe(false);
    pack.add(sha256(last), last);
    pack.flush();
    expect(new Pack(files, path).get(sha256(last))).toEqual(last);
  });
});

describe("blobs", () => {
  const secret = Buffer.from("a sensitive content");

  beforeEach(() => mkdirSync(join(folder, "blobs")));

  test("I29: every name is its content's digest, and a rotten one is never given out", () => {
    const blobs = new Blobs(files, join(folder, "blobs"), () => keys);
    const digest = sha256("plain");
    blobs.put(digest, Buffer.from("plain"));
    expect(blobs.get(digest)?.toString()).toBe("plain");
    expect(blobs.list().map((blob) => blob.digest)).toEqual([digest]);
    writeFileSync(blobs.pathOf(digest), "plain!");
    expect(() => blobs.get(digest)).toThrow(/no longer has its digest/);
  });

  test("I19: a sensitive one is encrypted under a name that says nothing", () => {
    const blobs = new Blobs(files, join(folder, "blobs"), () => keys);
    const name = keys.fingerprint(secret);
    blobs.put(name, secret);
    const [path] = blobs.list().map((blob) => blob.path);
    expect(readFileSync(path as string).includes(secret)).toBe(false);
    expect(path).not.toContain(sha256(secret));
    expect(blobs.get(name)).toEqual(secret);
    const bytes = readFileSync(path as string);
    bytes[20] = (bytes[20] as number) ^ 1;
    writeFileSync(path as string, bytes);
    expect(() => blobs.get(name)).toThrow(/no longer has its digest/);
  });

  test("a large file is kept with its holes", () => {
    const path = join(folder, "sparse");
    const fd = files.createNew(path, 0o600);
    files.writeAt(fd, Buffer.from("end"), 3 << 20);
    files.close(fd);
    const digest = sha256(readFileSync(path));
    const blobs = new Blobs(files, join(folder, "blobs"), () => keys);
    blobs.keepFile(digest, path, (3 << 20) + 3);
    const kept = files.lstat(blobs.pathOf(digest));
    expect(kept?.size).toBe((3 << 20) + 3);
    expect((kept?.blocks ?? 0) * 512).toBeLessThan(1 << 20);
    expect(readdirSync(join(folder, "blobs", digest.slice(0, 2)))).toEqual([digest]);
  });
});

test("fingerprints depend on the key", () => {
  expect(keysFrom(Buffer.alloc(32, 8)).fingerprint("x")).not.toBe(keys.fingerprint("x"));
  expect(keys.tempPrefix("a")).toMatch(/^\.[a-z2-7]{16}$/);
});
