import type { Parsed } from "./size.ts";

/** What stands after an operator: the letters' own bits, or the bits that another class has at that moment. */
type Grant = { readonly bits: number; readonly ifExecutable: boolean } | { readonly copy: "u" | "g" | "o" };

/** One step of a symbolic mode, such as `g+w`. `affected` is the mask of the bits that its classes own. */
export type ModeStep = { readonly affected: number; readonly operator: "+" | "-" | "="; readonly grant: Grant };

/** Permission bits as declared: the whole of them, or steps from the current ones. Plain JSON. */
export type Mode = { readonly is: "bits"; readonly bits: number } | { readonly is: "steps"; readonly steps: readonly ModeStep[] };

const classes = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 } as const;
const letters = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 } as const;
const shifts = { u: 6, g: 3, o: 0 } as const;
const setId = 0o6000;

/**
 * Reads a mode: octal (`0644`, `644`, `04755`) or symbolic as chmod has it (`u=rw,g=r`, `a+X`, `u+s`, `+t`, `g=u`).
 * Without a class all are meant, whatever the umask is: a plan must not depend on who runs it. A symbolic mode that gives
 * another result when it is applied again (`a+X,u+x`) is refused, as it could not converge.
 */
export function parseMode(text: string): Parsed<Mode> {
  const trimmed = text.trim();
  if (/^\d|^0o/i.test(trimmed)) return parseOctal(trimmed);
  // chmod would read it as taking bits away, and nobody means that.
  if (/^[-dlcbps](?:[r-][w-][xsS-]){2}[r-][w-][xtT-]$/.test(trimmed))
    return notAMode(text, "It is what ls shows. Write the octal digits, such as '0644' for -rw-r--r--.");
  const steps: ModeStep[] = [];
  for (const clause of trimmed.split(",")) {
    const [, who, actions] = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(clause.trim()) ?? [];
    if (who === undefined || actions === undefined)
      return notAMode(text, "Write quoted octal digits ('0644') or changes such as u=rw,g=r or a+X.");
    const affected = who === "" ? classes.a : [...who].reduce((mask, one) => mask | classes[one as keyof typeof classes], 0);
    for (const [, operator, what = ""] of actions.matchAll(/([-+=])([^-+=]*)/g)) {
      steps.push({ affected, operator: operator as ModeStep["operator"], grant: grantOf(what) });
    }
  }
  const mode: Mode = { is: "steps", steps };
  if (!settles(mode))
    return notAMode(text, "Applied a second time it would give another mode. Write the result itself, in octal or with =.");
  return { ok: true, value: mode };
}

/**
 * The permission bits (12 of them) after a mode is applied to the current ones. Idempotent. As with GNU chmod, a symbolic
 * mode leaves a directory's setuid and setgid bits alone unless it names `s`; octal digits always say all bits.
 */
export function applyMode(mode: Mode, current: number, isDirectory: boolean): number {
  if (mode.is === "bits") return mode.bits;
  return mode.steps.reduce((bits, step) => applyStep(step, bits, isDirectory), current & 0o7777);
}

// Asked for every file of a large tree, and there are only 4096 answers.
const formatted = new Map<number, string>();

/** The four octal digits of a mode: `0644`, `4755`. Other bits of `st_mode` are ignored. */
export function formatMode(mode: number): string {
  const bits = mode & 0o7777;
  const known = formatted.get(bits);
  if (known !== undefined) return known;
  const text = bits.toString(8).padStart(4, "0");
  formatted.set(bits, text);
  return text;
}

/** Says what is wrong with a value that was given as a mode; undefined when it is one. Knows what YAML makes of an unquoted mode. */
export function modeProblem(value: unknown): { readonly summary: string; readonly detail: string } | undefined {
  if (typeof value === "string") {
    const parsed = parseMode(value);
    return parsed.ok ? undefined : { summary: parsed.summary, detail: parsed.detail };
  }
  if (typeof value !== "number") {
    return { summary: "not a mode", detail: "A mode is text: quoted octal digits ('0644') or changes such as u=rw,g=r." };
  }
  const digits = String(value);
  if (/^[0-7]{3,4}$/.test(digits)) {
    const meant = digits.padStart(4, "0");
    return {
      summary: "a mode must be quoted",
      detail: `YAML reads ${meant} as decimal ${digits}, not as octal digits: quote it, '${meant}'.`,
    };
  }
  const octal =
    Number.isInteger(value) && value >= 0 && value <= 0o7777
      ? ` If it was written as 0o${value.toString(8)}, that is '${formatMode(value)}'.`
      : "";
  return {
    summary: "a mode must be quoted",
    detail: `YAML reads a bare mode as a number, here decimal ${digits}: quote the octal digits, as in '0644'.${octal}`,
  };
}

function parseOctal(text: string): Parsed<Mode> {
  const digits = /^(?:0o)?0*?([0-7]{3,4})$/i.exec(text)?.[1];
  if (digits !== undefined) return { ok: true, value: { is: "bits", bits: Number.parseInt(digits, 8) } };
  return notAMode(text, /[89]/.test(text) ? "Octal digits go from 0 to 7." : "Write three or four octal digits, such as '0644' or '4755'.");
}

function grantOf(what: string): Grant {
  if (what === "u" || what === "g" || what === "o") return { copy: what };
  const bits = [...what].reduce((sum, letter) => sum | (letter === "X" ? 0 : letters[letter as keyof typeof letters]), 0);
  return { bits, ifExecutable: what.includes("X") };
}

function applyStep({ affected, operator, grant }: ModeStep, current: number, isDirectory: boolean): number {
  const granted =
    "copy" in grant
      ? spread(current, grant.copy)
      : grant.bits | (grant.ifExecutable && (isDirectory || (current & 0o111) !== 0) ? 0o111 : 0);
  const value = granted & affected;
  if (operator === "+") return current | value;
  if (operator === "-") return current & ~value;
  const named = "copy" in grant ? 0 : grant.bits & setId;
  const cleared = isDirectory ? affected & ~(setId & ~named) : affected;
  return (current & ~cleared) | value;
}

/** What one class may do, for all three classes. */
function spread(mode: number, from: "u" | "g" | "o"): number {
  return ((mode >> shifts[from]) & 7) * 0o111;
}

function settles(mode: Mode & { is: "steps" }): boolean {
  // Plain grants and denials always settle; only what looks at other bits can go on changing.
  if (mode.steps.every(({ grant }) => !("copy" in grant) && !grant.ifExecutable)) return true;
  for (let bits = 0; bits <= 0o7777; bits += 1) {
    for (const isDirectory of [false, true]) {
      const once = applyMode(mode, bits, isDirectory);
      if (applyMode(mode, once, isDirectory) !== once) return false;
    }
  }
  return true;
}

function notAMode(text: string, detail: string): Parsed<Mode> {
  return { ok: false, summary: "not a mode", detail: `'${text}' is not a mode. ${detail}` };
}
