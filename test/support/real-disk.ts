import { join } from "node:path";
import { must, type Place, run } from "../system/machine.ts";
import { until } from "./real-wait.ts";

/** How much of a file system's memory a power cut takes: all, or what its log does not hold. */
export type Cut = "shutdown" | "shutdown -f";

const MAKE: { readonly [system: string]: { readonly mebibytes: number; readonly mkfs: readonly string[]; readonly options: string } } = {
  // By default ext4 flushes a file that is renamed over another, which would hide a missing sync; and it commits every five seconds.
  ext4: { mebibytes: 64, mkfs: ["mkfs.ext4", "-q", "-F"], options: "loop,noauto_da_alloc,commit=300" },
  xfs: { mebibytes: 320, mkfs: ["mkfs.xfs", "-q", "-f"], options: "loop" },
  btrfs: { mebibytes: 120, mkfs: ["mkfs.btrfs", "-q", "-f"], options: "loop" },
};

/** A file system of its own in an image, which can lose its power. */
export class RealDisk {
  readonly folder: string;
  private readonly image: string;
  private readonly options: string;

  /** `images` is a folder for the image, best in memory. */
  constructor(place: Place, name: string, system: "ext4" | "xfs" | "btrfs", images: string) {
    const { mebibytes, mkfs, options } = MAKE[system] as (typeof MAKE)[string];
    this.image = join(images, `${name}.img`);
    this.options = options;
    must("truncate", "-s", `${mebibytes}M`, this.image);
    must(...mkfs, this.image);
    // The place takes it away when the test ends, also by a failure.
    this.folder = place.mount(name, "-o", options, this.image);
  }

  /** What stands there survives what comes. */
  sync(): void {
    must("sync", "-f", this.folder);
  }

  /** The power goes: what was not made durable is lost. Every later access fails, until it is mounted again. */
  cut(how: Cut): void {
    must("xfs_io", "-x", "-c", how, this.folder);
  }

  /** Power again: mounted anew, with what its log and its blocks hold. */
  async back(): Promise<void> {
    await until(`${this.folder} was let go`, () => run(["umount", this.folder]).code === 0);
    must("mount", "-o", this.options, this.image, this.folder);
  }
}
