export { githubAnnotations } from "./annotations.ts";
export { dotText, type Graph, mermaidText } from "./graph.ts";
export { markdownReport } from "./markdown.ts";
export { type PastRow, renderPast } from "./render-past.ts";
export { renderPlan } from "./render-plan.ts";
export { problemCounts, renderProblems } from "./render-problems.ts";
export { renderReport } from "./render-report.ts";
export {
  type HistoryRow,
  type OpenBreaker,
  type PreparedRow,
  preparedText,
  type RunDetail,
  renderHistory,
  renderRun,
  renderStatus,
  renderWhy,
  type StackStatus,
  type TimeText,
  type Unconfirmed,
  type WhyReport,
} from "./render-rows.ts";
export { renderTrials } from "./render-trials.ts";
export { type RunView, terminalView, type ViewOptions, type ViewOutput } from "./run-view.ts";
export { safeLine, safeText, withoutCommands } from "./safe.ts";
export { stateDiff } from "./state-diff.ts";
export { type Look, loadPainter, plainStyle, type Style } from "./style.ts";
export { jsonText, planJson, problemsJson, runJson } from "./to-json.ts";
