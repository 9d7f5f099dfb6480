/** A place in the log of a server: which log it is, as another one of the same name may take its place, and how far it was read. */
export interface PlaceInLog {
  readonly log: string;
  readonly last: number;
}

export function placeText({ log, last }: PlaceInLog): string {
  return `${log}/${last}`;
}

/** Undefined: from the start. */
export function placeOf(text: string | undefined): PlaceInLog | undefined {
  if (text === undefined) return undefined;
  const at = text.lastIndexOf("/");
  return { log: text.slice(0, at), last: Number(text.slice(at + 1)) };
}

/**
 * Behind which number to read on in the log as it is now, and what speaks against its being the one that was read so far.
 * Then it is read from its start: events that were handled are known by their ids, and those that are gone must be told of.
 */
export function readingOn(
  name: string,
  now: PlaceInLog,
  from: PlaceInLog | undefined,
): { readonly behind: number; readonly lost?: string } {
  if (from === undefined) return { behind: 0 };
  if (from.log !== now.log)
    return { behind: 0, lost: `${name} was made anew since it was last read: events that stood in it then may never have been read` };
  if (from.last > now.last)
    return { behind: 0, lost: `${name} was read up to ${from.last} and now ends at ${now.last}: events that stood in it may be gone` };
  return { behind: from.last };
}
