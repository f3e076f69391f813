/** Agents for tests under the permissions of deploy/nats: each name with the skill it may serve. */
import type { AgentDefinition } from "../../a2a/mod.ts";
import { worker } from "../a2a/echo.ts";

const SKILLS: Readonly<Record<string, string>> = {
  sre: "investigate",
  splunk: "log-findings",
  metrics: "metric-findings",
  supervisor: "ask",
};

export function skillOf(name: string): string {
  return SKILLS[name] ?? name;
}

/** The tests' worker under a name of deploy/nats. */
export function workerAs(name: string, more: Partial<AgentDefinition> = {}): AgentDefinition {
  const id = skillOf(name);
  const skills = [{ id, name: id, description: "Works.", tags: ["test"] }];
  return { ...worker, name, skills, ...more };
}
