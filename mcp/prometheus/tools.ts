/**
 * Prometheus as a tool for models: `query_prometheus`, with one mode for each kind of question.
 * Answers are small by design and say when they were cut; it never writes.
 */
import { z } from "zod";
import { type Clock, PetrelError, parseDurationMs, parseInstantMs } from "../../core/mod.ts";
import { defineTool, type Omission, type ToolDefinition, type ToolResult } from "../server/tool.ts";
import type { PrometheusClient } from "./client.ts";
import { jsonValue, type PromResult } from "./protocol.ts";

/** Points a series in a range; enough for a model to see a shape. */
const POINTS_DEFAULT = 60;
const POINTS_MAX = 240;
const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
const RANGE_MS_DEFAULT = 60 * 60_000;

const Instant = z.string().max(40);

const Input = z.strictObject({
  mode: z
    .enum(["instant", "range", "metadata"])
    .describe("instant: one value a series; range: values over time; metadata: what a metric is"),
  query: z.string().max(4_000).optional().describe("PromQL; needed for instant and range"),
  time: Instant.optional().describe("instant: ISO 8601 time with zone; default now"),
  start: Instant.optional().describe("range: ISO 8601 time with zone; default one hour before end"),
  end: Instant.optional().describe("range: ISO 8601 time with zone; default now"),
  step: z
    .string()
    .max(20)
    .optional()
    .describe(`range: e.g. 30s or 5m; default gives about ${POINTS_DEFAULT} points`),
  metric: z.string().max(200).optional().describe("metadata: a metric's name; default all metrics"),
  limit: z
    .number()
    .int()
    .min(1)
    .max(LIMIT_MAX)
    .default(LIMIT_DEFAULT)
    .describe("series or metrics in the answer"),
});
type Input = z.output<typeof Input>;

const Value = z.union([z.number(), z.enum(["NaN", "+Inf", "-Inf"])]);

const Output = z.object({
  mode: z.enum(["instant", "range", "metadata"]),
  resultType: z.enum(["matrix", "vector", "scalar"]).optional(),
  /** Times in milliseconds UTC, each with its value. */
  series: z
    .array(
      z.object({
        labels: z.record(z.string(), z.string()),
        timesMs: z.array(z.number()),
        values: z.array(Value),
      }),
    )
    .max(LIMIT_MAX),
  metadata: z
    .array(z.object({ metric: z.string(), type: z.string(), help: z.string(), unit: z.string() }))
    .max(LIMIT_MAX),
  stepMs: z.number().optional(),
  warnings: z.array(z.string()),
  /** The same query in Prometheus's own page. */
  link: z.string().optional(),
});
type Output = z.input<typeof Output>;

function needed(path: string, mode: string): PetrelError {
  return new PetrelError("USAGE", `${path}: needed in mode ${mode}`, { path });
}

/** `total` is undefined when Prometheus itself may have cut the list. */
function omittedOf(
  what: string,
  total: number | undefined,
  kept: number,
  limit: number,
): Omission | undefined {
  if (total !== undefined && total <= kept) return undefined;
  const count = total === undefined ? {} : { count: total - kept };
  return { what, ...count, bound: `limit ${limit}` };
}

function withOmission(
  output: Output,
  text: string,
  omitted: Omission | undefined,
): ToolResult<Output> {
  return omitted === undefined ? { output, text } : { output, text, omitted };
}

/** A step that gives about POINTS_DEFAULT points, in whole seconds. */
function defaultStepMs(lengthMs: number): number {
  return Math.max(1, Math.ceil(lengthMs / POINTS_DEFAULT / 1000)) * 1000;
}

function rangeOf(input: Input, nowMs: number) {
  const endMs = input.end === undefined ? nowMs : parseInstantMs(input.end, "end");
  const startMs =
    input.start === undefined ? endMs - RANGE_MS_DEFAULT : parseInstantMs(input.start, "start");
  if (startMs >= endMs) {
    throw new PetrelError("USAGE", "start: has to be before end", { path: "start" });
  }
  const lengthMs = endMs - startMs;
  const stepMs =
    input.step === undefined ? defaultStepMs(lengthMs) : parseDurationMs(input.step, "step");
  if (stepMs < 1 || lengthMs / stepMs > POINTS_MAX) {
    const better = defaultStepMs(lengthMs) / 1000;
    throw new PetrelError(
      "TOO_LARGE",
      `step: ${input.step} gives more than ${POINTS_MAX} points a series; use ${better}s`,
      { path: "step", limit: POINTS_MAX, stepMs: better * 1000 },
    );
  }
  return { startMs, endMs, stepMs };
}

function seriesAnswer(
  input: Input,
  result: PromResult,
  more: Pick<Output, "stepMs" | "link">,
): ToolResult<Output> {
  const output: Output = {
    mode: input.mode,
    resultType: result.resultType,
    series: result.series.slice(0, input.limit).map(({ labels, timesMs, values }) => ({
      labels: { ...labels },
      timesMs: [...timesMs],
      values: values.map(jsonValue),
    })),
    metadata: [],
    warnings: [...result.warnings],
    ...more,
  };
  const text =
    result.seriesTotal === 0
      ? "No series matched. Check the metric's name with mode metadata, or widen the range."
      : `${result.seriesTotal} series.`;
  return withOmission(
    output,
    text,
    omittedOf("series", result.seriesTotal, output.series.length, input.limit),
  );
}

async function metadataAnswer(
  client: PrometheusClient,
  input: Input,
  signal: AbortSignal,
): Promise<ToolResult<Output>> {
  const found = await client.metadata(input.metric, signal);
  const metadata = found.items.slice(0, input.limit);
  const output: Output = { mode: "metadata", series: [], metadata, warnings: [] };
  const text =
    found.items.length === 0
      ? "No target states metadata for this; the metric may still exist, try mode instant."
      : `${found.cut ? "More than " : ""}${found.items.length} metrics.`;
  return withOmission(
    output,
    text,
    omittedOf("metrics", found.total, metadata.length, input.limit),
  );
}

/** The tools of Prometheus. `clock` says what "now" is. */
export function prometheusTools(client: PrometheusClient, clock: Clock): ToolDefinition[] {
  const query = defineTool({
    name: "query_prometheus",
    title: "Query Prometheus",
    description:
      "Asks Prometheus with PromQL: the value now (instant), values over time (range), or what a " +
      "metric means (metadata). Times are UTC; timesMs are milliseconds since 1970.",
    input: Input,
    output: Output,
    readOnly: true,
    run: async (input, signal) => {
      if (input.mode === "metadata") return metadataAnswer(client, input, signal);
      if (input.query === undefined) throw needed("query", input.mode);
      if (input.mode === "instant") {
        const timeMs =
          input.time === undefined ? clock.nowMs() : parseInstantMs(input.time, "time");
        const link = client.graphLink(input.query, {
          startMs: timeMs - RANGE_MS_DEFAULT,
          endMs: timeMs,
        });
        return seriesAnswer(input, await client.instant(input.query, timeMs, signal), { link });
      }
      const range = rangeOf(input, clock.nowMs());
      const link = client.graphLink(input.query, range);
      const result = await client.range(input.query, range, signal);
      return seriesAnswer(input, result, { stepMs: range.stepMs, link });
    },
  });
  return [query];
}
