/** A drawing of boxes and arrows. */
export interface Graph {
  readonly name: string;
  readonly nodes: readonly { readonly id: string; readonly label: string; readonly shape: "box" | "ellipse" }[];
  readonly edges: readonly { readonly from: string; readonly to: string; readonly label?: string }[];
}

/** A graph in the language of Graphviz. */
export function dotText({ name, nodes, edges }: Graph): string {
  const attributes = (all: { readonly [key: string]: string | undefined }) =>
    Object.entries(all)
      .flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${JSON.stringify(value)}`]))
      .join(", ");
  const lines = [
    `digraph ${JSON.stringify(name)} {`,
    "  rankdir=LR;",
    ...nodes.map(({ id, label, shape }) => `  ${JSON.stringify(id)} [${attributes({ label, shape })}];`),
    ...edges.map(({ from, to, label }) => {
      const about = attributes({ label });
      return `  ${JSON.stringify(from)} -> ${JSON.stringify(to)}${about === "" ? "" : ` [${about}]`};`;
    }),
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

/** A graph in the language of Mermaid, which hosts of repositories draw. */
export function mermaidText({ nodes, edges }: Graph): string {
  // Ids may hold nothing that Mermaid reads as its own.
  const ids = new Map(nodes.map(({ id }, index) => [id, `n${index}`]));
  const quoted = (text: string) => `"${text.replaceAll("&", "#amp;").replaceAll('"', "#quot;").replaceAll("<", "#lt;")}"`;
  const lines = [
    "flowchart LR",
    ...nodes.map(({ id, label, shape }) => `  ${ids.get(id)}${shape === "box" ? `[${quoted(label)}]` : `([${quoted(label)}])`}`),
    ...edges.map(({ from, to, label }) => `  ${ids.get(from)} -->${label === undefined ? "" : `|${quoted(label)}|`} ${ids.get(to)}`),
  ];
  return `${lines.join("\n")}\n`;
}
