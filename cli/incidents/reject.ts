/** `petrel incidents reject ID`: a person says that this was not the cause. */
import { judge } from "./judge.ts";

export function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  return judge("reject", argv, signal);
}
