/** The agents' ports over the clients: what Prometheus and Grafana look like to the metrics agent. */
import type { Dashboards, MetricSource } from "../agents/mod.ts";
import type { GrafanaClient, PrometheusClient } from "../mcp/mod.ts";

const LINK_CHARS_MAX = 2_000;

/** Series with their samples; `cut` when Prometheus had more than the bound. */
export function metricSource(client: PrometheusClient): MetricSource {
  return {
    name: "prometheus",
    range: async (promql, range, signal) => {
      const { series, seriesTotal } = await client.range(promql, range, signal);
      const read = series.map(({ labels, timesMs, values }) => ({
        labels,
        samples: timesMs.map((timeMs, at) => ({ timeMs, value: values[at] ?? Number.NaN })),
      }));
      return { series: read, cut: seriesTotal > series.length };
    },
    link: (promql, window) => {
      const link = client.graphLink(promql, window);
      return link.length <= LINK_CHARS_MAX ? link : undefined;
    },
  };
}

const DASHBOARDS_MAX = 5;

/** Dashboards that name an affected service first, then the others. */
export function dashboardsOf(client: GrafanaClient): Dashboards {
  return {
    links: async (services, window, signal) => {
      const { hits } = await client.search("", 50, signal);
      const named = hits.filter(({ title, tags }) =>
        services.some((service) => title.includes(service) || tags.includes(service)),
      );
      return [...named, ...hits.filter((hit) => !named.includes(hit))]
        .slice(0, DASHBOARDS_MAX)
        .map(({ uid, title }) => ({
          title: `Grafana: ${title}`,
          url: client.dashboardLink({ uid, window }),
        }));
    },
  };
}
