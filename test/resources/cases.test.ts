import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { JsonObject, Receipt } from "../../src/core/index.ts";
import { kinds } from "../../src/registers/index.ts";
import { loadTypes } from "../../src/resources/index.ts";
import { fold, inOrder, matches, settingsOf } from "./fold.ts";
import { type Answers, Disk, MemoryContents, readerOn, type Sketch, spelled, worldOn } from "./world.ts";

/** A resource on a disk: `after` has states by path, a text being a file's content; `problem` a part of what is said. */
type Case = {
  readonly name: string;
  readonly spec: JsonObject;
  readonly found?: { readonly [path: string]: Sketch };
  readonly named?: readonly string[];
  readonly common?: JsonObject;
  readonly answers?: Answers;
  readonly receipts?: { readonly [key: string]: Receipt };
  readonly registers?: { readonly [address: string]: readonly string[] };
  readonly after?: { readonly [path: string]: string | JsonObject };
  readonly untouched?: readonly string[];
  readonly manner?: JsonObject;
  readonly state?: JsonObject;
  readonly about?: JsonObject;
  readonly problem?: string;
  readonly field?: readonly (string | number)[];
};

for (const file of readdirSync(import.meta.dirname).filter((name) => name.endsWith(".cases.yaml"))) {
  const name = file.replace(".cases.yaml", "");
  const cases = parse(readFileSync(new URL(file, import.meta.url), "utf8")) as Case[];
  describe(name, () => {
    test.each(cases)("$name", async (one) => {
      const type = (await loadTypes([name])).get(name);
      if (type === undefined) throw new Error(`no type ${name}`);
      const disk = new Disk(new MemoryContents(), one.found);
      const reader = readerOn(disk, one);
      const world = worldOn(reader, { ...one, address: `${name}:x` });
      const { settings, problems } = await settingsOf(type, one.spec, world, one.named);
      const planned = problems.length > 0 ? { folded: [], problems } : await fold(settings, reader);
      const said = planned.problems.map(({ summary, detail }) => `${summary}: ${detail}`).join("\n");
      if (one.problem !== undefined) {
        expect(said).toContain(one.problem);
        if (one.field !== undefined) expect((problems[0] as { field?: unknown }).field).toEqual(one.field);
        return;
      }
      expect(said).toBe("");
      const after = Object.fromEntries(planned.folded.map(({ register, after: state }) => [register.key, spelled(state, disk.contents)]));
      for (const [path, wanted] of Object.entries(one.after ?? {})) {
        if (typeof wanted === "string")
          expect(after[path]).toMatchObject(wanted === "absent" ? { is: "absent" } : { is: "file", content: wanted });
        else expect(after[path]).toMatchObject(wanted);
      }
      for (const path of one.untouched ?? [])
        expect(
          after[path] === undefined ||
            matches(
              planned.folded.find(({ register }) => register.key === path)?.before as never,
              planned.folded.find(({ register }) => register.key === path)?.after as never,
            ),
          path,
        ).toBe(true);
      if (one.manner !== undefined) expect(planned.folded[0]?.manner).toEqual(one.manner);
      if (one.state !== undefined) expect(planned.folded[0]?.after).toEqual(one.state);
      if (one.about !== undefined) expect(planned.folded[0]?.register.about).toMatchObject(one.about);

      // Set it: a second reading gives what was predicted, and a second plan nothing to do.
      if (name === "command") return;
      const ours = new Set(planned.folded.map(({ register }) => register.key));
      const bystanders = (): JsonObject =>
        Object.fromEntries(
          [...disk.nodes.keys()].filter((path) => !ours.has(path)).map((path) => [path, { ...disk.look(path), links: 0 }]),
        );
      const others = bystanders();
      for (const { register, before, after: to, manner } of inOrder(planned.folded)) {
        for (const operation of kinds.get(register.kind)?.transition(register, before, to, manner) ?? []) disk.perform(operation);
      }
      // A file written in place is the same under all its names; else nothing but the plan's own paths changes.
      if (one.spec.write !== "in-place") expect(bystanders()).toEqual(others);
      const again = worldOn(reader, one);
      const second = await fold((await settingsOf(type, one.spec, again, one.named)).settings, reader);
      for (const { register, before, after: to, manner } of second.folded) {
        expect(matches(before, to), `${register.key}: ${JSON.stringify(before)} → ${JSON.stringify(to)}`).toBe(true);
        expect(kinds.get(register.kind)?.transition(register, before, to, manner)).toEqual([]);
      }
      for (const { register, after: to } of planned.folded) {
        const read = await kinds.get(register.kind)?.read([register], reader);
        expect(matches(read?.[0] as never, to), register.key).toBe(true);
      }
      // Swapped, it goes back.
      for (const { register, before, manner } of [...inOrder(planned.folded)].reverse()) {
        const [found] = (await kinds.get(register.kind)?.read([register], reader)) ?? [];
        for (const operation of kinds.get(register.kind)?.transition(register, found as never, before, manner) ?? [])
          disk.perform(operation);
      }
      for (const { register, before, manner } of planned.folded) {
        const [found] = (await kinds.get(register.kind)?.read([register], reader)) ?? [];
        const { links: _links, ...comparable } = before;
        expect(
          matches(found as never, manner.hardlinks === "break" ? (comparable as never) : before),
          `${register.key} goes back: ${JSON.stringify(found)}`,
        ).toBe(true);
      }
    });
  });
}
