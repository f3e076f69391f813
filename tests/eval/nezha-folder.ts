/** A small folder in the layout of Nezha's data, made by hand: two faults and a fault-free minute. */
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const DAY = "2023-01-29";
export const PODS = {
  shop: "ts-shop-service-5b67c48447-mv5hb",
  price: "ts-price-service-76846864d9-g465z",
} as const;

interface Line {
  readonly time: string;
  readonly pod: string;
  readonly text: string;
}

const HEAD = "Timestamp,TimeUnixNano,Node,PodName,Container,TraceID,SpanID,Log";

/** One minute of logs as the data set has it: the container runtime's JSON in the last column. */
export function logCsv(lines: readonly Line[]): string {
  const rows = lines.map(({ time, pod, text }) => {
    const log = JSON.stringify({ log: `${text}\n`, stream: "stdout", time });
    return `${time},0,node,${pod},server,t1,s1,"${log.replaceAll('"', '""')}"`;
  });
  return `${[HEAD, ...rows].join("\n")}\n`;
}

function minute(clock: string, pod: string, count: number): Line[] {
  return Array.from({ length: count }, (_, at) => {
    const second = String(at % 60).padStart(2, "0");
    const time = `${DAY}T${clock}:${second}.${String(100_000_000 + at)}Z`;
    const text = `16:${clock.slice(3)}:${second}.100 INFO  p.c.Price#39 TraceID: trace${at} SpanID: span${at} priced ${at}`;
    return { time, pod, text };
  });
}

const METRIC_HEAD =
  "Time,TimeStamp,PodName,CpuUsage(m),CpuUsageRate(%),MemoryUsage(Mi),MemoryUsageRate(%),NetworkReceiveBytes,NetworkTransmitBytes,PodClientLatencyP90(s),PodServerLatencyP90(s),PodWorkload(Ops)";

/** A pod's day: a sample a minute from 08:00 to 12:00. */
function metricCsv(pod: string): string {
  const startS = Date.parse(`${DAY}T08:00:00Z`) / 1_000;
  const rows = Array.from({ length: 240 }, (_, at) =>
    [`x`, startS + 60 * at, pod, 10 + (at % 3), 2, 400, 20, 2_000, 3_000, 0.02, 0.02, 1].join(","),
  );
  return `${[METRIC_HEAD, ...rows].join("\n")}\n`;
}

/** Makes the folder; `left` are names of files or folders in it that are not made. */
export async function makeNezha(left: readonly string[] = []): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "petrel-nezha-"));
  const fault = (time: string, pod: string, kind: string) => ({
    date: DAY,
    inject_time: `${DAY} ${time}`,
    inject_pod: pod,
    inject_type: kind,
  });
  const files: Record<string, string> = {
    "faults.json": JSON.stringify([
      fault("09:30:05", PODS.price, "return"),
      fault("08:43:04", PODS.shop, "cpu_contention"),
      fault("09:50:00", PODS.shop, "exception"),
    ]),
    [`${DAY}/log/08_43_log.csv`]: logCsv(minute("08:43", PODS.shop, 60)),
    [`${DAY}/log/08_44_log.csv`]: logCsv(minute("08:44", PODS.shop, 60)),
    [`${DAY}/log/09_30_log.csv`]: logCsv(minute("09:30", PODS.price, 60)),
    [`${DAY}/fault_free_log/08_50_log.csv`]: logCsv(minute("08:50", PODS.price, 60)),
    [`${DAY}/metric/${PODS.shop}_metric.csv`]: metricCsv(PODS.shop),
    [`${DAY}/metric/${PODS.price}_metric.csv`]: metricCsv(PODS.price),
  };
  for (const folder of ["log", "fault_free_log", "metric"]) {
    await mkdir(join(dir, DAY, folder), { recursive: true });
  }
  for (const [name, text] of Object.entries(files)) {
    if (!left.some((one) => name.startsWith(one))) await writeFile(join(dir, name), text);
  }
  return dir;
}
