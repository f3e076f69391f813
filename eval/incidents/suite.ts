/**
 * One alarm per fault: each recorded fault goes on for eleven windows and is over afterwards, through the
 * whole system with a language model, and what a sink receives is counted. The data has three minutes of
 * logs per fault, so the fault's window is repeated (sim/replay/lasting.ts), and the windows afterwards are
 * made of the fault-free minutes. All faults are in one book of incidents, in the order of their time, so
 * that grouping over faults is tested with them: a fault that comes back soon after it was resolved is the
 * same incident, opened again, and that is its one alarm.
 *
 * The agents are not told that something is wrong. What raises no alarm by itself is counted as such.
 */
import { PetrelError, parseConfig } from "../../core/mod.ts";
import { loadNezha, loadTrainTicket, paymentScenario, type Recording } from "../../sim/mod.ts";
import { nezhaFolder } from "../nezha/folder.ts";
import { checkSignal, type EvalOptions, type Figures, type Suite } from "../report.ts";
import { count, figuresOf, isRight, type Seen, type Told, wordsOf } from "./count.ts";
import { type Episode, type Line, layOut, type RecordedFault } from "./episodes.ts";
import { nezhaFaults, recordedFaults } from "./faults.ts";
import type { IncidentLab, IncidentWatch } from "./lab.ts";

/** The window that shows a fault first, and ten that follow. */
const FAULTY_WINDOWS = 11;
/** More quiet windows than it takes to resolve: what comes late is seen. */
const SPARE_WINDOWS = 1;

/** A recording, and the faults in it that are to last, in the order of their time. */
export interface Part {
  readonly recording: Recording;
  readonly faults: readonly RecordedFault[];
}

export function incidents(lab: IncidentLab): Suite {
  return async (options) => {
    const { parts, left } = await partsIn(options.dir);
    const told = await follow(lab, parts, options);
    return {
      cases: told.length,
      metrics: figuresOf(told),
      byGroup: byKind(told),
      outcomes: told.map((one) => ({
        name: one.episode.name,
        right: isRight(one),
        expected: "one alarm, resolved once it is over",
        answered: wordsOf(one),
      })),
      left,
    };
  };
}

/** Nezha's faults where `dir` has them, otherwise those that come with Petrel; then the seed scenario. */
async function partsIn(dir: string): Promise<{ parts: Part[]; left: string[] }> {
  const payment = paymentScenario();
  const seed = { recording: payment, faults: recordedFaults(payment) };
  const folder = nezhaFolder(dir);
  if (folder === undefined) {
    const own = await loadTrainTicket();
    const parts = [{ recording: own, faults: recordedFaults(own) }, seed];
    return { parts, left: [`${dir}: no faults.json there: the faults that come with Petrel`] };
  }
  const nezha = await loadNezha(folder);
  const faults = await nezhaFaults(nezha);
  const known = nezha.cases.filter(({ service }) => service !== undefined).length;
  const lost = known - faults.length;
  return {
    parts: [{ recording: nezha, faults }, seed],
    left: lost === 0 ? [] : [`${folder}: ${lost} faults without a fault-free minute to end in`],
  };
}

/** Lays the parts out one behind the other, and watches every window. */
export async function follow(
  lab: IncidentLab,
  parts: readonly Part[],
  { signal, onProgress }: Pick<EvalOptions, "signal" | "onProgress">,
): Promise<Told[]> {
  const lines = laidOut(parts);
  const episodes = lines.flatMap((line) => line.episodes);
  if (episodes.length === 0) throw new PetrelError("USAGE", "there is no fault to follow");
  const recordings = lines.map(({ recording }) => recording);
  await using watch = await lab.watch(recordings, signal);
  const all: Told[] = [];
  for (const episode of episodes) {
    const told = count(episode, await followOne(watch, episode, signal));
    all.push(told);
    onProgress?.(all.length, episodes.length, episode.name);
  }
  return all;
}

function laidOut(parts: readonly Part[]): Line[] {
  const { alarms } = parseConfig("", {}, "defaults");
  const quiet = alarms.resolve_after_windows + SPARE_WINDOWS;
  const lines: Line[] = [];
  for (const { recording, faults } of parts) {
    const startMs = lines.at(-1)?.endMs ?? faults[0]?.before.startMs ?? 0;
    lines.push(layOut(recording, faults, startMs, { faulty: FAULTY_WINDOWS, quiet }));
  }
  return lines;
}

async function followOne(
  watch: IncidentWatch,
  { faulty, quiet, baseline }: Episode,
  signal: AbortSignal,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  for (const window of [...faulty, ...quiet]) {
    checkSignal(signal, "incidents");
    const watched = await watch.look(window, baseline);
    seen.push({ ...watched, at: seen.length, isFaulty: seen.length < faulty.length });
  }
  return seen;
}

function byKind(told: readonly Told[]): Record<string, Figures> {
  const groups = Map.groupBy(told, ({ episode }) => episode.kind);
  return Object.fromEntries([...groups].map(([kind, own]) => [kind, figuresOf(own)]));
}
