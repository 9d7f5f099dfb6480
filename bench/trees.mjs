// What is measured on: folders of small files, and playbooks that copy them.
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Files in a folder of the tree. */
const PER_FOLDER = 100;

/** A folder of `count` files of `size` bytes, each with a content of its own. */
export function makeTree(folder, count, size = 200) {
  mkdirSync(folder, { recursive: true });
  for (let index = 0; index < count; index += 1) {
    const inside = join(folder, `d${String(Math.floor(index / PER_FOLDER)).padStart(4, "0")}`);
    if (index % PER_FOLDER === 0) mkdirSync(inside);
    const fd = openSync(join(inside, `file-${String(index).padStart(6, "0")}.conf`), "wx", 0o644);
    writeSync(fd, `# file ${index} of ${count}\n`.padEnd(size - 1, "setting = value; ").concat("\n"));
    closeSync(fd);
  }
}

/** A playbook that copies a folder; its path. */
export function treePlaybook(path, source, target) {
  writeFileSync(path, `setpoint: 1\nname: bench\nresources:\n  - tree: ${target}\n    source: ${source}\n`);
  return path;
}

/** A playbook of one file, which is there as declared. */
export function filePlaybook(path, target) {
  writeFileSync(target, "hello\n", { mode: 0o644 });
  writeFileSync(path, `setpoint: 1\nname: bench-one\nresources:\n  - file: ${target}\n    content: "hello\\n"\n`);
  return path;
}
