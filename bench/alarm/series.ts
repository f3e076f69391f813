/** Twenty Micrometer series of each service, as OpenMetrics text; the fault shows in its service's. Pure. */
import { Random } from "../../sim/mod.ts";
import { brokenAt, MINUTE_MS, metricsSpan, nameOf, type Scene } from "./scene.ts";

const SEED = 20_260_313;
const URIS = ["/api/v1/orders", "/api/v1/payments", "/api/v1/accounts", "/api/v1/quotes"] as const;
const POOL = 'pool="HikariPool-1"';

/** What a service looks like at one sample. */
interface State {
  readonly isBroken: boolean;
  readonly random: Random;
}

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "summary";
  /** Of each series: name, own labels, and its value or, for a counter, its rise in a minute. */
  readonly series: readonly (readonly [string, string, (state: State) => number])[];
}

export const SERIES_PER_SERVICE = 20;

const requests = ({ isBroken: broken, random }: State) =>
  random.between(90, 110) - (broken ? 30 : 0);

const FAMILIES: readonly Family[] = [
  {
    name: "http_server_requests_seconds",
    type: "summary",
    series: [
      ...URIS.map((uri) => ["count", `uri="${uri}",status="200"`, requests] as const),
      ...URIS.map(
        (uri) => ["sum", `uri="${uri}",status="200"`, (at: State) => requests(at) * 0.03] as const,
      ),
      ["count", `uri="${URIS[0]}",status="500"`, (at) => (at.isBroken ? 40 : 0)],
      ["sum", `uri="${URIS[0]}",status="500"`, (at) => (at.isBroken ? 1_200 : 0)],
    ],
  },
  {
    name: "hikaricp_connections_active",
    type: "gauge",
    series: [["", POOL, (at) => (at.isBroken ? 10 : at.random.between(1, 4))]],
  },
  { name: "hikaricp_connections_max", type: "gauge", series: [["", POOL, () => 10]] },
  {
    name: "hikaricp_connections_pending",
    type: "gauge",
    series: [["", POOL, (at) => (at.isBroken ? at.random.between(40, 90) : 0)]],
  },
  {
    name: "hikaricp_connections_timeout",
    type: "counter",
    series: [["total", POOL, (at) => (at.isBroken ? 40 : 0)]],
  },
  {
    name: "jvm_memory_used_bytes",
    type: "gauge",
    series: [["", 'area="heap",id="Old"', (at) => 4e8 + at.random.between(0, 9e6)]],
  },
  {
    name: "jvm_memory_max_bytes",
    type: "gauge",
    series: [["", 'area="heap",id="Old"', () => 1e9]],
  },
  {
    name: "process_cpu_usage",
    type: "gauge",
    series: [["", "", (at) => at.random.between(70, 90) / 1_000]],
  },
  {
    name: "jvm_gc_pause_seconds",
    type: "summary",
    series: [["sum", 'gc="G1"', (at) => at.random.between(1, 3) / 10]],
  },
  {
    name: "logback_events",
    type: "counter",
    series: [
      ["total", 'level="info"', (at) => at.random.between(180, 220)],
      ["total", 'level="error"', (at) => (at.isBroken ? 40 : 0)],
    ],
  },
];

/** The text in pieces: families together, each series in time order. */
export async function* openMetricsOf(scene: Scene): AsyncGenerator<string> {
  const { startMs, endMs } = metricsSpan(scene);
  const random = new Random(SEED);
  for (const { name, type, series } of FAMILIES) {
    yield `# TYPE ${name} ${type}\n`;
    for (let service = 0; service < scene.services; service++) {
      for (const [suffix, labels, valueOf] of series) {
        const own = [`service="${nameOf(service)}"`, `instance="pod-${service}"`, labels];
        const id = `${suffix === "" ? name : `${name}_${suffix}`}{${own.filter(Boolean).join(",")}}`;
        const lines: string[] = [];
        let total = 0;
        for (let timeMs = startMs; timeMs <= endMs; timeMs += MINUTE_MS) {
          const value = valueOf({ isBroken: brokenAt(timeMs - 1) === service, random });
          total += value;
          lines.push(`${id} ${type === "gauge" ? value : total} ${timeMs / 1_000}\n`);
        }
        yield lines.join("");
      }
    }
  }
  yield "# EOF\n";
}
