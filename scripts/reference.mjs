// Writes docs/reference from the program itself: the types from their fields, the commands from their help.
// `--check` writes nothing and fails where what stands there is not what would be written.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const top = join(dirname(fileURLToPath(import.meta.url)), "..");
const bin = join(top, "bin/setpoint.js");

function setpoint(...argv) {
  const ran = spawnSync(process.execPath, [bin, ...argv], { encoding: "utf8", env: { ...process.env, NO_COLOR: "1", COLUMNS: "100" } });
  if (ran.status !== 0) throw new Error(`setpoint ${argv.join(" ")} ended with ${ran.status}: ${ran.stderr}`);
  return ran.stdout;
}

function valueText(schema) {
  if (schema === undefined) return "anything";
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.anyOf) return [...new Set(schema.anyOf.map(valueText))].join(" or ");
  if (schema.type === "array") return `list of ${valueText(schema.items)}`;
  if (schema.type === "object" && schema.properties)
    return `map of ${Object.keys(schema.properties)
      .map((key) => `\`${key}\``)
      .join(", ")}`;
  if (schema.type === "object") return "map";
  return { string: "text", integer: "whole number", number: "number", boolean: "true or false" }[schema.type] ?? "anything";
}

const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function typePage({ type, summary, notes, example, many, fields }) {
  const required = new Set(fields.required ?? []);
  const rows = Object.entries(fields.properties).map(([name, schema]) => {
    const fallback = schema.default === undefined ? "" : ` Default: \`${JSON.stringify(schema.default)}\`.`;
    return `| \`${name}\`${required.has(name) ? " (needed)" : ""} | ${cell(valueText(schema))} | ${cell((schema.description ?? "") + fallback)} |`;
  });
  return [
    `## ${type}`,
    "",
    summary + (many ? " The name may be a list of names that share the fields." : ""),
    ...(notes ? ["", notes] : []),
    "",
    "| field | value | |",
    "| --- | --- | --- |",
    ...rows,
    "",
    "```yaml",
    example,
    "```",
    "",
  ].join("\n");
}

function typesPage() {
  const { types } = JSON.parse(setpoint("schema", "types"));
  return [
    "# Resource types",
    "",
    "Made by `npm run docs` from the types' own fields. Every type also takes the common keys `when`, `for_each`, `let`, `needs`, `tags`, `id`,",
    "`retry`, `timeout`, `on_failure`, `protect`, `sensitive`, `in_doubt` and `undo`: see the [guide](../guide.md).",
    "",
    types.map(({ type }) => `[${type}](#${type})`).join(" · "),
    "",
    ...types.map(typePage),
  ].join("\n");
}

function commandsPage() {
  const help = setpoint("--help");
  const names = [...help.matchAll(/^ {2}([a-z]+)(?: |$)/gm)]
    .map((match) => match[1])
    .filter((name) => name !== "help" && name !== "setpoint");
  const pages = [...new Set(names)].map((name) => `## ${name}\n\n\`\`\`text\n${setpoint(name, "--help").trimEnd()}\n\`\`\`\n`);
  return [
    "# Commands",
    "",
    "Made by `npm run docs` from the commands' own help.",
    "",
    `\`\`\`text\n${help.trimEnd()}\n\`\`\``,
    "",
    ...pages,
  ].join("\n");
}

const pages = { "docs/reference/types.md": typesPage(), "docs/reference/commands.md": commandsPage() };
let stale = 0;
for (const [file, text] of Object.entries(pages)) {
  const path = join(top, file);
  if (process.argv.includes("--check")) {
    let found = "";
    try {
      found = readFileSync(path, "utf8");
    } catch {
      // not there: as stale as any other
    }
    if (found !== text) {
      stale += 1;
      console.error(`${file} is not what the program says: npm run docs`);
    }
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    console.log(`wrote ${file}`);
  }
}
process.exitCode = stale > 0 ? 1 : 0;
