/** Fetches one file by HTTP(S) with deadlines. The caller compares the checksum before it uses the file. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { PetrelError } from "../../core/mod.ts";

export interface Deadlines {
  /** How long a transfer may take to begin. */
  readonly answerMs: number;
  /** How long it may bring no byte. */
  readonly stallMs: number;
  /** How long it may last in all. */
  readonly transferMs: number;
}

export const DEADLINES: Deadlines = { answerMs: 10_000, stallMs: 20_000, transferMs: 600_000 };

export interface DownloadOptions {
  readonly deadlines: Deadlines;
  readonly signal: AbortSignal;
  /** Bytes so far; `bytesTotal` is 0 where the server does not say it. */
  readonly onBytes: (bytes: number, bytesTotal: number) => void;
}

/**
 * Writes `url` to `file` and returns the SHA-256 of what it wrote, in hexadecimal.
 * @throws PetrelError DEADLINE_EXCEEDED; UNAVAILABLE with the HTTP status; what `fetch` throws.
 */
export async function download(
  url: string,
  file: string,
  options: DownloadOptions,
): Promise<string> {
  const { deadlines, onBytes } = options;
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
    const signal = AbortSignal.any([late.signal, options.signal]);
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
      onBytes(bytes, bytesTotal);
    }
    return hash.digest("hex");
  } finally {
    clearTimeout(timer);
    clearTimeout(overall);
    await output.close();
  }
}
