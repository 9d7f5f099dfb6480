import { Option } from "commander";
import { conversationOf, type Outline, outlinePlaybook } from "../../playbook/index.ts";
import { dotText, type Graph, mermaidText } from "../../report/index.ts";
import { allTypes } from "../../resources/index.ts";
import { type Context, EXIT, print, printJson, refuse, showProblems, UsageError } from "../context.ts";
import { readText } from "../stack.ts";
import type { CommandModule } from "./command.ts";

interface GraphOptions {
  readonly events?: boolean;
  readonly form: "dot" | "mermaid";
}

/** Draws what needs what, or which stack tells which of what. */
export const graph: CommandModule = {
  define(command) {
    command
      .description("draw resources and what they need, or with --events which stack tells which of what")
      .argument("[playbook...]", "playbooks", [])
      .option("--events", "stacks and the events between them")
      .addOption(new Option("--form <form>", "the language of the drawing").choices(["dot", "mermaid"]).default("dot"))
      .addHelpText(
        "after",
        `
Nothing of the machine is read, and inputs need no value: a resource whose name hangs on one is drawn as \`type:…\`.

Examples:
  setpoint graph site.yaml | dot -Tsvg > site.svg
  setpoint graph --events web.yaml db.yaml --form mermaid
  setpoint graph --events *.yaml --json`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: GraphOptions): Promise<number> {
    const files = args.filter((file): file is string => file !== undefined);
    if (files.length === 0) throw new UsageError("graph needs a playbook: setpoint graph site.yaml");
    const types = new Map((await allTypes()).map((type) => [type.type, type]));
    const outlines: Outline[] = [];
    for (const file of files) {
      const { problems, outline } = await outlinePlaybook(readText(context, file), file, types);
      const errors = problems.filter(({ severity }) => severity === "error");
      if (errors.length > 0 || outline === undefined) return refuse(context, errors, EXIT.invalid);
      showProblems(context, problems);
      outlines.push(outline);
    }
    const drawn = options.events ? eventGraph(outlines) : resourceGraph(outlines);
    if (context.json) printJson(context, { format: 1, nodes: drawn.nodes, edges: drawn.edges });
    else print(context, options.form === "mermaid" ? mermaidText(drawn) : dotText(drawn));
    return 0;
  },
};

function resourceGraph(outlines: readonly Outline[]): Graph {
  const several = outlines.length > 1;
  const nodes = new Map<string, Graph["nodes"][number]>();
  const edges: Graph["edges"][number][] = [];
  for (const { stack, resources } of outlines) {
    const id = (address: string) => (several ? `${stack} ${address}` : address);
    for (const { address, needs } of resources) {
      nodes.set(id(address), { id: id(address), label: id(address), shape: "box" });
      // As the arrow points, so it is set: what is needed comes first.
      for (const need of needs) edges.push({ from: id(need), to: id(address) });
    }
  }
  return { name: "resources", nodes: [...nodes.values()], edges };
}

/** Stacks and events are boxes of two shapes, so that an event of one stack that many hear is seen as one. */
function eventGraph(outlines: readonly Outline[]): Graph {
  const { emitted, heard } = conversationOf(outlines);
  const events = [...new Set([...emitted.keys(), ...heard.keys()])].sort();
  const edges = events.flatMap((name) => [
    ...(emitted.get(name) ?? []).map(({ stack }) => ({ from: `stack ${stack}`, to: `event ${name}` })),
    ...(heard.get(name) ?? []).map(({ stack, events: { on } }) => ({
      from: `event ${name}`,
      to: `stack ${stack}`,
      ...(on[name]?.do === "revert" && { label: "revert" }),
    })),
  ]);
  const nodes = [
    ...outlines.map(({ stack }) => ({ id: `stack ${stack}`, label: stack, shape: "box" as const })),
    ...events.map((name) => ({ id: `event ${name}`, label: name, shape: "ellipse" as const })),
  ];
  return { name: "events", nodes, edges };
}
