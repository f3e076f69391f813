/**
 * Whether each sentence says something that was measured, in more than words of its own. What was only
 * logged counts for nothing here: anybody may have written it. Pure.
 */
import { isSaid, numbersOf } from "./numbers.ts";
import { tellingStems } from "./stems.ts";
import type { Claim } from "./support.ts";
import { comparable } from "./text.ts";
import { passingTopics } from "./topics.ts";

/**
 * What the statistics say has to be in every sentence: what was only logged supports nothing, for anybody
 * may have written it. And a sentence may not have more words of its own than of theirs.
 */
export function wrongWords(claim: Claim): string | undefined {
  if (claim.kind === "step") return undefined;
  for (const sentence of sentencesOf(claim.rest)) {
    const why = wrongSentence(sentence, claim);
    if (why !== undefined) return why;
  }
  return undefined;
}

function wrongSentence(sentence: string, { kind, named, cited }: Claim): string | undefined {
  const telling = tellingStems(sentence);
  const known = telling.filter((one) => cited.some((fact) => fact.ownStems.has(one)));
  const own = telling.filter((one) => cited.every((fact) => !fact.stems.has(one)));
  const isAbout = [...passingTopics(sentence)].some((one) =>
    cited.some((fact) => fact.ownTopics.has(one)),
  );
  // A measured number holds a sentence that has no word but the evidence's, and names whose it is.
  const isCounted = own.length === 0 && named.size > 0 && countsMeasured(sentence, cited);
  const isAnchored = known.length > 0 || isAbout || isCounted;
  const isSuffering = kind === "blast" && named.size > 0 && telling.length === 0;
  if (!isAnchored && !isSuffering) return "says nothing that was measured";
  return own.length > OWN_WORDS_FREE && own.length > known.length
    ? "says more of its own than of the cited evidence"
    : undefined;
}

const OWN_WORDS_FREE = 1;
/** Smaller numbers are met by accident. */
const TELLING_MIN = 20;

function countsMeasured(sentence: string, cited: Claim["cited"]): boolean {
  const known = cited.flatMap((fact) => fact.measured);
  return numbersOf(sentence).quantities.some(
    (said) => said.value >= TELLING_MIN && isSaid(said, known),
  );
}

/** The sentences of a text in the comparable form, without what they quote. */
export function sentencesOf(text: string): string[] {
  const plain = withoutQuotes(comparable(text));
  return plain.split(/(?<=[.!?])\s+/).filter((one) => /\p{L}/u.test(one));
}

/** A text in its comparable form, without what it quotes. */
export function withoutQuotes(text: string): string {
  return text.replace(/"[^"]*"/g, " ");
}
