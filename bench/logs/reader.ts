/** The reading process of one run of the log cases. */
import { z } from "zod";
import { peakMegabytes } from "../memory.ts";
import type { Run } from "../run.ts";
import { answer, readTask } from "../worker.ts";
import { type Counted, readNaive, readNothing, readPetrel } from "./read.ts";

export const Reader = z.enum(["petrel", "naive", "nothing"]);
export type Reader = z.infer<typeof Reader>;

export const ReaderTask = z.object({ reader: Reader, url: z.string() });
export type ReaderTask = z.infer<typeof ReaderTask>;

const READERS: Readonly<Record<Reader, (url: string, signal: AbortSignal) => Promise<Counted>>> = {
  petrel: readPetrel,
  naive: readNaive,
  nothing: readNothing,
};

if (import.meta.main) {
  const { reader, url } = readTask(ReaderTask);
  const startMs = performance.now();
  const { rows, bytes } = await READERS[reader](url, new AbortController().signal);
  const seconds = (performance.now() - startMs) / 1_000;
  const cost = { lines: rows / seconds, bytes: bytes / 1e6 / seconds, peak: await peakMegabytes() };
  answer({ work: { rows, bytes }, cost } satisfies Run);
}
