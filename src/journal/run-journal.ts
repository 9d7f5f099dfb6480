import { Bug, type Clock, type Files, type RunId, SystemFault } from "../core/index.ts";
import { fault, readWhole } from "../system/index.ts";
import { syncDirectory, writeDurably } from "./durable.ts";
import { firstChain, frame, type Parsed, parseJournal } from "./frame.ts";
import { type JournalRecord, RECORD_TYPES, type RecordBody } from "./records.ts";

/** A journal that must not be gone on from: something that was durable is no longer readable. */
export class DamagedJournal extends SystemFault {
  constructor(path: string, offset: number, run: string) {
    super(
      "damaged-journal",
      `${path} is damaged at byte ${offset}: nothing of this run is applied, resumed or reverted; \`setpoint show ${run} --salvage\` lists what can be read`,
    );
    this.name = "DamagedJournal";
  }
}

/** The records of one run, append-only. */
export class RunJournal {
  private readonly files: Files;
  private readonly clock: Clock;
  private fd: number;
  private closed = false;
  private chain: string;
  private horizon: number;
  private readonly list: JournalRecord[];
  private bytes: number;
  /** What the next record says of whose turn it is; undefined where that is said, or is not counted. */
  private turn: number | undefined;

  private constructor(files: Files, clock: Clock, fd: number, parsed: Pick<Parsed, "records" | "chain" | "length">, horizon: number) {
    this.files = files;
    this.clock = clock;
    this.fd = fd;
    this.chain = parsed.chain;
    this.list = [...parsed.records];
    this.bytes = parsed.length;
    this.horizon = horizon;
  }

  /** A new journal with its first record, durable with its name. `turn`: see `Framed`. */
  static create(files: Files, clock: Clock, folder: string, run: RunId, begin: RecordBody, turn?: number): RunJournal {
    const path = `${folder}/journal`;
    const fresh = `${path}.new`;
    try {
      if (files.lstat(fresh)) files.unlink(fresh);
      const fd = files.openAppend(fresh, true);
      const journal = new RunJournal(files, clock, fd, { records: [], chain: firstChain(run), length: 0 }, -1);
      journal.turn = turn;
      journal.append(begin);
      journal.sync();
      files.rename(fresh, path);
      syncDirectory(files, folder);
      syncDirectory(files, folder.slice(0, folder.lastIndexOf("/")));
      return journal;
    } catch (thrown) {
      throw fault(thrown, `beginning the journal ${path}`);
    }
  }

  /**
   * Opens a journal to go on with it, under the lock: a torn tail is put aside, damage is refused, and all that recovery
   * relies on is made durable first (W4). `known`: bytes of it that the ledger took in, which were durable.
   */
  static open(files: Files, clock: Clock, folder: string, run: RunId, known = 0, turn?: number): RunJournal {
    const path = `${folder}/journal`;
    const parsed = readJournal(files, folder, run);
    if (!parsed) throw new SystemFault("no-journal", `${folder} has no journal: the run never began`);
    if (parsed.rest === "damaged" || parsed.length < known) throw new DamagedJournal(path, parsed.length, run);
    const strange = strangeRecord(parsed.records);
    if (strange !== undefined)
      throw new SystemFault("newer-journal", `${path} holds a record ${strange} of a newer setpoint: use the version that wrote it`);
    const fd = files.openAppend(path, false);
    try {
      if (parsed.rest === "torn") putAside(files, folder, fd, parsed.length);
      files.sync(fd);
      syncDirectory(files, folder);
      syncDirectory(files, folder.slice(0, folder.lastIndexOf("/")));
    } catch (thrown) {
      files.close(fd);
      throw fault(thrown, `opening the journal ${path}`);
    }
    const journal = new RunJournal(files, clock, fd, parsed, parsed.records.length - 1);
    journal.turn = turn;
    return journal;
  }

  get records(): readonly JournalRecord[] {
    return this.list;
  }

  /** Bytes written. */
  get size(): number {
    return this.bytes;
  }

  append(body: RecordBody): void {
    const record = {
      ...body,
      v: 1,
      seq: this.list.length,
      at: this.clock.now(),
      mono: Math.round(this.clock.mono()),
      d: this.horizon,
      ...(this.turn !== undefined && { turn: this.turn }),
    } as JournalRecord;
    const { line, chain } = frame(record, this.chain);
    if (line.length > 1 << 20) throw new Bug(`a journal record of ${line.length} bytes`);
    try {
      this.files.writeAll(this.fd, Buffer.from(line, "latin1"));
    } catch (thrown) {
      // Half a line may stand there now; whatever came behind it would be taken for damage.
      this.files.truncate(this.fd, this.bytes);
      throw fault(thrown, "writing to the journal");
    }
    this.chain = chain;
    this.bytes += line.length;
    this.turn = undefined;
    this.list.push(record);
  }

  /** Makes all records durable. A failure is final (W5). */
  sync(): void {
    try {
      this.files.syncData(this.fd);
    } catch (thrown) {
      throw fault(thrown, "making the journal durable");
    }
    this.horizon = this.list.length - 1;
  }

  /** A second time is nothing: whoever halts on a failed write and whoever ends the run both close it. */
  close(): void {
    if (!this.closed) this.files.close(this.fd);
    this.closed = true;
  }
}

/** What the journal in a run's folder holds; undefined where there is none. Changes nothing. */
export function readJournal(files: Files, folder: string, run: RunId): Parsed | undefined {
  const bytes = readWhole(files, `${folder}/journal`);
  return bytes && parseJournal(bytes, run);
}

/** Copies a damaged journal beside itself, durable, so that what can be read of it stays when a new one takes its place. Gives the copy's path. */
export function copyAside(files: Files, folder: string): string {
  let count = 0;
  while (files.lstat(`${folder}/journal.damaged-${count}`)) count += 1;
  const path = `${folder}/journal.damaged-${count}`;
  writeDurably(files, path, readWhole(files, `${folder}/journal`) ?? "");
  return path;
}

/** Names a record that this version does not know; undefined where it knows all, or may do without. */
export function strangeRecord(records: readonly JournalRecord[]): string | undefined {
  const strange = records.find(({ t, v, ...rest }) => v !== 1 || (!RECORD_TYPES.has(t) && (rest as { opt?: boolean }).opt !== true));
  return strange && `\`${strange.t}\`${(strange.v as number) === 1 ? "" : ` in version ${strange.v}`}`;
}

/** Copies a torn tail to a file of its own and cuts it off. */
function putAside(files: Files, folder: string, fd: number, length: number): void {
  const whole = readWhole(files, `${folder}/journal`) as Buffer;
  let count = 0;
  while (files.lstat(`${folder}/journal.torn-${count}`)) count += 1;
  const aside = files.createNew(`${folder}/journal.torn-${count}`, 0o600);
  try {
    files.writeAll(aside, whole.subarray(length));
    files.sync(aside);
  } finally {
    files.close(aside);
  }
  files.truncate(fd, length);
}
