/** Recorded log lines as a Splunk index returns them. Pure; reads nothing. */
import type { SimRow } from "../splunk/rows.ts";
import type { LogLine } from "./format.ts";
import { batchesNewestFirst, type LogQuery, serviceOfPod } from "./recording.ts";

/** Those of `lines` (oldest first) that the query wants, in batches, newest first. */
export function rowsNewestFirst(lines: readonly LogLine[], query: LogQuery): Generator<SimRow[]> {
  return batchesNewestFirst(
    lines.filter((line) => isWanted(line, query)),
    toRow,
  );
}

function isWanted(line: LogLine, query: LogQuery): boolean {
  const timeMs = Date.parse(line[0]);
  if (timeMs < query.earliestMs || timeMs >= query.latestMs) return false;
  return query.services === undefined || query.services.includes(serviceOfPod(line[1]));
}

/** The fields the Splunk collector for Kubernetes sets; trace and span stand in the text. */
function toRow([time, pod, container, , , text]: LogLine): SimRow {
  return {
    _time: `${time.slice(0, 10)} ${time.slice(11, 23)} GMT`,
    _raw: text,
    host: pod,
    source: `/var/log/pods/train-ticket_${pod}/${container}/0.log`,
    sourcetype: `kube:container:${container}`,
    pod,
    container,
  };
}
