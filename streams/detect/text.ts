/** What findings may quote from log lines, and whom those lines name. */
import { limits } from "../../core/mod.ts";
import type { TemplateCounts } from "../model.ts";
import { clip } from "./draft.ts";
import { mentionsIn } from "./symptoms.ts";

export interface TextOptions {
  /** Removes secrets; every quoted text passes through it. */
  readonly redact: (text: string) => string;
  /** Names of services that a text may mention. */
  readonly known: ReadonlySet<string>;
}

/** Redacted and bounded. Redaction comes first, since a cut secret is harder to recognise. */
export function exemplarsOf(template: TemplateCounts, text: TextOptions): string[] {
  return template.exemplars
    .slice(0, limits.EXEMPLARS_MAX)
    .map((line) => clip(text.redact(line), limits.EXEMPLAR_CHARS_MAX));
}

/** Services named in `words`, as findings carry them. */
export function mentionsOf(words: string, text: TextOptions, self: string): string[] {
  return mentionsIn(words, text.known, self).map((name) => clip(name, 200));
}
