/** The payment scenario as the agents read it: logs through the pipeline, metrics from a Prometheus. */
import { METRIC_QUERIES } from "../../agents/mod.ts";
import type { Window } from "../../core/mod.ts";
import { makePrometheusClient } from "../../mcp/mod.ts";
import type { Recording, SimRow } from "../../sim/mod.ts";
import {
  type LogSummary,
  parseEventTimeMs,
  type Row,
  type Series,
  summariseLogs,
  type TemplateMiner,
} from "../../streams/mod.ts";

const SERVICE_LABEL = "application";
const STEP_MS = 60_000;
const RANGE_MS = 120_000;
const LOOKBACK_MS = 1_200_000;

function toRow({ _raw, _time }: SimRow): Row {
  const timeMs = parseEventTimeMs(String(_time));
  return { raw: String(_raw), ...(timeMs === undefined ? {} : { timeMs }) };
}

/** Rows of a window as the Splunk source hands them on: newest batch first, each batch turned round. */
export async function rowsOf(recording: Recording, window: Window): Promise<Row[][]> {
  const query = { earliestMs: window.startMs, latestMs: window.endMs };
  const batches = await Array.fromAsync(recording.logRows(query));
  return batches.map((batch) => batch.map(toRow).reverse());
}

/** The summary of a window's rows. */
export function summaryOf(
  batches: readonly Row[][],
  window: Window,
  miner: TemplateMiner,
): Promise<LogSummary> {
  async function* source() {
    for (const rows of batches) yield { rows, bytes: 1 };
  }
  return summariseLogs(source(), { window, miner });
}

/** The catalogue's series up to the window's end, asked for as the metrics agent asks. */
export async function seriesOf(url: string, window: Window): Promise<Series[]> {
  const client = makePrometheusClient({ url });
  const range = { startMs: window.startMs - LOOKBACK_MS, endMs: window.endMs, stepMs: STEP_MS };
  const seconds = (ms: number) => `${Math.round(ms / 1_000)}s`;
  const filled = (promql: string) =>
    promql
      .replaceAll("$service", SERVICE_LABEL)
      .replaceAll("$range", seconds(RANGE_MS))
      .replaceAll("$window", seconds(window.endMs - window.startMs));
  const all = await Promise.all(
    METRIC_QUERIES.filter(({ promql }) => promql.includes("$service")).map(async (query) => {
      const { series } = await client.range(filled(query.promql), range);
      return series.map(({ labels, timesMs, values: samples }) => ({
        service: labels[SERVICE_LABEL] ?? "unknown",
        metric: query.metric,
        unit: query.unit,
        timesMs,
        values: samples,
      }));
    }),
  );
  return all.flat();
}
