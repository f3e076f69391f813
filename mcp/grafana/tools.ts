/**
 * Grafana as a tool for models: `get_grafana_dashboard`, with one action for each kind of question.
 * It answers with summaries, never with a whole dashboard; the action that writes exists only where
 * writes are enabled.
 */
import { z } from "zod";
import { PetrelError, parseInstantMs } from "../../core/mod.ts";
import { defineTool, type Omission, type ToolDefinition, type ToolResult } from "../server/tool.ts";
import type { GrafanaClient } from "./client.ts";
import { PANELS_MAX } from "./protocol.ts";

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
const ANNOTATION_CHARS_MAX = 1_000;

const READ_ACTIONS = ["search", "summary"] as const;
const ALL_ACTIONS = ["search", "summary", "annotate"] as const;

const common = {
  query: z.string().max(200).default("").describe("search: words of the title; default all"),
  uid: z.string().max(40).optional().describe("summary, annotate: the dashboard's uid"),
  limit: z
    .number()
    .int()
    .min(1)
    .max(LIMIT_MAX)
    .default(LIMIT_DEFAULT)
    .describe("search: dashboards; summary: panels"),
};

const ReadInput = z.strictObject({
  action: z.enum(READ_ACTIONS).describe("search: find dashboards; summary: panels and queries"),
  ...common,
});

const WriteInput = z.strictObject({
  action: z
    .enum(ALL_ACTIONS)
    .describe("search: find dashboards; summary: panels and queries; annotate: mark a window"),
  ...common,
  start: z.string().max(40).optional().describe("annotate: ISO 8601 time with zone"),
  end: z.string().max(40).optional().describe("annotate: ISO 8601 time with zone"),
  panelId: z.number().int().min(1).optional().describe("annotate: one panel; default all"),
  text: z.string().max(ANNOTATION_CHARS_MAX).optional().describe("annotate: what happened"),
  tags: z.array(z.string().max(60)).max(10).default([]).describe("annotate: tags"),
});
type WriteInput = z.output<typeof WriteInput>;

const Output = z.object({
  action: z.enum(ALL_ACTIONS),
  dashboards: z
    .array(
      z.object({ uid: z.string(), title: z.string(), tags: z.array(z.string()), url: z.string() }),
    )
    .max(LIMIT_MAX),
  panels: z
    .array(
      z.object({
        id: z.number(),
        title: z.string(),
        type: z.string(),
        datasourceUid: z.string().optional(),
        exprs: z.array(z.string()),
      }),
    )
    .max(PANELS_MAX),
  variables: z.array(
    z.object({ name: z.string(), type: z.string(), current: z.array(z.string()) }),
  ),
  annotationId: z.number().optional(),
});
type Output = z.input<typeof Output>;

function needed<T>(value: T | undefined, path: string, action: string): T {
  if (value !== undefined && value !== "") return value;
  throw new PetrelError("USAGE", `${path}: needed for action ${action}`, { path });
}

const NOTHING = { dashboards: [], panels: [], variables: [] };

function answer(output: Output, text: string, omitted?: Omission): ToolResult<Output> {
  return omitted === undefined ? { output, text } : { output, text, omitted };
}

async function search(
  client: GrafanaClient,
  query: string,
  limit: number,
  signal: AbortSignal,
): Promise<ToolResult<Output>> {
  const { hits, cut } = await client.search(query, limit, signal);
  const dashboards = hits.map(({ uid, title, tags, url }) => ({
    uid,
    title,
    tags: [...tags],
    url,
  }));
  const text = hits.length === 0 ? "No dashboard has such a title." : `${hits.length} dashboards.`;
  const omitted = cut ? { what: "dashboards", bound: `limit ${limit}` } : undefined;
  return answer({ ...NOTHING, action: "search", dashboards }, text, omitted);
}

async function summary(
  client: GrafanaClient,
  uid: string,
  limit: number,
  signal: AbortSignal,
): Promise<ToolResult<Output>> {
  const found = await client.summary(uid, signal);
  const { title, tags, url, panelsTotal } = found;
  const panels = found.panels
    .slice(0, limit)
    .map((panel) => ({ ...panel, exprs: [...panel.exprs] }));
  const variables = found.variables.map((one) => ({ ...one, current: [...one.current] }));
  const dashboards = [{ uid: found.uid, title, tags: [...tags], url }];
  const count = panelsTotal - panels.length;
  const omitted = count > 0 ? { what: "panels", count, bound: `limit ${limit}` } : undefined;
  const text = `Dashboard "${title}": ${panelsTotal} panels.`;
  return answer({ action: "summary", dashboards, panels, variables }, text, omitted);
}

async function annotate(
  client: GrafanaClient,
  input: WriteInput,
  signal: AbortSignal,
): Promise<ToolResult<Output>> {
  const text = needed(input.text, "text", "annotate");
  const window = {
    startMs: parseInstantMs(needed(input.start, "start", "annotate"), "start"),
    endMs: parseInstantMs(needed(input.end, "end", "annotate"), "end"),
  };
  if (window.endMs < window.startMs) {
    throw new PetrelError("USAGE", "end: lies before start", { path: "end" });
  }
  const { id } = await client.annotate(
    {
      dashboardUid: needed(input.uid, "uid", "annotate"),
      window,
      tags: input.tags,
      text,
      ...(input.panelId === undefined ? {} : { panelId: input.panelId }),
    },
    signal,
  );
  return answer({ ...NOTHING, action: "annotate", annotationId: id }, `Annotation ${id} added.`);
}

const NAME = "get_grafana_dashboard";
const TITLE = "Grafana dashboards";
const READS =
  "Finds Grafana dashboards by title, and sums one up: its panels with their queries, and its " +
  "variables. A panel's PromQL can go to query_prometheus.";

/** The tools of Grafana. With `writes`, the tool can also annotate, and says that it is not read-only. */
export function grafanaTools(client: GrafanaClient, writes = false): ToolDefinition[] {
  const reader = defineTool({
    name: NAME,
    title: TITLE,
    description: READS,
    input: ReadInput,
    output: Output,
    readOnly: true,
    run: async ({ action, query, uid, limit }, signal) =>
      action === "search"
        ? search(client, query, limit, signal)
        : summary(client, needed(uid, "uid", action), limit, signal),
  });
  if (!writes) return [reader];
  const writer = defineTool({
    name: NAME,
    title: TITLE,
    description: `${READS} It can also annotate a window of time on a dashboard.`,
    input: WriteInput,
    output: Output,
    readOnly: false,
    run: async (input, signal) => {
      if (input.action === "annotate") return annotate(client, input, signal);
      return input.action === "search"
        ? search(client, input.query, input.limit, signal)
        : summary(client, needed(input.uid, "uid", input.action), input.limit, signal);
    },
  });
  return [writer];
}
