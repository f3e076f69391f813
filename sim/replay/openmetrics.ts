/**
 * Writes OpenMetrics 1.0 text, the form `promtool tsdb create-blocks-from openmetrics` reads
 * (https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md).
 * A writer only: it neither sorts nor checks; callers give each series in time order.
 */

export type MetricType = "counter" | "gauge" | "summary";
export type Labels = Readonly<Record<string, string>>;

export const END_OF_METRICS = "# EOF\n";

/** The head of a family. `name` is without `_total`, `_count` and the like. */
export function familyHead(name: string, type: MetricType, help: string): string {
  return `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${type}\n`;
}

/** `name{label="value"}`, made once for each series. */
export function seriesName(name: string, labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escapeText(value)}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}

/** One sample; the time is printed in seconds. NaN is a value of OpenMetrics. */
export function sample(series: string, value: number, timeMs: number): string {
  return `${series} ${formatValue(value)} ${timeMs / 1000}\n`;
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}

function escapeText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
