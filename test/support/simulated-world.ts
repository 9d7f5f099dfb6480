import type { Program } from "../../src/system/simulated/index.ts";

/** What a simulated machine holds before the first command: a playbook and what it is about. */
export interface World {
  readonly playbook: string;
  /** Parents first, below `/`. */
  readonly folders: readonly string[];
  readonly files: { readonly [path: string]: string };
  readonly modes?: { readonly [path: string]: number };
  readonly links?: { readonly [path: string]: string };
  /** A second name, and the file that it is one of. */
  readonly hardlinks?: { readonly [path: string]: string };
}

/** What every machine has, whatever it is about. */
export const BASE: Pick<World, "folders" | "files"> = {
  folders: ["w", "etc"],
  files: {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/machine-id": "00000000000000000000000000000001\n",
  },
};

/** An exact tree, nested new folders, an opaque step and a tentative line behind it. */
export const STANDARD: World = {
  playbook: `
setpoint: 1
name: crash
resources:
  - directory: site
    exact: true
  - directory: site/new/deep
    mode: '0750'
  - tree: site/copied
    source: source
    exact: true
  - file: site/changed
    content: after
    mode: '0600'
  - file: site/mode-only
    mode: '0640'
  - file: site/shared
    content: its own
    hardlinks: break
  - file: site/gone
    state: absent
  - link: site/link
    to: changed
  - command: an opaque step
    run: [ make, made ]
    creates: made
    undo: [ unmake, made ]
  - line: site/tentative
    text: from the playbook
`,
  folders: ["w/source", "w/source/inner", "w/site", "w/site/stray", "w/site/copied", "w/site/copied/old"],
  files: {
    "w/source/one": "one\n",
    "w/source/inner/two": "two\n",
    "w/site/stray/file": "stray\n",
    "w/site/copied/one": "another content\n",
    "w/site/copied/old/left": "left\n",
    "w/site/changed": "before",
    "w/site/mode-only": "kept",
    "w/site/gone": "going",
    "w/shared-too": "one file of two names",
    "w/site/tentative": "one\ntwo\n",
  },
  links: { "w/site/link": "gone" },
  hardlinks: { "w/site/shared": "w/shared-too" },
};

/** Programs make their own effects durable: what they lose in a power cut is theirs. */
const make: Program = ({ argv }, files) => {
  const path = `/w/${argv[1]}`;
  if (!files.lstat(path)) {
    const fd = files.createNew(path, 0o644);
    if (argv[2] !== undefined) files.writeAll(fd, Buffer.from(`${argv[2]}\n`));
    files.close(fd);
  }
  syncPath(files, path);
  return { code: 0, stdout: "", stderr: "" };
};

const unmake: Program = ({ argv }, files) => {
  const path = `/w/${argv[1]}`;
  if (files.lstat(path)) files.unlink(path);
  syncPath(files, undefined);
  return { code: 0, stdout: "", stderr: "" };
};

function syncPath(files: Parameters<Program>[1], path: string | undefined): void {
  for (const fd of [...(path === undefined ? [] : [files.openRead(path)]), files.openDirectory("/w")]) {
    files.sync(fd);
    files.close(fd);
  }
}

export const PROGRAMS: { readonly [name: string]: Program } = { make, unmake };
