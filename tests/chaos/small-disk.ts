/** A disk of its own that can be filled: a tmpfs, which only root may mount. */
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk extends AsyncDisposable {
  readonly dir: string;
  /** Leaves not a byte. */
  fill(): Promise<void>;
  /** Gives back what `fill` took. */
  free(): Promise<void>;
}

/** Undefined where this user may not mount. */
export async function smallDisk(mebibytes: number): Promise<SmallDisk | undefined> {
  const dir = await mkdtemp(join(tmpdir(), "petrel-disk-"));
  const mount = ["mount", "-t", "tmpfs", "-o", `size=${mebibytes}m`, "none", dir];
  if (process.getuid?.() !== 0 || (await Bun.spawn(mount).exited) !== 0) {
    await rm(dir, { recursive: true, force: true });
    return undefined;
  }
  const filler = join(dir, "filler");
  return {
    dir,
    fill: () => fill(filler),
    free: () => rm(filler, { force: true }),
    async [Symbol.asyncDispose]() {
      await Bun.spawn(["umount", "-l", dir]).exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function fill(path: string): Promise<void> {
  const file = await open(path, "a");
  try {
    for (let bytes = 1024 * 1024; bytes >= 1; ) {
      const { bytesWritten } = await file
        .write(Buffer.alloc(bytes))
        .catch(() => ({ bytesWritten: 0 }));
      if (bytesWritten < bytes) bytes = Math.floor(bytes / 4);
    }
  } finally {
    await file.close();
  }
}
