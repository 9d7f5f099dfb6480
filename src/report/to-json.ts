import {
  type ActionResult,
  type Json,
  type JsonObject,
  type Place,
  type Plan,
  type Problem,
  pivotsOf,
  type RunReport,
  shownResults,
  shownState,
  verificationOf,
} from "../core/index.ts";

/** The plan in the documented shape of `--json`. `extra` adds fields at the top, which never replace documented ones. */
export function planJson(plan: Plan, extra: JsonObject = {}): JsonObject {
  const pivots = pivotsOf(plan);
  const documented = {
    format: plan.format,
    stack: plan.stack,
    digest: plan.digest,
    summary: { ...plan.summary },
    changes: plan.changes.map((change) => ({
      register: `${change.register.kind}:${change.register.key}`,
      action: change.action,
      label: change.label,
      tentative: change.tentative !== undefined || change.unknown === true,
      ...(change.tentative !== undefined && { tentative_because: change.tentative }),
      ...(change.unknown && { unknown: true }),
      resources: change.resources.map(({ address, at }) => ({ address, at: placeJson(at) })),
      before: shownState(change.before, change.manner),
      after: shownState(change.after, change.manner),
      reason: change.reason,
      ...(change.transaction !== undefined && { transaction: change.transaction }),
      ...(pivots.has(change.n) && { pivot: true }),
      ...(change.foreign !== undefined && { foreign: change.foreign }),
      ...(change.note !== undefined && { note: change.note }),
    })),
    orphans: plan.orphans.map(({ register, aspects, address, kept }) => ({
      register,
      aspects,
      address,
      ...(kept !== undefined && { kept }),
    })),
    ...(plan.peers && { peers: plan.peers }),
  };
  // Twice: the first for the order of keys, the last for their values.
  return { ...documented, ...extra, ...documented };
}

/** A run's report in the documented shape of `--json`. */
export function runJson(report: RunReport): JsonObject {
  const verification = verificationOf(report);
  return {
    format: report.format,
    ...(report.run !== undefined && { run: report.run }),
    stack: report.stack,
    kind: report.kind,
    status: report.status,
    exit: report.exit,
    summary: { ...report.summary },
    ...(verification !== undefined && { verification }),
    actions: report.actions.map(actionJson),
    problems: problemsJson(report.problems),
    ...(report.next !== undefined && { next: report.next }),
  };
}

function actionJson({ register, status, detail, before, after, found }: ActionResult): JsonObject {
  return {
    register,
    status,
    ...(detail !== undefined && { detail }),
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
    ...(found !== undefined && { found }),
  };
}

/** Problems as data, in the order given. */
export function problemsJson(problems: readonly Problem[]): Json[] {
  return problems.map(({ code, severity, summary, detail, at, address, excerpt, more }) => ({
    code,
    severity,
    summary,
    detail,
    ...(at && { at: placeJson(at) }),
    ...(address !== undefined && { address }),
    ...(excerpt !== undefined && { excerpt }),
    ...(more !== undefined && { more }),
  }));
}

function placeJson({ file, line, column }: Place): JsonObject {
  return { file, line, column };
}

/** What JSON.stringify leaves raw although a terminal acts on it: DEL, C1, marks of direction, line separators. */
const steering = /[\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** JSON text that is safe to print: equal to JSON.stringify for a parser. Undefined `indent` gives one line. */
export function jsonText(value: Json, indent?: number): string {
  return shownResults(JSON.stringify(value, undefined, indent), true).replace(
    steering,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
