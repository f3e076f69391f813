/** The agents: what each decides. cli/ passes in the systems they need. */
export { makeEchoAgent } from "./echo/agent.ts";
export { Explainer } from "./explain/explainer.ts";
export { DayLedger } from "./explain/ledger.ts";
export { PlainWords } from "./explain/plain.ts";
export type { Explains, Llm, ToolAnswer, Tools, ToolWords } from "./explain/ports.ts";
export { Explanation } from "./explain/record.ts";
export { loadTokenCounter } from "./explain/tokens.ts";
export {
  INCIDENTS_SCHEMA,
  INCIDENTS_SKILL,
  IncidentSummary,
  IncidentsAnswer,
  type IncidentsAsked,
  IncidentsRequest,
  readIncidentsAnswer,
  readIncidentsRequest,
} from "./incidents/protocol.ts";
export { Change, INCIDENT_STATES, Incident, Matcher, Silence } from "./incidents/record.ts";
export type { LifeRules } from "./incidents/rules.ts";
export { type Maintenance, parseMatcher } from "./incidents/silences.ts";
export { INCIDENTS_BUCKET, INCIDENTS_TTL_MS } from "./incidents/store.ts";
export {
  type Dashboards,
  type Link,
  type MetricSeries,
  type MetricSource,
  type MetricsAgentOptions,
  makeMetricsAgent,
} from "./metrics/agent.ts";
export { METRIC_QUERIES, type MetricQuery, serviceOfPod } from "./metrics/catalogue.ts";
export { DEPENDENCY_QUERIES, type DependencyQuery } from "./metrics/dependencies.ts";
export { type InvestigateRequest, LogQuerySpec, REQUEST_SCHEMA } from "./protocol.ts";
export { INVESTIGATIONS_BUCKET } from "./replies.ts";
export { type LogSource, makeSplunkAgent, type SplunkAgentOptions } from "./splunk/agent.ts";
export { SreAgent, type SreAgentOptions } from "./sre/agent.ts";
export { conclude } from "./sre/conclude.ts";
export type { SreEvent } from "./sre/events.ts";
export type { SourceResult, Verdict } from "./sre/records.ts";
