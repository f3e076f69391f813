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
