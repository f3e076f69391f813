/** `petrel investigate`: one window, now, against the configured systems. */
import {
  ERROR_CODES,
  PetrelError,
  parseInstantMs,
  unlessAborted,
  type Window,
} from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { commandLogger, makeOutput } from "../output.ts";
import { evidenceHere, startTeam } from "../team.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  from: { type: "string" },
  to: { type: "string" },
  baseline: { type: "string", multiple: true },
  json: { type: "boolean" },
  remote: { type: "boolean" },
  alerted: { type: "boolean" },
} as const;

/** A system was away, so there is no saying: the exit code of a system that is away. */
const INCONCLUSIVE = ERROR_CODES.UNAVAILABLE.exitCode;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const window = windowOf(values.from, values.to, "--from/--to");
  const baseline = (values.baseline ?? []).map((text) => {
    const [from, to] = text.split("/");
    return windowOf(from, to, "--baseline");
  });
  const config = configFrom(values);
  const output = makeOutput(values.json ?? false);
  const evidence = evidenceHere(config, values.remote ?? false);
  const team = await startTeam(config, commandLogger("warn"), {
    evidence,
    onEvent: output.onEvent,
  });
  try {
    const verdict = await unlessAborted(
      team.sre.investigate(window, {
        alerted: values.alerted ?? false,
        ...(baseline.length > 0 && { baseline }),
      }),
      signal,
    );
    if (!verdict) throw new PetrelError("CONFLICT", "another SRE agent took this investigation");
    const { envelopes } = await team.tally(signal);
    output.result([verdict], envelopes);
    return verdict.outcome === "inconclusive" ? INCONCLUSIVE : 0;
  } finally {
    output.end();
    await team.stop();
  }
}

function windowOf(from: string | undefined, to: string | undefined, what: string): Window {
  if (from === undefined || to === undefined)
    throw new PetrelError("USAGE", `${what}: both ends are needed`);
  const window = { startMs: parseInstantMs(from, what), endMs: parseInstantMs(to, what) };
  if (window.startMs >= window.endMs)
    throw new PetrelError("USAGE", `${what}: the start must be before the end`);
  return window;
}
