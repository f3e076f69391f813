/** The supervisor agent, and what it says to whoever asks it. */
export { makeSupervisorAgent } from "./agent.ts";
export type { SupervisorOptions } from "./options.ts";
export { meshSkills, type SkillAnswer, type SkillCall, type SkillPort } from "./port.ts";
export {
  ANSWER_SCHEMA,
  Answer,
  ASK_SKILL,
  type Citation,
  QUESTION_CHARS_MAX,
  Question,
  readAnswer,
} from "./record.ts";
export { readVerdict } from "./verdict-answer.ts";
