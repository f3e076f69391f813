/**
 * The words of an incident that is not about a service's fault: a source that cannot be read, too many
 * incidents, a window nobody can explain. No model is asked, and nothing of a fault that the same window
 * shows is in them: that is told by its own incident. Pure.
 */
import { formatWindow } from "../../core/mod.ts";
import { plainWords } from "../explain/plain.ts";
import type { Explanation } from "../explain/record.ts";
import type { Verdict } from "../sre/records.ts";
import type { Head } from "./book.ts";
import { titleOf } from "./compose.ts";
import { PETREL, unreadSources } from "./sighting.ts";
import { windowMsOf } from "./times.ts";

/** What it is told with; only for incidents that are no fault. */
export function ownWords(head: Head, verdict: Verdict): Explanation {
  const title = titleOf(head);
  const plain = plainWords(verdict);
  if (!isOfPetrel(head)) return { ...plain, title };
  const when = `${formatWindow(windowMsOf(verdict.window))} UTC`;
  const why = unreadWords(verdict);
  const text = `${when}: ${head.mechanism}.${why === "" ? "" : ` ${why}.`}`;
  const next = why === "" ? [] : ["Check the sources that did not answer: petrel doctor."];
  return { ...plain, title, text: text.slice(0, 4_000), next };
}

/** The verdict as far as it is about the incident: what a service showed is no evidence against Petrel. */
export function ownVerdict(head: Head, verdict: Verdict | undefined): Verdict | undefined {
  return verdict && isOfPetrel(head) ? { ...verdict, causes: [], evidence: [] } : verdict;
}

function isOfPetrel({ kind, service }: Head): boolean {
  return kind !== "fault" && service === PETREL;
}

function unreadWords(verdict: Verdict): string {
  return unreadSources(verdict)
    .map((agent) => `${agent}: ${verdict.sources[agent]?.reason ?? "no reason was given"}`)
    .join("; ");
}
