/**
 * Stand-ins for the MCP servers of Splunk and of Grafana: the names of tools and arguments as their makers
 * document them (help.splunk.com, "MCP Server tools"; github.com/grafana/mcp-grafana, tools/).
 */
import type { FakeTool } from "./fake-mcp.ts";

const text = { type: "string" };
const READS = { readOnlyHint: true };

function tool(
  name: string,
  properties: Readonly<Record<string, unknown>>,
  required: readonly string[],
  more: Partial<FakeTool> = {},
): FakeTool {
  return {
    name,
    description: `${name} of the maker`,
    inputSchema: { type: "object", properties, required },
    answer: (args) => JSON.stringify({ tool: name, args }),
    ...more,
  };
}

/** Splunk's: it annotates nothing. */
export function splunkMcpTools(run?: FakeTool["answer"]): FakeTool[] {
  const times = { earliest_time: text, latest_time: text, row_limit: { type: "integer" } };
  return [
    tool("splunk_run_query", { query: text, ...times }, ["query"], run ? { answer: run } : {}),
    tool("splunk_get_info", {}, []),
    tool("splunk_get_indexes", { row_limit: { type: "integer" } }, []),
    tool("splunk_get_index_info", { index_name: text }, ["index_name"]),
    tool("splunk_get_metadata", { type: text, index: text, ...times }, ["type"]),
    tool("splunk_run_saved_search", { name: text }, ["name"]),
    tool("splunk_get_knowledge_objects", { type: text }, ["type"]),
    tool("saia_generate_spl", { prompt: text }, ["prompt"]),
  ];
}

/** Grafana's: it annotates what reads and what writes. */
export function grafanaMcpTools(query?: FakeTool["answer"]): FakeTool[] {
  const uid = { datasourceUid: text };
  const reads = { annotations: READS };
  const writes = { annotations: { readOnlyHint: false, destructiveHint: true } };
  return [
    tool(
      "query_prometheus",
      {
        ...uid,
        expr: text,
        startTime: text,
        endTime: text,
        stepSeconds: { type: "integer" },
        queryType: { ...text, enum: ["range", "instant"] },
      },
      ["datasourceUid", "expr", "endTime"],
      { ...reads, ...(query ? { answer: query } : {}) },
    ),
    tool("list_prometheus_metric_names", { ...uid, regex: text }, ["datasourceUid"], reads),
    tool("query_loki_logs", { ...uid, logql: text }, ["datasourceUid", "logql"], reads),
    tool("search_dashboards", { query: text }, [], reads),
    tool("get_dashboard_summary", { uid: text }, ["uid"], reads),
    tool("update_dashboard", { dashboard: { type: "object" } }, [], writes),
    tool("create_annotation", { text }, ["text"], writes),
  ];
}
