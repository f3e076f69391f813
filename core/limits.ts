/**
 * Every bound in one place, with its unit last in its name. A bound that users may change is the
 * default of a configuration key; the others are fixed.
 */

/** Log pipeline. */
export const LINE_BYTES_MAX = 64 * 1024;
export const BATCH_ROWS_MAX = 2_000;
export const BATCH_BYTES_MAX = 1024 * 1024;
export const TEMPLATES_MAX = 5_000;
export const SERVICES_MAX = 1_000;
export const EDGES_MAX = 5_000;
export const EXEMPLARS_MAX = 3;
export const EXEMPLAR_CHARS_MAX = 400;

/** Metric series with a memory of their own; some 10 kB each. */
export const SERIES_REMEMBERED_MAX = 2_000;

/** What one agent may answer with. An artifact stays far below NATS's default payload of 1 MiB. */
export const FINDINGS_MAX = 200;
export const ARTIFACT_BYTES_MAX = 256 * 1024;

/** A2A over NATS. */
export const ENVELOPE_BYTES_MAX = 960 * 1024;
export const HEARTBEAT_MS = 2_000;
export const STREAM_IDLE_MS = 8_000;
export const CARD_TTL_MS = 15_000;
export const TASKS_RUNNING_MAX = 256;
/** Of one agent on one replica, at a time. */
export const ANSWERS_RUNNING_MAX = 2_048;
export const STREAMS_OPEN_MAX = 2_048;
export const LISTS_RUNNING_MAX = 32;

/** Audit outbox. */
export const OUTBOX_BYTES_MAX = 32 * 1024 * 1024;
export const PACK_RECORDS_MAX = 200;
export const PACK_BYTES_MAX = 512 * 1024;
/** A full outbox holds its owner up this long; then records are dropped and counted. */
export const OUTBOX_WAIT_MS = 2_000;
/** A sender that has nothing to say says so this often. */
export const BEAT_MS = 10_000;

/** Calls to other systems. */
export const CONNECT_TIMEOUT_MS = 5_000;
export const PROM_POINTS_MAX = 11_000;
export const HTTP_ERROR_BODY_BYTES_MAX = 64 * 1024;
