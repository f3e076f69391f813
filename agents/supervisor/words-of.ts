/**
 * Sentences of an answer, within its bound, and what they cite. Texts of logs, models and peers become
 * plain lines that cannot pass for a citation.
 */
import { ANSWER_CHARS_MAX, CITATIONS_MAX, type Citation } from "./record.ts";
import { plainText } from "./text.ts";

const CUT = "More was found than fits here.";

/** A text from outside as a part of a sentence: one line, bounded, without a mark that cites. */
export function quoted(text: string, charsMax: number): string {
  const line = plainText(text, charsMax + 1).replace(/\[(?=[eia]\d{1,3}\])/g, "(");
  return line.length > charsMax ? `${line.slice(0, charsMax - 1)}…` : line;
}

/** As many of the sentences as fit; says so where some do not. */
export function joined(sentences: readonly string[]): string {
  let text = "";
  for (const sentence of sentences.filter((one) => one !== "")) {
    const longer = text === "" ? sentence : `${text} ${sentence}`;
    if (longer.length > ANSWER_CHARS_MAX - CUT.length - 1)
      return text === "" ? longer.slice(0, ANSWER_CHARS_MAX) : `${text} ${CUT}`;
    text = longer;
  }
  return text;
}

/** Those of the citations that the text makes, in its order. */
export function citedIn(text: string, all: readonly Citation[]): Citation[] {
  const byId = new Map(all.map((one) => [one.id, one]));
  const ids = [...text.matchAll(/\[([eia]\d{1,3})\]/g)].map(([, id = ""]) => id);
  return [...new Set(ids)].flatMap((id) => byId.get(id) ?? []).slice(0, CITATIONS_MAX);
}

/** `one incident`, `3 incidents`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return count === 1 ? `one ${one}` : `${count} ${many}`;
}

/** `a, b and c`. */
export function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** Its first letter as a sentence begins. */
export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
