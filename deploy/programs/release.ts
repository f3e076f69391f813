/**
 * Fetches a package from its GitHub release: the pinned archive, checked against the pinned SHA-256
 * before anything of it is unpacked.
 */

import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import { CATALOGUE, programsOf } from "./catalogue.ts";
import { DEADLINES, download } from "./download.ts";
import type { Receipt } from "./find.ts";
import { platform, type ReleasePin } from "./pins.ts";
import { run } from "./run.ts";
import type { WayContext } from "./way.ts";

const UNPACK_TIMEOUT_MS = 60_000;

/** Puts the package's executables into `context.outDir`. Rejects with the reason it could not. */
export async function fetchRelease(
  pin: ReleasePin,
  context: WayContext,
  deadlines = DEADLINES,
): Promise<Receipt> {
  const archive = pin.archives[platform()];
  if (archive === undefined) {
    throw new PetrelError("UNAVAILABLE", `no pinned release for ${platform()}`);
  }
  const file = join(context.workDir, archive.url.slice(archive.url.lastIndexOf("/") + 1));
  const sha256 = await download(archive.url, file, {
    deadlines,
    signal: context.signal,
    onBytes: (bytes, bytesTotal) => {
      const percent = bytesTotal > 0 ? ` ${Math.floor((100 * bytes) / bytesTotal)} %` : "";
      context.onProgress("update", `${Math.floor(bytes / 1e6)} MB${percent}`);
    },
  });
  if (sha256 !== archive.sha256) {
    throw new PetrelError(
      "PROTOCOL_VIOLATION",
      `the SHA-256 of ${archive.url} is ${sha256}, not the pinned ${archive.sha256}; it was not used`,
    );
  }
  const unpacked = join(context.workDir, "unpacked");
  await mkdir(unpacked);
  const unpack = file.endsWith(".zip")
    ? ["unzip", "-q", file, "-d", unpacked]
    : ["tar", "-xzf", file, "-C", unpacked];
  const result = await run(unpack, { timeoutMs: UNPACK_TIMEOUT_MS, signal: context.signal });
  if (result.code !== 0) throw new PetrelError("UNAVAILABLE", `${unpack[0]}: ${result.reason}`);
  const folders = (await readdir(unpacked)).map((folder) => join(unpacked, folder));
  await takeExecutables(folders, context);
  return { version: pin.version, from: "GitHub release" };
}

/** Copies the package's executables from the first of `dirs` that holds each to `context.outDir`. */
export async function takeExecutables(dirs: readonly string[], context: WayContext): Promise<void> {
  for (const name of programsOf(context.packageName)) {
    const { alsoNamed = name } = CATALOGUE[name];
    const files = [name, alsoNamed].flatMap((file) => dirs.map((dir) => join(dir, file)));
    const file = files.find((candidate) => existsSync(candidate));
    if (file === undefined) throw new PetrelError("UNAVAILABLE", `the package holds no ${name}`);
    await copyFile(file, join(context.outDir, name));
  }
}
