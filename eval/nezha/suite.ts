/**
 * Nezha's Train-Ticket faults (Yu et al., ESEC/FSE 2023), without its traces: each fault's window is
 * investigated by the agents themselves, over NATS, Splunk's export and a real Prometheus. AS@k is the
 * share of faults whose service is among the first k causes of the verdict, in percent.
 *
 * False alarms are counted on the fault-free minutes, and on the hours after each day's last fault that
 * `faults.json` names, of which there are metrics only. Where that list is a part of the benchmark's, real
 * faults may lie in those hours, so that an alarm there may be a right one: the group is named "metrics
 * after the last known fault", and is no count of false alarms in that case.
 *
 * The fault's time is known in this benchmark, so the agents are told that something is wrong
 * (`alerted`); whether they would have raised an alarm by themselves is a figure of its own.
 */
import { join } from "node:path";
import type { Verdict } from "../../agents/mod.ts";
import { PetrelError } from "../../core/mod.ts";
import { loadNezha, type NezhaCase, type NezhaRecording } from "../../sim/mod.ts";
import type { CaseOutcome, EvalOptions, Figures, Suite, SuiteResult } from "../report.ts";
import { nezhaFolder } from "./folder.ts";
import { LAB_SOURCES, type Lab, type LabSource } from "./lab.ts";

const KS = [1, 3, 5] as const;
const AFTERWARDS = "metrics after the last known fault";
/** Of five minutes. */
const WINDOWS_A_DAY = 288;

interface Answer {
  readonly one: NezhaCase;
  readonly verdict: Verdict;
  /** From 1; Infinity when the fault's service is not among the causes. */
  readonly rank: number;
}

/** The suite over agents that `lab` starts: with both sources, and with either alone as the ablation. */
export function nezha(lab: Lab): Suite {
  return async (options) => {
    const folder = folderIn(options.dir);
    const recording = await loadNezha(folder);
    const sources = LAB_SOURCES.filter((source) => source !== "metrics" || recording.hasMetrics);
    const alone = sources.length > 1 ? sources : [];
    const total = recording.cases.length * (1 + alone.length) + recording.quiet.length;
    let done = 0;
    const onCase = (name: string) => options.onProgress?.(++done, total, name);
    const fused = await investigateAll({ lab, recording, sources }, options.signal, onCase);
    const ablation: Record<string, Figures> = {};
    for (const source of alone) {
      const answers = await investigateAll(
        { lab, recording, sources: [source] },
        options.signal,
        (name) => onCase(`${name}, ${source} alone`),
      );
      ablation[source === "splunk" ? "logs alone" : "metrics alone"] = accuracy(faultsOf(answers));
    }
    const afterwards = await alarmsAfterwards(lab, recording, options.signal, onCase);
    const groups = { ...ablation, ...(afterwards && { [AFTERWARDS]: afterwards }) };
    return resultOf(fused, groups, leftIn(recording, folder));
  };
}

function leftIn({ left }: NezhaRecording, folder: string): string[] {
  if (left === 0) return [];
  return [
    `${join(folder, "faults.json")}: ${left} ${left === 1 ? "fault" : "faults"} without logs`,
  ];
}

/** Throws USAGE when it is not there. */
function folderIn(dir: string): string {
  const found = nezhaFolder(dir);
  if (found === undefined) {
    throw new PetrelError("USAGE", `--data ${dir}: no faults.json there: not Nezha's data`);
  }
  return found;
}

interface Run {
  readonly lab: Lab;
  readonly recording: NezhaRecording;
  readonly sources: readonly LabSource[];
}

async function investigateAll(
  { lab, recording, sources }: Run,
  signal: EvalOptions["signal"],
  onCase: (name: string) => void,
): Promise<Answer[]> {
  await using agents = await lab.open(recording, sources, signal);
  const answers: Answer[] = [];
  for (const one of recording.cases) {
    const { window, baseline, service } = one;
    const alerted = service !== undefined;
    const verdict = await agents.investigate(window, { baseline, alerted });
    const place = verdict.causes.findIndex((cause) => cause.service === service);
    answers.push({ one, verdict, rank: place === -1 ? Number.POSITIVE_INFINITY : place + 1 });
    onCase(one.name);
  }
  return answers;
}

/**
 * Alarms of the metrics agent alone where no known fault was injected; undefined without such windows.
 * Real faults may be there when `faults.json` is a part.
 */
async function alarmsAfterwards(
  lab: Lab,
  recording: NezhaRecording,
  signal: AbortSignal,
  onCase: (name: string) => void,
): Promise<Figures | undefined> {
  const { quiet } = recording;
  if (quiet.length === 0) return undefined;
  await using agents = await lab.open(recording, ["metrics"], signal);
  let alarms = 0;
  for (const window of quiet) {
    const verdict = await agents.investigate(window, { baseline: [], alerted: false });
    if (verdict.outcome === "incident") alarms += 1;
    onCase(AFTERWARDS);
  }
  return { windows: quiet.length, alarms, alarms_per_day: (alarms * WINDOWS_A_DAY) / quiet.length };
}

function faultsOf(answers: readonly Answer[]): Answer[] {
  return answers.filter(({ one }) => one.service !== undefined);
}

function accuracy(faults: readonly Answer[]): Figures {
  const within = (k: number) => percent(faults, ({ rank }) => rank <= k);
  return Object.fromEntries(KS.map((k) => [`AS@${k}`, within(k)]));
}

function percent<T>(items: readonly T[], is: (item: T) => boolean): number {
  return items.length === 0 ? 0 : (100 * items.filter(is).length) / items.length;
}

const isAlarm = ({ verdict }: Answer) => verdict.outcome === "incident";

function resultOf(
  answers: readonly Answer[],
  ablation: Readonly<Record<string, Figures>>,
  left: readonly string[],
): SuiteResult {
  const faults = faultsOf(answers);
  const quiet = answers.filter(({ one }) => one.service === undefined);
  const byType = Map.groupBy(faults, ({ one }) => one.kind);
  const groups = [...byType].map(([kind, own]): [string, Figures] => [
    kind,
    { cases: own.length, ...accuracy(own), alarmed: percent(own, isAlarm) },
  ]);
  return {
    cases: faults.length,
    metrics: {
      ...accuracy(faults),
      alarmed: percent(faults, isAlarm),
      fault_free_windows: quiet.length,
      fault_free_alarms: quiet.filter(isAlarm).length,
    },
    byGroup: { ...Object.fromEntries(groups), ...ablation },
    outcomes: answers.map(outcomeOf),
    left,
  };
}

function outcomeOf({ one, verdict, rank }: Answer): CaseOutcome {
  const first = verdict.causes[0];
  const words = first ? `${first.service} · ${first.mechanism}` : "nothing";
  const place = Number.isFinite(rank) ? `, the right one ${rank}` : "";
  const right = one.service === undefined ? !isAlarm({ one, verdict, rank }) : rank === 1;
  return {
    name: one.name,
    right,
    expected: one.service ?? "no alarm",
    answered: `${verdict.outcome}: ${words}${right ? "" : place}`,
  };
}
