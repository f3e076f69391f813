/** Where alarms go: what is told, and every place it can be told to. */
export {
  Cost,
  INCIDENT_KINDS,
  type IncidentKind,
  NOTICE_TYPE,
  Notice,
  NoticeEvidence,
  SEVERITIES,
  SeenBefore,
  type Severity,
  TOLD_CHANGES,
  type ToldChange,
  ToolUse,
} from "./notice.ts";
export { type AlarmSink, isFor } from "./sink.ts";
export { type AlertmanagerOptions, alertmanagerSink } from "./sinks/alertmanager.ts";
export { type GrafanaSinkOptions, grafanaSink } from "./sinks/grafana.ts";
export { appendLine, type JsonlOptions, jsonLine, jsonlSink } from "./sinks/jsonl.ts";
export { type PagerdutyOptions, pagerdutySink } from "./sinks/pagerduty.ts";
export { type SlackOptions, slackSink } from "./sinks/slack.ts";
export { type SmtpOptions, smtpSink } from "./sinks/smtp.ts";
export { type TeamsOptions, teamsSink } from "./sinks/teams.ts";
export { type TerminalOptions, terminalSink, terminalText } from "./sinks/terminal.ts";
export { signatureOf, type WebhookOptions, webhookSink } from "./sinks/webhook.ts";
export { type Extent, linesOf, SHORT, SHORTEST, WHOLE, type Words, wordsOf } from "./words.ts";
