import type { Action, ActionResult, RegisterId, RunEvent } from "../core/index.ts";
import { renderReport, resultLine } from "./render-report.ts";
import { cutTo, safeLine, safeText } from "./safe.ts";
import { glyphsOf, painterOf, type Style } from "./style.ts";
import { count, number, span } from "./words.ts";

/** Watches a run. `show` is told every event; `tick` lets time go on where no event comes; `close` leaves the terminal clean, also after an error. */
export interface RunView {
  show(event: RunEvent): void;
  tick(): void;
  close(): void;
}

/** Where a view writes. `columns` is read before every drawing, so it may be a live stream. */
export interface ViewOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface ViewOptions {
  /** Whether the summary is written at the end; not where the caller writes `renderReport` elsewhere. Left out: yes. */
  readonly summary?: boolean;
  /** What the plan wants of a register, for its mark; left out, the states of the result tell. */
  readonly actionOf?: (register: RegisterId) => Action | undefined;
}

/** Milliseconds between two drawings of the live region. */
const drawEvery = 100;
/** A run with more actions names only what went wrong, and tells its progress every 5 %. */
const fewActions = 40;
const steps = 20;

/**
 * A view for `out`: on a TTY one live line below what is finished, elsewhere plain lines. It draws when it is told something,
 * at most ten times a second, and sets no timer.
 */
export function terminalView(out: ViewOutput, style: Style, clock: { now(): number }, options: ViewOptions = {}): RunView {
  return new TerminalView(out, style, clock, options);
}

class TerminalView implements RunView {
  readonly #out: ViewOutput;
  readonly #style: Style;
  readonly #clock: { now(): number };
  readonly #options: ViewOptions;
  #live = false;
  #drawnAt = Number.NEGATIVE_INFINITY;
  /** What the live line tells: `applying`, or a phase such as `reading`. */
  #doing = "";
  #beganAt = 0;
  #done = 0;
  #total = 0;
  #told = 0;
  #current: RegisterId | undefined;

  constructor(out: ViewOutput, style: Style, clock: { now(): number }, options: ViewOptions) {
    this.#out = out;
    this.#style = style;
    this.#clock = clock;
    this.#options = options;
  }

  show(event: RunEvent): void {
    switch (event.type) {
      case "begin":
        this.#doing = { apply: "applying", resume: "resuming", revert: "reverting" }[event.kind];
        this.#beganAt = this.#clock.now();
        this.#done = 0;
        this.#told = 0;
        this.#total = event.total;
        this.#print(`${this.#doing} ${safeLine(event.stack)}: ${count(event.total, "action")} (run ${safeLine(event.run)})`);
        return;
      case "started":
        this.#current = event.register;
        this.#draw(false);
        return;
      case "action":
        this.#done = event.done;
        this.#total = event.total;
        if (this.#current === event.result.register) this.#current = undefined;
        this.#finished(event.result);
        return;
      case "note":
        this.#print(safeText(event.text));
        return;
      case "phase":
        this.#doing = event.name;
        this.#current = undefined;
        this.#beganAt = this.#clock.now();
        this.#done = 0;
        this.#total = 0;
        if (this.#out.isTTY) this.#draw(true, event.count);
        // Elsewhere only what may take long is worth a line.
        else if (event.name === "recovering" || event.name === "verifying")
          this.#print(event.count === undefined ? event.name : `${event.name} ${count(event.count, "register")}`);
        return;
      case "end":
        this.#doing = "";
        this.#erase();
        if (this.#options.summary !== false) this.#out.write(renderReport(event.report, this.#style));
        return;
    }
  }

  tick(): void {
    this.#draw(false);
  }

  close(): void {
    this.#doing = "";
    this.#erase();
  }

  #finished(result: ActionResult): void {
    const loud = result.status === "failed" || result.status === "conflict" || result.status === "unknown";
    const line =
      loud || this.#total <= fewActions || this.#style.full
        ? resultLine(result, painterOf(this.#style), glyphsOf(this.#style), this.#options.actionOf?.(result.register))
        : undefined;
    if (line !== undefined) this.#print(line);
    else this.#draw(this.#done === this.#total);
    if (this.#out.isTTY || this.#total <= fewActions) return;
    const step = Math.floor((this.#done * steps) / this.#total);
    if (step <= this.#told) return;
    this.#told = step;
    this.#print(this.#progress());
  }

  /** Writes lines that stay, above the live line. */
  #print(text: string): void {
    this.#erase();
    this.#out.write(`${text}\n`);
    this.#draw(true);
  }

  #draw(now: boolean, reading?: number): void {
    if (!this.#out.isTTY || this.#doing === "") return;
    const time = this.#clock.now();
    if (!now && time - this.#drawnAt < drawEvery) return;
    this.#drawnAt = time;
    const text = reading === undefined ? this.#progress() : `${this.#doing} ${count(reading, "register")}`;
    // One column less than there are: a full last column makes some terminals wrap.
    const line = cutTo(text, Math.max(1, (this.#out.columns ?? this.#style.width) - 1), glyphsOf(this.#style).more);
    this.#out.write(`${this.#live ? "\r\x1b[2K" : ""}${painterOf(this.#style).dim(line)}`);
    this.#live = true;
  }

  #erase(): void {
    if (!this.#live) return;
    this.#out.write("\r\x1b[2K");
    this.#live = false;
  }

  #progress(): string {
    const parts = [this.#doing];
    if (this.#total > 0) {
      parts[0] = `${this.#doing} ${number(this.#done)}/${number(this.#total)} (${Math.floor((this.#done * 100) / this.#total)} %)`;
      const passed = this.#clock.now() - this.#beganAt;
      if (passed >= 1000 && this.#done > 0) {
        const rate = this.#done / (passed / 1000);
        parts.push(rate >= 10 ? `${number(Math.round(rate))}/s` : `${Number(rate.toFixed(1))}/s`);
        if (this.#done < this.#total) parts.push(`${span(((this.#total - this.#done) / rate) * 1000)} left`);
      }
    }
    if (this.#current !== undefined) parts.push(safeLine(this.#current));
    return parts.join("  ");
  }
}
