/**
 * What Prometheus means by its errors, where the HTTP status alone does not say it.
 * Source: web/api/v1 (`errorType` to status) and promql (the messages); read on 2.42. Pure.
 */
import { limits, PetrelError } from "../../core/mod.ts";

/** The step in whole seconds, in milliseconds, that keeps a range within Prometheus's limit of points. */
export function stepForRangeMs(lengthMs: number): number {
  return Math.max(1, Math.ceil(lengthMs / limits.PROM_POINTS_MAX / 1000)) * 1000;
}

/**
 * Refuses a range that Prometheus would refuse: more than 11,000 steps a series
 * (`exceeded maximum resolution`). Throws TOO_LARGE; `fields.stepMs` is a step that works.
 */
export function checkRange(startMs: number, endMs: number, stepMs: number): void {
  const finite = Number.isFinite(startMs) && Number.isFinite(endMs) && Number.isFinite(stepMs);
  if (!finite || stepMs < 1 || endMs < startMs) {
    const message = `the range from ${startMs} to ${endMs} ms with a step of ${stepMs} ms is not a range`;
    throw new PetrelError("QUERY_REFUSED", `prometheus: ${message}`, { path: "range", message });
  }
  const steps = Math.floor((endMs - startMs) / stepMs);
  if (steps > limits.PROM_POINTS_MAX) throw tooManyPoints(endMs - startMs, `${steps} points`);
}

function tooManyPoints(lengthMs: number, asked: string, cause?: unknown): PetrelError {
  const stepMs = stepForRangeMs(lengthMs);
  const limit = limits.PROM_POINTS_MAX;
  return new PetrelError(
    "TOO_LARGE",
    `prometheus: ${asked} for each series, at most ${limit} are allowed; use a step of ${stepMs / 1000}s or more`,
    { system: "prometheus", limit, stepMs },
    cause,
  );
}

/**
 * Sharpens an error of the HTTP call by Prometheus's own message. `lengthMs` is the range asked for.
 * Anything it does not know passes through unchanged.
 */
export function explainFailure(error: unknown, lengthMs = 0): unknown {
  if (!(error instanceof PetrelError)) return error;
  const { status } = error.fields;
  const said = String(error.fields["message"] ?? "");
  const fields = { ...error.fields };
  if (status === 404) {
    const text =
      "prometheus: no query API at this address (HTTP 404); check the address and its path";
    return new PetrelError("CONFIG_INVALID", text, { ...fields, path: "prometheus.url" }, error);
  }
  if (status === 400 && said.includes("exceeded maximum resolution")) {
    return tooManyPoints(lengthMs, "too many points", error);
  }
  if (status === 422 && said.includes("too many samples")) {
    const text = `prometheus: ${said}; ask for fewer series or a shorter range`;
    return new PetrelError("TOO_LARGE", text, { ...fields, limit: "query.max-samples" }, error);
  }
  if (status === 503 && /timed out|timeout/i.test(said)) {
    return new PetrelError("DEADLINE_EXCEEDED", `prometheus: ${said}`, fields, error);
  }
  return error;
}
