/** Stand-ins that keep to the real protocols, for demos and tests. */

export {
  type GrafanaSim,
  type GrafanaSimAnnotation,
  type GrafanaSimMode,
  type GrafanaSimOptions,
  type GrafanaSimQuery,
  startGrafanaSim,
} from "./grafana/server.ts";
export type { SimDashboard, SimPanel, SimSeries } from "./grafana/shapes.ts";
export { factsIn, type PromptFacts } from "./llm/facts.ts";
export { obey } from "./llm/obey.ts";
export {
  PLANTED_KINDS,
  type PlantedAnswer,
  type PlantedKind,
  plantedAnswer,
} from "./llm/planted.ts";
export {
  type LlmSim,
  type LlmSimMode,
  type LlmSimOptions,
  type LlmSimRequest,
  startLlmSim,
} from "./llm/server.ts";
export { type LastingParts, lastingRecording, type Stretch } from "./replay/lasting.ts";
export { loadNezha, type NezhaCase, type NezhaRecording } from "./replay/nezha-recording.ts";
export {
  type BackfillOptions,
  type BackfillResult,
  backfillPrometheus,
  type PrometheusOptions,
  type PrometheusServer,
  startPrometheus,
} from "./replay/prometheus.ts";
export {
  type LogQuery,
  type RecordedKind,
  type RecordedWindow,
  type Recording,
  serviceOfPod,
} from "./replay/recording.ts";
export { loadTrainTicket } from "./replay/train-ticket.ts";
export { paymentScenario } from "./scenarios/payment.ts";
export { Random } from "./scenarios/random.ts";
export { type VolumeOptions, volumeRows } from "./scenarios/volume.ts";
export { type ExportGauge } from "./splunk/export-body.ts";
export {
  providerOf,
  type RowProvider,
  type RowQuery,
  type SimRow,
  splunkTime,
} from "./splunk/rows.ts";
export {
  type SimFault,
  type SimRequest,
  type SplunkSim,
  type SplunkSimOptions,
  startSplunkSim,
} from "./splunk/server.ts";
