import { errnoOf, SystemFault } from "../../core/index.ts";
import { playbookSchema } from "../../playbook/index.ts";
import { jsonText } from "../../report/index.ts";
import { allTypes } from "../../resources/index.ts";
import { fault, readWhole } from "../../system/index.ts";
import { type Context, print, printJson } from "../context.ts";
import type { CommandModule } from "./command.ts";

const SCHEMA = "setpoint.schema.json";

/** A first playbook that can be applied as it is, and the schema that lets an editor complete and check it. */
export const init: CommandModule = {
  define(command) {
    command
      .description("write a commented starter playbook, and the schema that lets an editor complete it")
      .argument("[file]", "the playbook to write", "site.yaml")
      .addHelpText(
        "after",
        `
Nothing is overwritten. The starter touches only the folder \`demo\` beside where it is applied.

Examples:
  setpoint init
  setpoint init web.yaml && setpoint plan web.yaml`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[]): Promise<number> {
    const [file = "site.yaml"] = args;
    const path = file.startsWith("/") ? file : `${context.system.host.cwd}/${file}`;
    const slash = path.lastIndexOf("/");
    const schemaPath = `${path.slice(0, slash)}/${SCHEMA}`;
    const schema = `${jsonText(playbookSchema(new Map((await allTypes()).map((type) => [type.type, type]))), 2)}\n`;
    const created = [path];
    // The playbook first: where it is refused, nothing is left behind.
    createFile(context, path, starter(path.slice(slash + 1)));
    const standing = readWhole(context.system.files, schemaPath)?.toString("utf8");
    if (standing === undefined) {
      createFile(context, schemaPath, schema);
      created.push(schemaPath);
    } else if (standing !== schema && !context.json) {
      context.err.write(`${schemaPath} is left as it is; \`setpoint schema\` prints the one of this version\n`);
    }
    if (context.json) printJson(context, { format: 1, playbook: path, schema: schemaPath, created });
    else print(context, `Wrote ${created.join(" and ")}.\nNext: setpoint plan ${file}\n`);
    return 0;
  },
};

/** A file for everybody's editor: with the umask that setpoint was started with. */
function createFile(context: Context, path: string, text: string): void {
  const { files, host } = context.system;
  let fd: number;
  try {
    fd = files.createNew(path, 0o600);
  } catch (thrown) {
    if (errnoOf(thrown) === "EEXIST")
      throw new SystemFault("exists", `${path} is there already and is not overwritten: name another file, or move it away`);
    throw fault(thrown, `creating ${path}`);
  }
  try {
    files.writeAll(fd, Buffer.from(text));
    files.chmod(fd, 0o666 & ~host.umask);
  } catch (thrown) {
    throw fault(thrown, `writing ${path}`);
  } finally {
    files.close(fd);
  }
}

/** The stack's name, from the file's. */
function stackOf(file: string): string {
  const name = file.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9._-]+/g, "-");
  return /[A-Za-z0-9]/.test(name) ? name : "site";
}

function starter(file: string): string {
  return `# yaml-language-server: $schema=./${SCHEMA}
#
# A playbook says what should be; setpoint finds out what must be done for it.
#
#   setpoint plan ${file}      what would change, as a diff; changes nothing
#   setpoint apply ${file}     the same, asks, does it, and looks whether it holds
#   setpoint revert           takes the newest run back
#
# As it stands it needs no root, and touches only the folder \`demo\` where it is applied.

setpoint: 1
# The stack: under this name setpoint remembers what it set here.
name: ${stackOf(file)}

# What is given from outside: setpoint apply ${file} --var greeting=Hi
inputs:
  greeting: { type: string, default: Hello }
  workers: { type: integer, default: 2, minimum: 1 }

# What is worked out from inputs, facts (\`setpoint facts\` shows them) and other vars.
vars:
  root: demo

# What should be, in the order in which it is set. The first key of each is its type, \`setpoint schema types\` lists all.
resources:
  - directory: \${{ vars.root }}
    mode: '0755'

  # A whole file. Modes are quoted: '0644', or u=rw,g=r.
  - file: \${{ vars.root }}/welcome.txt
    content: |
      \${{ inputs.greeting }} from \${{ facts.hostname }}
    mode: '0644'

  # Made once, then left to whoever edits it …
  - file: \${{ vars.root }}/app.ini
    create_only: true
    content: |
      ; settings of the app
      [server]
      workers = 1

  # … but for this key, which stays as declared. Comments and order are kept.
  - config: \${{ vars.root }}/app.ini
    set: { server.workers: "\${{ inputs.workers }}" }

  # One line of a file, wherever it stands.
  - line: \${{ vars.root }}/hosts
    match: '\\sapp\\.internal$'
    text: 127.0.0.1 app.internal
    create: true

  # A command needs a guard that says when it is due; \`undo\` makes it revertible.
  # - command: count the words
  #   run: [ sh, -c, 'wc -w < welcome.txt > words.txt' ]
  #   cwd: \${{ vars.root }}
  #   creates: words.txt
  #   undo: [ rm, -f, words.txt ]
`;
}
