/** The readers of the log cases. Each counts the rows it saw and the bytes they took. */
import { summariseLogs, TemplateMiner } from "../../streams/mod.ts";
import { fetchExport, openBytes, openRows, WINDOW } from "./source.ts";

export interface Counted {
  readonly rows: number;
  readonly bytes: number;
}

/** Ours: stream, parse, mine templates, summarise. */
export async function readPetrel(url: string, signal: AbortSignal): Promise<Counted> {
  const summary = await summariseLogs(openRows(url, signal), {
    window: WINDOW,
    miner: new TemplateMiner(),
    signal,
  });
  const lost = summary.unparsed + summary.outsideWindow + summary.overflow;
  return { rows: summary.rows - lost, bytes: summary.bytes };
}

/** The reader people write first: the whole body as text, then line by line. It finds no templates. */
export async function readNaive(url: string): Promise<Counted> {
  const response = await fetchExport(url);
  const text = await response.text();
  let rows = 0;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const parsed: { result?: { _raw?: string } } = JSON.parse(line);
    if (parsed.result?._raw !== undefined) rows++;
  }
  return { rows, bytes: Buffer.byteLength(text) };
}

const NEWLINE = 10;

/** Looks at no row: as fast as the stand-in can send. */
export async function readNothing(url: string, signal: AbortSignal): Promise<Counted> {
  let rows = 0;
  let bytes = 0;
  for await (const chunk of await openBytes(url, signal)) {
    bytes += chunk.length;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) rows++;
  }
  return { rows, bytes };
}
