/** Reads an issue's `target.json`: which node's metric suffers, since when, and which node is the cause. */
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";

const Shape = z.object({
  target: z.object({
    node: z.string().min(1),
    /** `latency` or `availability`. */
    metric: z.string().min(1),
    /** Seconds UTC. */
    timestamp: z.coerce.number().positive(),
  }),
  root_cause: z.object({ node: z.string().min(1) }),
});

export interface Target {
  readonly node: string;
  readonly metric: string;
  readonly timeMs: number;
  readonly rootCause: string;
}

/** Throws USAGE with the file and the field that is wrong. */
export function parseTarget(file: string, text: string): Target {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new PetrelError("USAGE", `${file}: no JSON`, { file }, error);
  }
  const read = Shape.safeParse(json);
  if (!read.success) {
    const issue = read.error.issues[0];
    const field = issue?.path.join(".") ?? "";
    throw new PetrelError("USAGE", `${file}: ${field}: ${issue?.message ?? "not as expected"}`, {
      file,
      path: field,
    });
  }
  const { target, root_cause } = read.data;
  return {
    node: target.node,
    metric: target.metric,
    timeMs: 1_000 * target.timestamp,
    rootCause: root_cause.node,
  };
}
