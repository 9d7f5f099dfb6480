export { addressMatcher } from "./address.ts";
export { type Choreography, conversationOf, eventProblems, type Outline, type Reaction } from "./events.ts";
export { type ExpressionFunction, expressionFunctions } from "./functions.ts";
export { type Linted, lintPlaybook, loadPlaybook, outlinePlaybook, type Playbook, type PlaybookSources } from "./load.ts";
export { playbookSchema } from "./schema.ts";
