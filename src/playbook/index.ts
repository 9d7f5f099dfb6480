export { addressMatcher } from "./address.ts";
export { type ExpressionFunction, expressionFunctions } from "./functions.ts";
export { lintPlaybook, loadPlaybook, type Playbook, type PlaybookSources } from "./load.ts";
export { playbookSchema } from "./schema.ts";
