/** The kinds of value that keys of the configuration have in common. */
import { z } from "zod";
import { parseDurationMs } from "./window.ts";

/** A timer counts to 2^31 - 1 ms, nearly 25 days; a longer wait would end at once. */
export const DURATION_MS_MAX = 20 * 86_400_000;

export const Duration = z
  .string()
  .refine(isDuration, "must be a duration such as 30s, 5m or 1h, at most 20d")
  .transform((text) => parseDurationMs(text));
export const Url = z.url({ protocol: /^https?$/ });
export const Label = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be a Prometheus label name");
export const Secret = z.string().min(1);
export const Path = z.string().min(1);

export const Tls = z.strictObject({
  ca_file: Path.optional(),
  cert_file: Path.optional(),
  key_file: Path.optional(),
});

function isDuration(text: string): boolean {
  try {
    const ms = parseDurationMs(text);
    return ms > 0 && ms <= DURATION_MS_MAX;
  } catch {
    return false;
  }
}
