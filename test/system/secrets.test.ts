import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { tally } from "../support/figures.ts";
import { onMachine, type Place, textOf } from "./machine.ts";

const CANARY = "cAn4ry-of-the-real-program";

/** Every type that takes a content, every way into a command, and a validator and a guard that start programs beside them. */
const RESOURCES = `
  - file: live/content
    content: "one \${{ inputs.token }} two\\n"
    validate: [ test, -s, '%s' ]
  - file: live/in-place
    content: "\${{ inputs.token }}"
    write: in-place
  - file: live/template
    template: site.liquid
  - line: live/line
    id: password
    text: "password=\${{ inputs.token }}"
    create: true
  - block: live/block
    text: "secret \${{ inputs.token }}"
    create: true
  - replace: live/replaced
    pattern: PLACEHOLDER
    with: "\${{ inputs.token }}"
  - config: live/app.json
    set: { token: "\${{ inputs.token }}" }
    create: true
  - config: live/app.yaml
    set: { token: "\${{ inputs.token }}" }
    create: true
  - config: live/app.env
    set: { TOKEN: "\${{ inputs.token }}" }
    create: true
  - command: by environment
    run: [ sh, -c, 'printf %s "$T" > live/by-env; sleep 0.1' ]
    env: { T: "\${{ inputs.token }}" }
    creates: live/by-env
    undo: [ rm, -f, live/by-env ]
  - command: by stdin
    run: [ sh, -c, 'cat > live/by-stdin; sleep 0.1' ]
    stdin: "\${{ inputs.token }}"
    creates: live/by-stdin
    undo: [ rm, -f, live/by-stdin ]
`;

const FORMS = [
  CANARY,
  encodeURIComponent(CANARY),
  Buffer.from(CANARY).toString("base64").replace(/=+$/, ""),
  Buffer.from(CANARY).toString("hex"),
];

const holds = (bytes: Buffer | string) => FORMS.filter((form) => bytes.includes(form));

/** The files below a folder that hold the secret in some form. */
function tellers(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => {
    const path = join(folder, name);
    return lstatSync(path).isFile() && holds(readFileSync(path)).length > 0;
  });
}

describe("a secret through every type", () => {
  onMachine("I19: is in no argument of any program, in no output, and nowhere in the state directory", ["strace"], (place: Place) => {
    place.write("live/in-place", "was here");
    place.write("live/replaced", "x PLACEHOLDER y\n");
    place.write("site.liquid", "token {{ inputs.token }}\n");
    const book = place.write(
      "book.yaml",
      `setpoint: 1\nname: book\ninputs:\n  token: { type: string, secret: true }\nresources:${RESOURCES}`,
    );
    const env = { SETPOINT_VAR_token: CANARY };
    // What a look at /proc/*/cmdline could find at some moment is what some program was started with: all of it is noted, at every moment.
    const through = ["strace", "-f", "-qq", "-s", "100000", "-e", "signal=none", "-e", "trace=execve,execveat", "-o", place.trace];
    let programs = 0;
    const runs: readonly (readonly string[])[] = [
      ["plan", book, "--full"],
      ["apply", book, "--yes"],
      ["apply", book, "--yes"],
      ["verify", book],
      ["show"],
      ["history"],
      ["why", "path:live/content"],
      ["revert"],
    ];
    for (const [turn, words] of runs.entries()) {
      const ran = place.setpoint(words, { env, through });
      expect([0, 2, 64], `${words.join(" ")}: ${ran.out}${ran.err}`).toContain(ran.code);
      expect([words, ...holds(ran.out + ran.err)]).toEqual([words]);
      const started = textOf(place.trace) ?? "";
      expect(started).toContain("execve(");
      expect([words, ...holds(started)]).toEqual([words]);
      programs += started.split("execve(").length - 1;
      expect([words, ...tellers(place.state)]).toEqual([words]);
      // The targets hold it, or else this test could not find it either.
      if (turn === 1) expect(tellers(place.at("live")).length).toBeGreaterThanOrEqual(11);
    }
    expect(tellers(place.at("live"))).toEqual([]);
    tally({ invariants: ["I19"], what: "started programs", count: programs });
  });
});
