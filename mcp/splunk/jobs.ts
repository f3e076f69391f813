/**
 * One search job from creation to removal: create, poll, page through the results, cancel.
 * For answers that are small by nature (a model's question); windows of logs go through export.
 */
import { z } from "zod";
import { type Clock, PetrelError, readBytes, readJson } from "../../core/mod.ts";
import type { JobBounds, SplunkCall } from "./client.ts";

/** A field's value as Splunk sends it: text, or several texts for a multivalue field. */
export type SplunkValue = string | readonly string[];
export type SplunkRow = Readonly<Record<string, SplunkValue>>;

export interface SplunkJobResult {
  readonly fields: readonly string[];
  /** In Splunk's order: newest first for events. */
  readonly rows: readonly SplunkRow[];
  /** Rows the search gave in all, those left out included. */
  readonly rowsTotal: number;
  /** The bound that cut the rows, if one did. */
  readonly cutBy?: "rowsMax" | "bytesMax";
}

interface JobParts {
  readonly call: SplunkCall;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

const META_BYTES_MAX = 4 * 1024 * 1024;
const PAGE_BYTES_MAX = 32 * 1024 * 1024;
const PAGE_ROWS_MAX = 1_000;
const POLL_FIRST_MS = 50;
const POLL_CAP_MS = 1_000;
const CANCEL_TIMEOUT_MS = 5_000;

const Message = z.object({ type: z.string(), text: z.string() });
const Created = z.object({ sid: z.string().regex(/^[\w.@:-]{1,300}$/) });
const Status = z.object({
  entry: z
    .array(
      z.object({
        content: z.object({
          isDone: z.boolean(),
          isFailed: z.boolean(),
          isFinalized: z.boolean().default(false),
          dispatchState: z.string(),
          resultCount: z.number().int().min(0),
          messages: z.array(Message).default([]),
        }),
      }),
    )
    .min(1),
});
const Page = z.object({
  preview: z.boolean(),
  fields: z.array(z.object({ name: z.string() })).default([]),
  results: z.array(z.record(z.string(), z.union([z.string(), z.array(z.string())]))),
});

/** Waits until the job is done; resolves with its number of results. */
async function waitUntilDone(parts: JobParts, job: string, signal: AbortSignal): Promise<number> {
  const deadlineMs = parts.clock.nowMs() + parts.timeoutMs;
  for (let waitMs = POLL_FIRST_MS; ; waitMs = Math.min(POLL_CAP_MS, waitMs * 2)) {
    const answer = await readJson(await parts.call("GET", job, {}, signal), Status, META_BYTES_MAX);
    const content = answer.entry[0]?.content;
    if (content?.isFailed) {
      const message = content.messages.map(({ text }) => text).join("; ") || "no reason given";
      const fields = { system: "splunk", message };
      throw new PetrelError("QUERY_REFUSED", `splunk: the search failed: ${message}`, fields);
    }
    if (content?.isDone && content.isFinalized) {
      const text = "splunk: the search was stopped before its end; its results are not complete";
      throw new PetrelError("INCOMPLETE", text, { system: "splunk" });
    }
    if (content?.isDone) return content.resultCount;
    if (parts.clock.nowMs() + waitMs > deadlineMs) {
      const text = `splunk: the search was not done in ${parts.timeoutMs} ms`;
      throw new PetrelError("DEADLINE_EXCEEDED", text, { system: "splunk" });
    }
    await parts.clock.sleep(waitMs, signal).catch((error: unknown) => {
      throw new PetrelError("CANCELLED", "splunk: the call was cancelled", {}, error);
    });
  }
}

/** Reads pages in order until the rows end or a bound is reached. */
async function readResults(
  call: SplunkCall,
  job: string,
  rowsTotal: number,
  { rowsMax, bytesMax }: JobBounds,
  signal: AbortSignal,
): Promise<SplunkJobResult> {
  const rows: SplunkRow[] = [];
  const names = new Set<string>();
  let bytes = 0;
  while (rows.length < Math.min(rowsTotal, rowsMax)) {
    const count = Math.min(PAGE_ROWS_MAX, rowsMax - rows.length);
    const form = { offset: String(rows.length), count: String(count) };
    const page = await readJson(
      await call("GET", `${job}/results`, form, signal),
      Page,
      PAGE_BYTES_MAX,
    );
    for (const { name } of page.fields) names.add(name);
    if (page.results.length === 0) {
      const text = `splunk: results ended at row ${rows.length} of ${rowsTotal}`;
      throw new PetrelError("INCOMPLETE", text, { system: "splunk" });
    }
    for (const row of page.results) {
      bytes += Buffer.byteLength(JSON.stringify(row));
      if (bytes > bytesMax) return { fields: [...names], rows, rowsTotal, cutBy: "bytesMax" };
      rows.push(row);
    }
  }
  const fields = [...names];
  return { fields, rows, rowsTotal, ...(rows.length < rowsTotal ? { cutBy: "rowsMax" } : {}) };
}

/**
 * Runs one job. It is cancelled in Splunk whatever happens, so that it does not count against the
 * user's quota; Splunk's `auto_cancel` covers the case that this process dies.
 */
export async function runJob(
  parts: JobParts,
  form: Readonly<Record<string, string>>,
  bounds: JobBounds,
  signal: AbortSignal,
): Promise<SplunkJobResult> {
  const created = await parts.call("POST", "search/v2/jobs", form, signal);
  const { sid } = await readJson(created, Created, META_BYTES_MAX);
  const job = `search/v2/jobs/${encodeURIComponent(sid)}`;
  try {
    const rowsTotal = await waitUntilDone(parts, job, signal);
    return await readResults(parts.call, job, rowsTotal, bounds, signal);
  } finally {
    const late = AbortSignal.timeout(CANCEL_TIMEOUT_MS);
    await parts
      .call("POST", `${job}/control`, { action: "cancel" }, late)
      .then((answer) => readBytes(answer, META_BYTES_MAX))
      .catch(() => undefined); // auto_cancel removes it later
  }
}
