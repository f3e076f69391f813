/** What the supervisor agent is made of. cli/ passes it in. */
import type { Clock, Logger } from "../../core/mod.ts";
import type { Llm } from "../explain/ports.ts";
import type { SkillPort } from "./port.ts";
import type { TimeLimits } from "./times.ts";

export interface SupervisorOptions extends TimeLimits {
  readonly skills: SkillPort;
  readonly clock: Clock;
  readonly log: Logger;
  /** Wait after a window's end until its logs have arrived. */
  readonly settleMs: number;
  /** For questions that the rules do not understand. */
  readonly llm?: Llm;
  /** Applied to what a model gets. */
  readonly redact: (text: string) => string;
}
