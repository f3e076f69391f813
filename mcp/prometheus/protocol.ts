/**
 * What Prometheus's HTTP API v1 answers, checked and turned into numbers.
 * Source: https://prometheus.io/docs/prometheus/latest/querying/api/. Pure; touches no network.
 */
import { z } from "zod";

/** One series. Times in milliseconds UTC, in order; values may be NaN or infinite. */
export interface PromSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly timesMs: readonly number[];
  readonly values: readonly number[];
}

/** What a query came to. An instant vector is a list of series with one sample each. */
export interface PromResult {
  readonly resultType: "matrix" | "vector" | "scalar";
  readonly series: readonly PromSeries[];
  /** How many series Prometheus sent; more than `series.length` when the list was cut. */
  readonly seriesTotal: number;
  /** Prometheus's own warnings and infos, and ours about what was left out. */
  readonly warnings: readonly string[];
}

/** Metadata of one metric, as its scraped targets state it. */
export interface PromMetadata {
  readonly metric: string;
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

/** A list that may have been cut at a bound. */
export interface PromList<T> {
  readonly items: readonly T[];
  /** How many were sent; undefined when Prometheus itself may have cut the list. */
  readonly total?: number;
  readonly cut: boolean;
}

const Labels = z.record(z.string(), z.string());
/** [unix seconds, the value as text]. */
type Sample = readonly [number, string];

function isSample(value: unknown): value is Sample {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === "number" &&
    typeof value[1] === "string"
  );
}

const Sample = z.custom<Sample>(isSample, "not a sample [seconds, text]");
/** Checked in one loop: an answer may hold a million samples, and a schema for each took twice as long. */
const Samples = z.custom<readonly Sample[]>(
  (value) => Array.isArray(value) && value.every(isSample),
  "not a list of samples [seconds, text]",
);
const Notes = z.array(z.string()).optional();

const Data = z.discriminatedUnion("resultType", [
  z.object({
    resultType: z.literal("matrix"),
    result: z.array(
      z.object({
        metric: Labels,
        values: Samples.optional(),
        histograms: z.array(z.unknown()).optional(),
      }),
    ),
  }),
  z.object({
    resultType: z.literal("vector"),
    result: z.array(
      z.object({ metric: Labels, value: Sample.optional(), histogram: z.unknown().optional() }),
    ),
  }),
  z.object({ resultType: z.literal("scalar"), result: Sample }),
  z.object({ resultType: z.literal("string"), result: Sample }),
]);

export const QueryAnswer = z.object({
  status: z.literal("success"),
  data: Data,
  warnings: Notes,
  infos: Notes,
});
export type QueryAnswer = z.infer<typeof QueryAnswer>;

export const MetadataAnswer = z.object({
  status: z.literal("success"),
  data: z.record(
    z.string(),
    z.array(z.object({ type: z.string(), help: z.string(), unit: z.string().default("") })),
  ),
});

export const NamesAnswer = z.object({ status: z.literal("success"), data: z.array(z.string()) });
export const SeriesAnswer = z.object({ status: z.literal("success"), data: z.array(Labels) });

const SPECIAL: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  "+Inf": Infinity,
  Inf: Infinity,
  "-Inf": -Infinity,
};

/** Reads a sample's value. Prometheus writes NaN and the infinities as words. */
export function sampleValue(text: string): number {
  return SPECIAL[text] ?? Number(text);
}

/** Writes a value the way Prometheus does where JSON has no number for it. */
export function jsonValue(value: number): number | "NaN" | "+Inf" | "-Inf" {
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}

function seriesOf(
  labels: Readonly<Record<string, string>>,
  samples: readonly Sample[],
): PromSeries {
  return {
    labels,
    timesMs: samples.map(([seconds]) => Math.round(seconds * 1000)),
    values: samples.map(([, text]) => sampleValue(text)),
  };
}

/** The float series of an answer; native histograms and text have no float samples. */
function floatSeries(data: QueryAnswer["data"]): { series: PromSeries[]; histograms: number } {
  if (data.resultType === "scalar" || data.resultType === "string") {
    return { series: [seriesOf({}, [data.result])], histograms: 0 };
  }
  const series: PromSeries[] = [];
  if (data.resultType === "matrix") {
    for (const { metric, values } of data.result) if (values) series.push(seriesOf(metric, values));
  } else {
    for (const { metric, value } of data.result) if (value) series.push(seriesOf(metric, [value]));
  }
  return { series, histograms: data.result.length - series.length };
}

/**
 * Turns a checked answer into at most `seriesMax` series of numbers; undefined for a string literal,
 * which is no time series.
 */
export function resultOf(answer: QueryAnswer, seriesMax: number): PromResult | undefined {
  const { data, warnings = [], infos = [] } = answer;
  if (data.resultType === "string") return undefined;
  const { series, histograms } = floatSeries(data);
  const notes = [...warnings, ...infos];
  if (histograms > 0) notes.push(`${histograms} native histogram series left out`);
  if (series.length > seriesMax) notes.push(`${series.length} series, cut to ${seriesMax}`);
  return {
    resultType: data.resultType,
    series: series.slice(0, seriesMax),
    seriesTotal: series.length,
    warnings: notes,
  };
}
