import { SystemFault } from "../core/index.ts";

/**
 * Writes all of `length` bytes by a call that may write fewer than it was asked to, without an error; `write` gives how
 * many it wrote. Throws SystemFault `ENOSPC` where it writes none.
 */
export function writeFully(length: number, write: (offset: number, count: number) => number): void {
  let written = 0;
  while (written < length) {
    const count = write(written, length - written);
    if (count === 0) throw new SystemFault("ENOSPC", "no space left on the device");
    written += count;
  }
}
