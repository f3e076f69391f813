/** What the rest of Petrel may use of mcp: a client of each system, its tools, and the MCP server. */

export {
  type DashboardLink,
  type GrafanaAnnotation,
  type GrafanaClient,
  type GrafanaOptions,
  type GrafanaQuery,
  type GrafanaQueryResult,
  makeGrafanaClient,
} from "./grafana/client.ts";
export type {
  DashboardHit,
  DashboardSummary,
  GrafanaSeries,
  PanelSummary,
} from "./grafana/protocol.ts";
export { grafanaTools } from "./grafana/tools.ts";
export { makeLlm } from "./llm/llm.ts";
export type { LlmOptions } from "./llm/options.ts";
export type { Llm, LlmAnswer, LlmRequest } from "./llm/port.ts";
export {
  Asked,
  IncidentDetails,
  type IncidentsWish,
  IncidentView,
  type InvestigationWish,
  MeshAgent,
  MeshCitation,
  type MeshPort,
  PendingWork,
  TaskView,
  VerdictSummary,
} from "./mesh/port.ts";
export { meshTools } from "./mesh/tools.ts";
export type { PrometheusAuth, PrometheusOptions } from "./prometheus/api.ts";
export {
  makePrometheusClient,
  type PrometheusClient,
  type PromRange,
  type PromSelection,
} from "./prometheus/client.ts";
export { checkPromql, promLabel, promLabelIn, promString } from "./prometheus/promql.ts";
export type { PromList, PromMetadata, PromResult, PromSeries } from "./prometheus/protocol.ts";
export { prometheusTools } from "./prometheus/tools.ts";
export {
  makeToolHost,
  type ToolAnswer,
  type ToolHost,
  type ToolHostOptions,
} from "./server/host.ts";
export {
  type McpHttpOptions,
  type McpServerOptions,
  type McpStdioServer,
  makeMcpHttpApp,
  serveMcpStdio,
} from "./server/server.ts";
export { defineTool, type Omission, type ToolDefinition, type ToolResult } from "./server/tool.ts";
export {
  type JobBounds,
  makeSplunkClient,
  type SplunkAuth,
  type SplunkClient,
  type SplunkClientOptions,
} from "./splunk/client.ts";
export type { SplunkJobResult, SplunkRow, SplunkValue } from "./splunk/jobs.ts";
export {
  makeSplunkSource,
  type SplunkLogQuery,
  type SplunkSource,
  type SplunkSourceOptions,
} from "./splunk/source.ts";
export type { SplunkQuery } from "./splunk/spl.ts";
export { type SplunkToolOptions, splunkTools } from "./splunk/tools.ts";
export type { ToolRule } from "./toolbox/policy.ts";
export type { ToolReply, Tools, ToolWords } from "./toolbox/port.ts";
export {
  makeToolbox,
  type Toolbox,
  type ToolboxOptions,
  type ToolboxServer,
} from "./toolbox/toolbox.ts";
