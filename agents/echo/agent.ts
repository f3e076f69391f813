/**
 * An agent on one page: to try the mesh with, and to begin one's own from. It says a text again, word by
 * word. docs/write-an-agent.md walks through it. It reads nothing but the message and reaches no system.
 */
import { z } from "zod";
import { type AgentDefinition, type Turn, type TurnResult, textPart } from "../../a2a/mod.ts";
import type { Clock } from "../../core/mod.ts";

const WORDS_MAX = 1_000;

/** What a data part may ask for, beside the text. It comes from outside, so it is checked. */
const Wishes = z.object({
  /** Milliseconds before each word. A slow echo can be watched, left, found again and cancelled. */
  everyMs: z.number().int().min(0).max(60_000).default(0),
});

/** What others see of the agent, and what it does with a message. */
export function makeEchoAgent(clock: Clock): AgentDefinition {
  return {
    name: "echo",
    description: "Says a text again, word by word.",
    version: "1.0.0",
    skills: [
      {
        id: "echo",
        name: "Echo",
        description: "Says the text again.",
        tags: ["text", "example"],
        examples: ["the quick brown fox"],
      },
      {
        id: "shout",
        name: "Shout",
        description: "Says it in capitals.",
        tags: ["text", "example"],
        // Who comes through a gateway needs this scope in the token; whoever is in the mesh does not.
        scopes: ["echo:shout"],
      },
    ],
    // Saying a text twice harms nobody: if this replica dies, another begins the turn anew.
    repeatable: true,
    run: (turn) => echo(turn, clock),
  };
}

/** One turn: a message came in, and the task is told what becomes of it. */
async function echo(turn: Turn, clock: Clock): Promise<TurnResult> {
  const wishes = Wishes.safeParse(turn.data ?? {});
  if (!wishes.success) {
    const [issue] = wishes.error.issues;
    return { kind: "rejected", text: `data.${issue?.path.join(".")}: ${issue?.message}` };
  }
  const words = turn.text.split(/\s+/).filter(Boolean);
  if (words.length > WORDS_MAX) {
    return { kind: "rejected", text: `${words.length} words, at most ${WORDS_MAX}` };
  }
  // The task waits for its caller, and nobody for the task. The next message to it is the next turn.
  if (words.length === 0) return { kind: "input-required", text: "What shall I say?" };
  const isLoud = turn.message.metadata?.["skillId"] === "shout";
  for (const [at, word] of words.entries()) {
    // Rejects when the task is cancelled or the replica stops; what is thrown ends the task.
    await clock.sleep(wishes.data.everyMs, turn.signal);
    const said = at + 1;
    turn.progress(`word ${said} of ${words.length}`, { said, of: words.length });
    // Waits while the log is behind, so that no agent is faster than its tasks can be stored.
    await turn.chunk("echo", textPart(isLoud ? `${word.toUpperCase()} ` : `${word} `), {
      last: said === words.length,
    });
  }
  return { kind: "completed", text: "That was all.", data: { words: words.length } };
}
