/** `petrel watch`: every window as it ends, shown as it happens. */
import type { SreEvent, Verdict } from "../../agents/mod.ts";
import { PetrelError, parseDurationMs } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { commandLogger, makeOutput } from "../output.ts";
import { verdictJson } from "../render/investigation.ts";
import { evidenceHere, startTeam } from "../team.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  every: { type: "string" },
  json: { type: "boolean" },
  remote: { type: "boolean" },
  windows: { type: "string" },
} as const;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const config = configFrom(values);
  const everyMs =
    values.every === undefined ? config.sre.every : parseDurationMs(values.every, "--every");
  const windowsMax =
    values.windows === undefined ? Number.POSITIVE_INFINITY : wholeNumber(values.windows);
  const output = makeOutput(values.json ?? false);
  const enough = new AbortController();
  const stop = AbortSignal.any([signal, enough.signal]);
  const verdicts = new Map<string, Verdict>();
  const onEvent = (event: SreEvent) => {
    output.onEvent(event);
    if (event.type === "verdict") verdicts.set(event.id, event.verdict);
    if (event.type !== "closed") return;
    const verdict = verdicts.get(event.id);
    if (verdict && output.json) process.stdout.write(`${JSON.stringify(verdictJson(verdict))}\n`);
    if (verdicts.size >= windowsMax) enough.abort();
    else if (windowsMax === Number.POSITIVE_INFINITY) verdicts.delete(event.id);
  };
  const evidence = evidenceHere(config, values.remote ?? false);
  const team = await startTeam(config, commandLogger(config.log.level), { evidence, onEvent });
  try {
    const schedule = {
      everyMs,
      settleMs: config.sre.settle,
      catchUpMax: config.sre.catch_up_windows,
    };
    await team.sre.watch(schedule, stop);
    return 0;
  } finally {
    output.end();
    await team.stop();
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new PetrelError("USAGE", `--windows "${text}" is not a whole number above 0`, {
    path: "windows",
  });
}
