/** What the rest of Petrel may use of streams. */
export type { Cause, Evidence, Ranking } from "./causes.ts";
export { type DetectOptions, detectLogs, type LogReading } from "./detect/logs.ts";
export { detectMetrics, type MetricReading } from "./detect/metrics.ts";
export { judgeByMemory, type MemoryOptions } from "./detect/usual.ts";
export { isAnomalous } from "./detect/verdict.ts";
export { type ExplainInput, explainVerdict, type PlainWords } from "./explain.ts";
export {
  Dependency,
  FINDING_KINDS,
  FINDINGS_SCHEMA,
  Finding,
  RESOURCES,
  type Resource,
  ServiceSummary,
  SourceReport,
} from "./findings.ts";
export { mergeSummaries, resolveTemplates } from "./merge.ts";
export type {
  CallCounts,
  EdgeCounts,
  Level,
  LogRecord,
  LogSummary,
  PathSummary,
  Row,
  RowBatch,
  Series,
  ServiceCounts,
  Stage,
  StatementCounts,
  TemplateCounts,
  TransitionCounts,
} from "./model.ts";
export { parseRow } from "./parse/record.ts";
export { parseEventTimeMs } from "./parse/time.ts";
export { type LogProgress, type SummariseLogsOptions, summariseLogs } from "./pipeline.ts";
export { type RankOptions, rankCauses } from "./rank/causes.ts";
export { ARTIFACT_NAME, fitReport, reportOfLogs, reportOfMetrics } from "./report.ts";
export { DEFAULT_RULES, type RuleSet, rulesFor, type ServiceRules } from "./rules.ts";
export { SeriesDetector, type SeriesReading, type SeriesSnapshot } from "./series/detector.ts";
export { type BookReadings, SeriesBook, seriesKey } from "./series-book.ts";
export { type LogFilesOptions, readLogFiles } from "./sources/files.ts";
export { type LogMessage, type LogMessagesOptions, readLogMessages } from "./sources/messages.ts";
export { decodeSplunkExport, type SplunkExportOptions } from "./sources/splunk-export.ts";
export { type MinerOptions, type Template, TemplateMiner } from "./template/miner.ts";
