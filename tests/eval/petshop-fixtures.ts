/** A small application in PetShop's layout: a front end, a search service it calls, and its database. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const NODES = ["Front", "Search", "Table", "Unmeasured"] as const;
const MEASURED = ["Front", "Search", "Table"] as const;
type Node = (typeof MEASURED)[number];

/** Seconds, as the mean of a sample, and percent. */
export interface Sample {
  readonly latency: number;
  readonly availability: number;
  readonly requests: number;
}

const STEP_S = 300;
const NORMAL: Readonly<Record<Node, Sample>> = {
  Front: { latency: 0.1, availability: 100, requests: 500 },
  Search: { latency: 0.01, availability: 100, requests: 800 },
  Table: { latency: 0.004, availability: 100, requests: 900 },
};

/** The same numbers each time, between 0 and 1. */
function wobble(seed: number): number {
  const x = Math.sin(seed * 12.9898) * 43_758.5453;
  return x - Math.floor(x);
}

/** Normal values of a node, up to a tenth above. */
export function normalAt(node: Node, at: number): Sample {
  const { latency, availability, requests } = NORMAL[node];
  const level = 1 + 0.1 * wobble(at + 1_000 * MEASURED.indexOf(node));
  return { latency: latency * level, availability, requests };
}

/** `metrics.csv` of `count` samples from `startS`; `sampleOf` says what each node shows. */
export function metricsCsv(
  startS: number,
  count: number,
  sampleOf: (node: Node, at: number) => Sample,
): string {
  const columns = MEASURED.flatMap((node) => [
    { node, metric: "latency", statistic: "Average" },
    { node, metric: "latency", statistic: "p95" },
    { node, metric: "requests", statistic: "Sum" },
    { node, metric: "availability", statistic: "Average" },
  ]);
  const head = [
    ["microservice", ...columns.map(({ node }) => node)],
    ["metric", ...columns.map(({ metric }) => metric)],
    ["statistic", ...columns.map(({ statistic }) => statistic)],
    ["unix_timestamp", ...columns.map(() => "")],
  ];
  const rows = Array.from({ length: count }, (_, at) => [
    `${startS + at * STEP_S}.0`,
    ...columns.map(({ node, metric }) => {
      const sample = sampleOf(node, at);
      const known: Readonly<Record<string, number>> = { ...sample };
      return String(known[metric]);
    }),
  ]);
  return `${[...head, ...rows].map((cells) => cells.join(",")).join("\n")}\n`;
}

export const GRAPH = [
  `,${NODES.join(",")}`,
  "Front,0.0,1.0,0.0,1.0",
  "Search,0.0,0.0,1.0,0.0",
  "Table,0.0,0.0,0.0,0.0",
  "Unmeasured,0.0,0.0,0.0,0.0",
].join("\n");

export function targetJson(metric: string, timestamp: number, rootCause: string): string {
  return JSON.stringify({
    target: { node: "Front", metric, agg: "Average", timestamp },
    root_cause: { node: rootCause, metric: null },
  });
}

/** Two samples before the fault, three of it. */
export const FAULT_AT = 2;
const ISSUE_START_S = 1_681_857_120;
export const FAULT_S = ISSUE_START_S + FAULT_AT * STEP_S + 10;

/** A slow database: its callers wait as long. */
export function slowTable(node: Node, at: number): Sample {
  const normal = normalAt(node, at);
  return at < FAULT_AT ? normal : { ...normal, latency: normal.latency + 0.2 };
}

/** A search service that fails for three requests in a hundred; the front end sees half of them. */
export function failingSearch(node: Node, at: number): Sample {
  const normal = normalAt(node, at);
  const fails = node === "Search" ? 3 : 1.5;
  return at < FAULT_AT || node === "Table" ? normal : { ...normal, availability: 100 - fails };
}

/** Writes one traffic level with two issues and normal data; the folder that holds `dataset`. */
export function writeDataset(): string {
  const dir = mkdtempSync(join(tmpdir(), "petshop-test-"));
  const level = join(dir, "dataset", "low_traffic");
  put(level, "graph.csv", GRAPH);
  put(join(level, "noissue"), "metrics.csv", metricsCsv(1_692_608_400, 200, normalAt));
  putIssue(join(level, "train", "issue_0"), "latency", "Table", slowTable);
  putIssue(join(level, "test", "issue_0"), "availability", "Search", failingSearch);
  return dir;
}

function putIssue(
  folder: string,
  metric: string,
  rootCause: string,
  sampleOf: (node: Node, at: number) => Sample,
): void {
  put(folder, "target.json", targetJson(metric, FAULT_S, rootCause));
  put(folder, "metrics.csv", metricsCsv(ISSUE_START_S, 5, sampleOf));
}

export function put(folder: string, name: string, text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
}
