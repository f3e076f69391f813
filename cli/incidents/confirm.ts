/** `petrel incidents confirm ID`: a person says that this was the cause. */
import { judge } from "./judge.ts";

export function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  return judge("confirm", argv, signal);
}
