import { type Digest, type Plan, SystemFault } from "../core/index.ts";
import { sealedPlan } from "../engine/index.ts";
import { writeDurably } from "../journal/index.ts";
import { kinds } from "../registers/index.ts";
import { type Context, UsageError } from "./context.ts";
import type { PlannedStack } from "./stack.ts";

/** Contents up to this size stand in a saved plan itself. */
const CONTENT_LIMIT = 1 << 20;

function absolute(context: Context, file: string): string {
  return file.startsWith("/") ? file : `${context.system.host.cwd}/${file}`;
}

/** Contents that a plan replaces stand in it up to this size: they are there to be shown, in a review or when the plan is stale. */
const SHOWN_LIMIT = 64 << 10;

/** Writes a plan so that it can be applied without playbook and sources; gives it with its digest. */
export async function savePlan(context: Context, planned: Pick<PlannedStack, "plan" | "vault" | "reading">, file: string): Promise<Plan> {
  const { plan, vault, reading } = planned;
  const contents: Record<string, string> = {};
  const origins: Record<string, string> = {};
  const sealed: Record<string, string> = {};
  const wanted = new Set<Digest>();
  for (const change of plan.changes)
    for (const digest of kinds.get(change.register.kind)?.contents?.(change.after) ?? []) wanted.add(digest);
  // What a tentative step may be folded to needs the contents that its settings want; so does a later rebase.
  for (const setting of plan.settings) if (typeof setting.want.content === "string") wanted.add(setting.want.content as Digest);
  for (const digest of wanted) {
    if (vault.isHidden(digest)) {
      // Only this state directory can read it again; nobody who reviews the plan can.
      sealed[vault.nameOf(digest)] = reading.state.keys().seal(reading.contents.bytes(digest)).toString("base64");
      continue;
    }
    const path = reading.contents.pathOf(digest);
    const size = reading.contents.size(digest) ?? 0;
    if (size > CONTENT_LIMIT && path !== undefined) origins[digest] = path;
    else contents[digest] = reading.contents.bytes(digest).toString("base64");
  }
  for (const change of plan.changes) {
    for (const digest of kinds.get(change.register.kind)?.contents?.(change.before) ?? []) {
      if (vault.isHidden(digest) || (reading.contents.size(digest) ?? SHOWN_LIMIT) >= SHOWN_LIMIT) continue;
      contents[digest] ??= reading.contents.bytes(digest).toString("base64");
    }
  }
  const full: Plan = {
    ...plan,
    ...(Object.keys(contents).length > 0 && { contents }),
    ...(Object.keys(origins).length > 0 && { origins }),
    ...(Object.keys(sealed).length > 0 && { sealed }),
  };
  const { text, digest } = sealedPlan(full, planned);
  writeDurably(context.system.files, absolute(context, file), `${text}`);
  return { ...full, digest };
}

/** Writes the reports that `--report form=file` asks for, and GitHub's step summary. */
export async function writeReports(
  context: Context,
  wanted: readonly string[] | undefined,
  markdown: () => Promise<string>,
): Promise<void> {
  const summary = context.github ? context.system.host.env.GITHUB_STEP_SUMMARY : undefined;
  const targets = (wanted ?? []).map((pair) => {
    const at = pair.indexOf("=");
    if (pair.slice(0, at) !== "markdown" || at + 1 >= pair.length)
      throw new UsageError(`--report takes markdown=FILE, not ${JSON.stringify(pair)}`);
    return pair.slice(at + 1);
  });
  if (targets.length === 0 && summary === undefined) return;
  const text = context.redact(await markdown());
  for (const target of targets) writeDurably(context.system.files, absolute(context, target), text);
  if (summary !== undefined) appendText(context, summary, text);
}

function appendText(context: Context, path: string, text: string): void {
  const { files } = context.system;
  try {
    const fd = files.openAppend(path, true);
    files.writeAll(fd, Buffer.from(`${text}\n`));
    files.close(fd);
  } catch (thrown) {
    throw new SystemFault("step-summary", `the step summary ${path} cannot be written`, { cause: thrown });
  }
}
