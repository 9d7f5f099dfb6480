import { Command } from "commander";
import { type Context, printJson, UsageError } from "../context.ts";
import type { CommandModule } from "./command.ts";

/** A command's words for a shell. */
interface Words {
  readonly name: string;
  readonly about: string;
  /** Long and short flags, with whether a value follows. */
  readonly options: readonly { readonly flags: readonly string[]; readonly takesValue: boolean; readonly about: string }[];
}

/** Options that every command gets besides its own. */
const common: Words["options"] = [
  { flags: ["--json"], takesValue: false, about: "print the result as JSON" },
  { flags: ["--state-dir"], takesValue: true, about: "where journals and the ledger are kept" },
  { flags: ["--color"], takesValue: true, about: "always, never or auto" },
  { flags: ["--help", "-h"], takesValue: false, about: "show help" },
];

const shells: { readonly [shell: string]: (commands: readonly Words[]) => string } = { bash, zsh, fish };

/** Completion scripts from what the commands say of themselves. `load` gives all commands by name. */
export function completionOf(load: () => Promise<ReadonlyMap<string, CommandModule>>): CommandModule {
  return {
    define(command) {
      command
        .description("print a completion script for a shell")
        .argument("<shell>", Object.keys(shells).join(", "))
        .addHelpText(
          "after",
          `
Examples:
  source <(setpoint completion bash)                                              in ~/.bashrc
  setpoint completion zsh > ~/.zsh/completions/_setpoint                          a folder of $fpath
  setpoint completion fish > ~/.config/fish/completions/setpoint.fish`,
        );
    },

    async run(context: Context, args: readonly (string | undefined)[]): Promise<number> {
      const [shell = ""] = args;
      const make = Object.hasOwn(shells, shell) ? shells[shell] : undefined;
      if (make === undefined)
        throw new UsageError(`there is no completion for ${JSON.stringify(shell)}; there is one for ${Object.keys(shells).join(", ")}`);
      const commands = [...(await load())].map(([name, module]) => wordsOf(name, module));
      const script = make(commands);
      if (context.json) printJson(context, { format: 1, shell, script });
      else context.out.write(script);
      return 0;
    },
  };
}

function wordsOf(name: string, module: CommandModule): Words {
  const command = new Command(name);
  module.define(command);
  const own = command.options.map((option) => ({
    flags: [option.long, option.short].filter((flag): flag is string => flag !== undefined),
    takesValue: option.required || option.optional,
    about: option.description,
  }));
  return { name, about: command.description(), options: [...own, ...common] };
}

const valueFlags = (words: Words): readonly string[] => words.options.filter(({ takesValue }) => takesValue).flatMap(({ flags }) => flags);

function bash(commands: readonly Words[]): string {
  const cases = commands.map(
    (words) =>
      `    ${words.name}) flags=${quoted(words.options.flatMap(({ flags }) => flags).join(" "))} values=${quoted(` ${valueFlags(words).join(" ")} `)} ;;`,
  );
  return `# bash completion for setpoint: source <(setpoint completion bash)
_setpoint() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" flags="" values=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W ${quoted(`${commands.map(({ name }) => name).join(" ")} help --help --version`)} -- "$word")
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  if [ "$before" = --color ]; then
    mapfile -t COMPREPLY < <(compgen -W "always never auto" -- "$word")
  elif [[ "$word" == -* && "$values" != *" $before "* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
  fi
}
# Where nothing fits, files do.
complete -o default -F _setpoint setpoint
`;
}

function zsh(commands: readonly Words[]): string {
  const list = commands.map(({ name, about }) => `    ${quoted(`${name}:${about}`)}`);
  const cases = commands.map(({ name, options }) => {
    const specs = options.flatMap(({ flags, takesValue, about }) =>
      flags.map(
        (flag) => `      ${quoted(`*${flag}[${about.replace(/[[\]:\\]/g, (sign) => `\\${sign}`)}]${takesValue ? ":value:_files" : ""}`)}`,
      ),
    );
    return `    ${name})\n      _arguments \\\n${specs.join(" \\\n")} \\\n      '*:file:_files'\n      ;;`;
  });
  return `#compdef setpoint
# zsh completion for setpoint: write it to a folder of $fpath as _setpoint
_setpoint() {
  local -a commands
  commands=(
${list.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = _setpoint ]; then _setpoint "$@"; else compdef _setpoint setpoint; fi
`;
}

function fish(commands: readonly Words[]): string {
  const lines = commands.flatMap(({ name, about, options }) => [
    `complete -c setpoint -n __fish_use_subcommand -f -a ${name} -d ${fishQuoted(about)}`,
    ...options.map(({ flags, takesValue, about: says }) => {
      const long = flags.filter((flag) => flag.startsWith("--")).map((flag) => ` -l ${flag.slice(2)}`);
      const short = flags.filter((flag) => !flag.startsWith("--")).map((flag) => ` -s ${flag.slice(1)}`);
      return `complete -c setpoint -n '__fish_seen_subcommand_from ${name}'${long.join("")}${short.join("")}${takesValue ? " -r" : ""} -d ${fishQuoted(says)}`;
    }),
  ]);
  return `# fish completion for setpoint\n${lines.join("\n")}\n`;
}

/** A word for bash and zsh that nothing in it can leave. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The same for fish, which knows escapes within single quotes. */
function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
