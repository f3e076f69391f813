/**
 * The PromQL the metrics agent asks for: Spring Boot with Micrometer, and pods as cAdvisor and
 * kube-state-metrics show them. Plain data; a deployment adds its own in the configuration.
 *
 * Placeholders: `$service` the labels that name a service, `$range` the rate range, `$window` the
 * investigated window's length.
 */

export interface MetricQuery {
  /** Name the detectors know (docs/findings.md): decides direction, resource and rule. */
  readonly metric: string;
  readonly promql: string;
  readonly unit: string;
}

const HTTP = "http_server_requests_seconds";

export const METRIC_QUERIES: readonly MetricQuery[] = [
  {
    metric: "http_requests_rate",
    unit: "req/s",
    promql: `sum by ($service) (rate(${HTTP}_count[$range]))`,
  },
  {
    metric: "http_500_count",
    unit: "responses",
    promql: `sum by ($service) (increase(${HTTP}_count{status="500"}[$window]))`,
  },
  {
    metric: "http_500_rate",
    unit: "responses/min",
    promql: `60 * sum by ($service) (rate(${HTTP}_count{status="500"}[$range]))`,
  },
  {
    metric: "availability",
    unit: "%",
    promql: `100 - 100 * (sum by ($service) (rate(${HTTP}_count{status=~"5.."}[$range])) or 0 * sum by ($service) (rate(${HTTP}_count[$range]))) / (sum by ($service) (rate(${HTTP}_count[$range])) > 0)`,
  },
  {
    metric: "http_latency_mean",
    unit: "ms",
    promql: `1000 * sum by ($service) (rate(${HTTP}_sum[$range])) / sum by ($service) (rate(${HTTP}_count[$range]))`,
  },
  {
    metric: "jvm_memory",
    unit: "%",
    promql:
      '100 * sum by ($service, instance) (jvm_memory_used_bytes{area="heap"}) / sum by ($service, instance) (jvm_memory_max_bytes{area="heap"} > 0)',
  },
  {
    metric: "gc_pause",
    unit: "s/s",
    promql: "sum by ($service, instance) (rate(jvm_gc_pause_seconds_sum[$range]))",
  },
  {
    metric: "hikari_active",
    unit: "%",
    promql:
      "100 * sum by ($service, pool) (hikaricp_connections_active) / sum by ($service, pool) (hikaricp_connections_max > 0)",
  },
  {
    metric: "hikari_pending",
    unit: "threads",
    promql: "sum by ($service, pool) (hikaricp_connections_pending)",
  },
  {
    metric: "hikari_timeout",
    unit: "timeouts",
    promql: "sum by ($service, pool) (increase(hikaricp_connections_timeout_total[$range]))",
  },
  {
    metric: "process_cpu",
    unit: "%",
    promql: "100 * max by ($service, instance) (process_cpu_usage)",
  },
  {
    metric: "errors_logged",
    unit: "events/min",
    promql: '60 * sum by ($service) (rate(logback_events_total{level="error"}[$range]))',
  },
  {
    metric: "cpu",
    unit: "%",
    promql:
      '100 * sum by (pod) (rate(container_cpu_usage_seconds_total{container!=""}[$range])) / sum by (pod) (kube_pod_container_resource_limits{resource="cpu"})',
  },
  {
    metric: "memory",
    unit: "%",
    promql:
      '100 * sum by (pod) (container_memory_working_set_bytes{container!=""}) / sum by (pod) (kube_pod_container_resource_limits{resource="memory"})',
  },
  {
    metric: "network_receive",
    unit: "B/s",
    promql: "sum by (pod) (rate(container_network_receive_bytes_total[$range]))",
  },
  {
    metric: "network_transmit",
    unit: "B/s",
    promql: "sum by (pod) (rate(container_network_transmit_bytes_total[$range]))",
  },
  {
    metric: "latency_p90_server",
    unit: "s",
    promql: 'max by (pod) (pod_request_latency_seconds{side="server",quantile="0.9"})',
  },
  {
    metric: "latency_p90_client",
    unit: "s",
    promql: 'max by (pod) (pod_request_latency_seconds{side="client",quantile="0.9"})',
  },
  { metric: "requests", unit: "req/s", promql: "sum by (pod) (pod_requests_per_second)" },
];

/** Fills the placeholders. Label names come from the checked configuration. */
export function fillQuery(
  promql: string,
  values: { serviceLabels: readonly string[]; rangeMs: number; windowMs: number },
): string {
  return promql
    .replaceAll("$service", values.serviceLabels.join(", "))
    .replaceAll("$range", `${Math.round(values.rangeMs / 1000)}s`)
    .replaceAll("$window", `${Math.round(values.windowMs / 1000)}s`);
}

/** `ts-order-service-5b67c48447-mv5hb` → `ts-order-service`: a Deployment's, or a StatefulSet's pod. */
export function serviceOfPod(pod: string): string {
  return pod.replace(/-[0-9a-f]{8,10}-[a-z0-9]{5}$/, "").replace(/-\d{1,4}$/, "");
}
