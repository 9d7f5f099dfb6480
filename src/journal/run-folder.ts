import { type Digest, errnoOf, type Files, isKeyed, type Plan, planIsWhole, type RunId, SystemFault } from "../core/index.ts";
import { readWhole } from "../system/index.ts";
import { Pack } from "./pack.ts";

/** Bytes set aside so that the end of a run can still be journalled on a full disk. */
const RESERVE = 1 << 20;

/** The files of one run. */
export class RunFolder {
  readonly path: string;
  readonly run: RunId;
  private readonly files: Files;
  private afterPack: Pack | undefined;
  private beforePack: Pack | undefined;
  private planRead: { readonly text: string; readonly plan: Plan } | undefined;

  constructor(files: Files, path: string, run: RunId) {
    this.files = files;
    this.path = path;
    this.run = run;
  }

  /** Contents that the run sets. */
  get after(): Pack {
    this.afterPack ??= new Pack(this.files, `${this.path}/after.pack`);
    return this.afterPack;
  }

  /** Contents that it replaced. */
  get before(): Pack {
    this.beforePack ??= new Pack(this.files, `${this.path}/before.pack`);
    return this.beforePack;
  }

  content(digest: Digest): Buffer | undefined {
    return isKeyed(digest) ? undefined : (this.after.get(digest) ?? this.before.get(digest));
  }

  planText(): string {
    return this.readPlan().text;
  }

  /** The frozen plan, whole as it was written. Throws SystemFault. That it is the one of the journal is checked by who acts on it. */
  plan(): Plan {
    return this.readPlan().plan;
  }

  private readPlan(): { readonly text: string; readonly plan: Plan } {
    if (!this.planRead) {
      const text = readWhole(this.files, `${this.path}/plan.json`)?.toString("utf8");
      if (text === undefined)
        throw new SystemFault("no-plan", `${this.path}/plan.json is missing: the run can be neither resumed nor reverted`);
      if (!planIsWhole(text))
        throw new SystemFault("damaged-plan", `${this.path}/plan.json is damaged: the run can be neither resumed nor reverted`);
      this.planRead = { text, plan: JSON.parse(text) as Plan };
    }
    return this.planRead;
  }

  makeReserve(): void {
    const path = `${this.path}/reserve`;
    if (this.files.lstat(path)) return;
    const fd = this.files.createNew(path, 0o600);
    try {
      this.files.writeAll(fd, Buffer.alloc(RESERVE));
      this.files.sync(fd);
    } finally {
      this.files.close(fd);
    }
  }

  /** Gives the reserved space back: on a full disk, and when the run has ended. */
  dropReserve(): void {
    try {
      if (this.files.lstat(`${this.path}/reserve`)) this.files.unlink(`${this.path}/reserve`);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown; // it only takes room, until the run goes; what is being ended or reported matters more
    }
  }

  /** Where a child's liveness lock for an action is. */
  livePath(action: number): string {
    return `${this.path}/live/${action}`;
  }

  lives(): readonly string[] {
    if (!this.files.lstat(`${this.path}/live`)) return [];
    return this.files.readDirectory(`${this.path}/live`).map((entry) => `${this.path}/live/${entry.name}`);
  }

  close(): void {
    this.afterPack?.close();
    this.beforePack?.close();
  }
}
