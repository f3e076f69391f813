/**
 * What a stand-in can read in a digest: lines of JSON about causes, evidence and tools. It reads the digest
 * as a model does, from the prompt alone; a line it does not know is passed over.
 */

export interface PromptCause {
  readonly service: string;
  readonly mechanism: string;
  readonly evidence: readonly string[];
}

export interface PromptFacts {
  /** By rank. */
  readonly causes: readonly PromptCause[];
  readonly evidence: readonly {
    readonly id: string;
    readonly service: string;
    readonly summary: string;
  }[];
  /** Names of the tools that may be asked for. */
  readonly tools: readonly string[];
}

type Line = Readonly<Record<string, unknown>>;

/** The signs that a digest replaces, put back. */
function restored(text: string): string {
  return text.replaceAll("‹", "<").replaceAll("›", ">");
}

/** The JSON objects of a prompt that stand on a line of their own. */
function linesOf(prompt: string): Line[] {
  return prompt.split("\n").flatMap((line) => {
    if (!line.startsWith("{")) return [];
    try {
      const value: unknown = JSON.parse(line);
      return typeof value === "object" && value !== null ? [{ ...value }] : [];
    } catch {
      return [];
    }
  });
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

export function factsIn(prompt: string): PromptFacts {
  const lines = linesOf(prompt);
  return {
    causes: lines.flatMap(({ rank, service, mechanism, evidence }) =>
      typeof rank === "number" && typeof service === "string" && typeof mechanism === "string"
        ? [
            {
              service: restored(service),
              mechanism: restored(mechanism),
              evidence: textsIn(evidence),
            },
          ]
        : [],
    ),
    evidence: lines.flatMap(({ id, service, summary }) =>
      typeof id === "string" && typeof service === "string" && typeof summary === "string"
        ? [{ id, service: restored(service), summary }]
        : [],
    ),
    tools: lines.flatMap(({ tool, id }) =>
      typeof tool === "string" && id === undefined ? [tool] : [],
    ),
  };
}
