/** What our own tools stand on in these tests: Splunk and Grafana as stand-ins, and a real Prometheus. */

import { systemClock } from "../../../core/mod.ts";
import {
  grafanaTools,
  makeGrafanaClient,
  makePrometheusClient,
  makeSplunkClient,
  prometheusTools,
  type SplunkClient,
  splunkTools,
  type ToolDefinition,
} from "../../../mcp/mod.ts";
import {
  providerOf,
  type SplunkSim,
  splunkTime,
  startGrafanaSim,
  startSplunkSim,
} from "../../../sim/mod.ts";
import { startPrometheus } from "../../support/prometheus.ts";

export const START_MS = Date.UTC(2026, 0, 29, 8, 0, 0);
export const WINDOW = { start: "2026-01-29T08:00:00Z", end: "2026-01-29T08:05:00Z" };
export const never = new AbortController().signal;
export const CARD = "4111111111111111";

export interface Systems extends AsyncDisposable {
  readonly splunkSim: SplunkSim;
  readonly splunk: SplunkClient;
  readonly addresses: Readonly<Record<"SPLUNK" | "PROMETHEUS" | "GRAFANA", string>>;
  readonly tools: readonly ToolDefinition[];
}

const GRAFANA_TOKEN = "glsa_test0123456789";

function rows() {
  return Array.from({ length: 200 }, (_, n) => {
    const ms = START_MS + n * 1_000;
    const level = n % 4 === 0 ? "ERROR" : "INFO";
    const message = n % 4 === 0 ? `Payment with card ${CARD} failed` : `Order ${n} done`;
    const time = new Date(ms).toISOString().replace("T", " ").slice(0, 23);
    const raw = `${time} ${level} 1 --- [           main] c.e.Orders : ${message}`;
    return { _time: splunkTime(ms), _raw: raw, service: "order" };
  });
}

/** The tools of the systems at these addresses; a child process makes them too. */
export function toolsAt(
  { SPLUNK, PROMETHEUS, GRAFANA }: Systems["addresses"],
  redact: (text: string) => string,
): { tools: ToolDefinition[]; splunk: SplunkClient } {
  const auth = { kind: "basic", user: "admin", password: "changed" } as const;
  const splunk = makeSplunkClient({ url: SPLUNK, auth, timeoutMs: 20_000 });
  const prometheus = makePrometheusClient({ url: PROMETHEUS });
  const grafana = makeGrafanaClient({ url: GRAFANA, token: GRAFANA_TOKEN });
  const tools = [
    ...splunkTools(splunk, { index: "main", redact }),
    ...prometheusTools(prometheus, systemClock),
    ...grafanaTools(grafana),
  ];
  return { tools, splunk };
}

export async function startSystems(redact: (text: string) => string): Promise<Systems> {
  const splunkSim = startSplunkSim({ rows: providerOf(rows()) });
  const at = START_MS / 1000;
  const samples = [0, 60, 120, 180, 240].map((s) => `pool_waiting{service="order"} ${s} ${at + s}`);
  const openmetrics = ["# TYPE pool_waiting gauge", ...samples, "# EOF", ""].join("\n");
  const prometheus = await startPrometheus({ openmetrics });
  const grafana = startGrafanaSim({
    token: GRAFANA_TOKEN,
    dashboards: [{ id: 1, uid: "orders", title: "Order service", tags: [], panels: [] }],
  });
  const addresses = { SPLUNK: splunkSim.url, PROMETHEUS: prometheus.url, GRAFANA: grafana.url };
  return {
    splunkSim,
    addresses,
    ...toolsAt(addresses, redact),
    [Symbol.asyncDispose]: async () => {
      await splunkSim.stop();
      await grafana[Symbol.asyncDispose]();
      await prometheus[Symbol.asyncDispose]();
    },
  };
}
