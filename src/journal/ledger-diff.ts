/** A line that two ledgers have differently; left out where one has none. */
export interface LedgerDifference {
  /** What the line is of: `run <id>`, `own <stack> <register>`, `receipt <key>`, `sets <register>`, `secret <register>`. */
  readonly of: string;
  readonly kept?: string;
  readonly rebuilt?: string;
}

/** How a ledger's text differs from the one that the journals give. */
export function ledgerDifferences(kept: string, rebuilt: string): readonly LedgerDifference[] {
  const [here, there] = [linesOf(kept), linesOf(rebuilt)];
  const names = [...new Set([...here.keys(), ...there.keys()])];
  return names.flatMap((of): readonly LedgerDifference[] => {
    const [one, other] = [here.get(of), there.get(of)];
    if (one === other) return [];
    return [{ of, ...(one !== undefined && { kept: one }), ...(other !== undefined && { rebuilt: other }) }];
  });
}

/** Each line's value by what it is of. */
function linesOf(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("sum\t"));
  return new Map(
    lines.map((line) => {
      const parts = line.split("\t");
      const named = parts[0] === "own" ? 3 : 2;
      return [parts.slice(0, named).map(bare).join(" "), parts.slice(named).join("\t")] as const;
    }),
  );
}

function bare(part: string): string {
  return part.startsWith('"') ? (JSON.parse(part) as string) : part;
}
