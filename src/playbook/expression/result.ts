import { type ResultReference, resultMark } from "../../core/index.ts";
import { ExpressionFault } from "./reference.ts";

const CALL = /\bresult\s*\(/;
const FORM = /^\s*result\(\s*(?:'([^']+)'|"([^"]+)")\s*\)((?:\.[A-Za-z_]\w*|\[\d+\]|\['[^']+'\]|\["[^"]+"\])*)\s*$/;
const STEP = /\.([A-Za-z_]\w*)|\[(\d+)\]|\['([^']+)'\]|\["([^"]+)"\]/g;

/**
 * `result('call:x').id`: what another resource's effect gave, which is only known once it has run. Until then a mark stands
 * for it, so nothing can be worked out of it. Undefined where the expression is none such. Throws ExpressionFault.
 */
export function resultExpression(text: string): string | undefined {
  if (!CALL.test(text.replace(/'[^']*'|"[^"]*"/g, ""))) return undefined;
  const form = FORM.exec(text);
  if (form === null)
    throw new ExpressionFault(
      "result-form",
      "a result can only be passed on",
      "it is known only after its resource has run: write `result('call:name').field` by itself, with nothing worked out of it",
      0,
    );
  const [, single, double, steps = ""] = form;
  const reference: ResultReference = {
    of: single ?? double ?? "",
    path: [...steps.matchAll(STEP)].map(([, name, index, quoted, other]) => name ?? index ?? quoted ?? other ?? ""),
  };
  return resultMark(reference);
}
