/**
 * The tools of servers that are known, by the names their makers document: which of them read, and which
 * of their arguments are queries. A tool that is not here is not offered unless the configuration says so.
 *
 * Splunk: help.splunk.com, "MCP Server tools" (splunk_*). Grafana: github.com/grafana/mcp-grafana, tools/.
 * LogQL and SQL are not checked, so their tools are left out; so are those of Splunk's AI assistant
 * (`saia_*`), saved searches and knowledge objects, which run or show what somebody else wrote.
 */
import type { ToolRule } from "./policy.ts";

export const KNOWN_TOOLS: readonly string[] = [
  // Of `petrel mcp`.
  "query_splunk",
  "splunk_digest",
  "get_grafana_dashboard",
  // Of Splunk.
  "splunk_run_query",
  "splunk_get_indexes",
  "splunk_get_index_info",
  "splunk_get_metadata",
  // Of Grafana; `petrel mcp` has the first too.
  "query_prometheus",
  "list_prometheus_metric_names",
  "list_prometheus_metric_metadata",
  "list_prometheus_label_names",
  "list_prometheus_label_values",
  "list_datasources",
  "search_dashboards",
  "get_dashboard_summary",
  "get_dashboard_panel_queries",
];

const OWN_TIMES = [["start", "end"]] as const;

/** Our own tool. SPL of our own is checked where it is made (mcp/splunk), with its window. */
export const OWN_RULES: readonly ToolRule[] = [
  { tool: "query_prometheus", argument: "query", language: "promql", times: OWN_TIMES },
];

/** Of the rules for one tool, those whose argument it declares hold; it has to declare one of them. */
export const KNOWN_RULES: readonly ToolRule[] = [
  ...OWN_RULES,
  { tool: "query_splunk", argument: "search", language: "spl", times: OWN_TIMES },
  {
    tool: "splunk_run_query",
    argument: "query",
    language: "spl",
    times: [["earliest_time", "latest_time"]],
  },
  {
    tool: "query_prometheus",
    argument: "expr",
    language: "promql",
    // The names of its times have changed; each version of mcp-grafana knows one pair.
    times: [
      ["startTime", "endTime"],
      ["startRfc3339", "endRfc3339"],
      ["startRelative", "endRelative"],
    ],
  },
];
