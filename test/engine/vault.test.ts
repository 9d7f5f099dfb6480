import { expect, test } from "vitest";
import { Vault } from "../../src/engine/vault.ts";
import { keysFrom } from "../../src/journal/index.ts";
import { ContentStore } from "../../src/system/index.ts";

function vaultOf(): { readonly vault: Vault; readonly contents: ContentStore } {
  const contents = new ContentStore(() => undefined);
  return { vault: new Vault([], () => keysFrom(Buffer.alloc(32, 1)), contents), contents };
}

test("a content that a frozen plan names openly is kept under that name, whatever is found out of it later", () => {
  const { vault, contents } = vaultOf();
  const digest = contents.put("to be had again");
  vault.leaveOpen(digest);
  vault.hide(digest);
  expect([vault.isHidden(digest), vault.nameOf(digest), vault.seal({ content: digest })]).toEqual([false, digest, { content: digest }]);
});

test("what was hidden before the plan was frozen stays so", () => {
  const { vault, contents } = vaultOf();
  const digest = contents.put("not for everybody");
  vault.hide(digest);
  vault.leaveOpen(digest);
  expect(vault.isHidden(digest)).toBe(true);
  expect(vault.nameOf(digest)).toMatch(/^keyed:/);
});
