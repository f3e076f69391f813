/**
 * Fetches a package from its GitHub release: the pinned archive, checked against the pinned SHA-256
 * before anything of it is unpacked.
 */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import { programsOf } from "./catalogue.ts";
import type { Receipt } from "./find.ts";
import { platform, type ReleasePin } from "./pins.ts";
import { run } from "./run.ts";
import type { WayContext } from "./way.ts";

/** How long a transfer may take to begin, may bring no byte, and may last in all. */
const DEADLINES = { answerMs: 10_000, stallMs: 20_000, transferMs: 600_000 };
const UNPACK_TIMEOUT_MS = 60_000;

type Deadlines = Readonly<typeof DEADLINES>;

/** Puts the package's executables into `context.outDir`. Rejects with the reason it could not. */
export async function fetchRelease(
  pin: ReleasePin,
  context: WayContext,
  deadlines: Deadlines = DEADLINES,
): Promise<Receipt> {
  const archive = pin.archives[platform()];
  if (archive === undefined) {
    throw new PetrelError("UNAVAILABLE", `no pinned release for ${platform()}`);
  }
  const file = join(context.workDir, archive.url.slice(archive.url.lastIndexOf("/") + 1));
  const sha256 = await download(archive.url, file, context, deadlines);
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
    const files = dirs.map((dir) => join(dir, name));
    const file = files.find((candidate) => existsSync(candidate));
    if (file === undefined) throw new PetrelError("UNAVAILABLE", `the package holds no ${name}`);
    await copyFile(file, join(context.outDir, name));
  }
}

/** Writes `url` to `file` and returns the SHA-256 of what it wrote, in hexadecimal. */
async function download(
  url: string,
  file: string,
  context: WayContext,
  deadlines: Deadlines,
): Promise<string> {
  const late = new AbortController();
  const giveUp = (reason: string) => late.abort(new PetrelError("DEADLINE_EXCEEDED", reason));
  const seconds = (ms: number) => `${ms / 1000} s`;
  let timer = setTimeout(
    () => giveUp(`no answer in ${seconds(deadlines.answerMs)}`),
    deadlines.answerMs,
  );
  const overall = setTimeout(
    () => giveUp(`not done in ${seconds(deadlines.transferMs)}`),
    deadlines.transferMs,
  );
  const output = await open(file, "w");
  try {
    const signal = AbortSignal.any([late.signal, context.signal]);
    const response = await fetch(url, { signal });
    if (!response.ok || response.body === null) {
      throw new PetrelError("UNAVAILABLE", `HTTP ${response.status}`);
    }
    const bytesTotal = Number(response.headers.get("content-length") ?? 0);
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(
        () => giveUp(`no byte for ${seconds(deadlines.stallMs)}`),
        deadlines.stallMs,
      );
      hash.update(chunk);
      await output.write(chunk);
      bytes += chunk.byteLength;
      const percent = bytesTotal > 0 ? ` ${Math.floor((100 * bytes) / bytesTotal)} %` : "";
      context.onProgress("update", `${Math.floor(bytes / 1e6)} MB${percent}`);
    }
    return hash.digest("hex");
  } finally {
    clearTimeout(timer);
    clearTimeout(overall);
    await output.close();
  }
}
