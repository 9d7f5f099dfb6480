export { githubAnnotations } from "./annotations.ts";
export { renderPlan } from "./render-plan.ts";
export { problemCounts, renderProblems, sortProblems } from "./render-problems.ts";
export { safeLine, safeText, withoutCommands } from "./safe.ts";
export { type Look, plainStyle, type Style } from "./style.ts";
export { jsonText, planJson, problemsJson, runJson } from "./to-json.ts";
