/** The window all readers of the log cases read, and the two ways to open it. */
import type { Window } from "../../core/mod.ts";
import { makeSplunkClient, makeSplunkSource, type SplunkClient } from "../../mcp/mod.ts";
import type { RowBatch } from "../../streams/mod.ts";

export const TOKEN = "bench-token";
const INDEX = "main";
const TIMEOUT_MS = 600_000;

const startMs = Date.UTC(2026, 2, 13, 14, 20);
export const WINDOW: Window = { startMs, endMs: startMs + 300_000 };

function clientOf(url: string): SplunkClient {
  return makeSplunkClient({ url, auth: { kind: "token", token: TOKEN }, timeoutMs: TIMEOUT_MS });
}

/** Rows in batches, as an agent reads them. */
export function openRows(url: string, signal: AbortSignal): AsyncIterable<RowBatch> {
  return makeSplunkSource(clientOf(url), { index: INDEX }).open({}, WINDOW, signal);
}

/** The same export as Splunk sends it. */
export async function openBytes(
  url: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  return clientOf(url).export({ index: INDEX, window: WINDOW }, signal);
}

/** The same export as a response of fetch, for a reader that uses nothing of ours. */
export function fetchExport(url: string): Promise<Response> {
  return fetch(`${url}/services/search/v2/jobs/export`, {
    method: "POST",
    headers: { authorization: `Bearer ${TOKEN}` },
    body: new URLSearchParams({
      search: `search index="${INDEX}"`,
      earliest_time: String(WINDOW.startMs / 1_000),
      latest_time: String(WINDOW.endMs / 1_000),
      output_mode: "json",
      preview: "0",
    }),
  });
}
