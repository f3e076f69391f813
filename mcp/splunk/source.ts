/**
 * A window of logs as a stream of rows: the form in which an agent reads Splunk. Pulled batch by
 * batch; a slow reader slows Splunk. Holds no rows.
 */
import { PetrelError, type Window } from "../../core/mod.ts";
import { decodeSplunkExport, type RowBatch } from "../../streams/mod.ts";
import type { SplunkClient } from "./client.ts";
import { type SplunkQuery, splString } from "./spl.ts";

/** What to read; the window comes apart. */
export interface SplunkLogQuery {
  readonly index?: string | undefined;
  readonly search?: string | undefined;
  readonly services?: readonly string[] | undefined;
}

export interface SplunkSourceOptions {
  /** Used where a query names no index. */
  readonly index: string;
  /** The field that holds the service's name; default `service`. */
  readonly serviceField?: string;
}

export interface SplunkSource {
  readonly name: "splunk";
  /** Rows of the window. Throws what the client and the export decoder throw, on the first pull. */
  open(query: SplunkLogQuery, window: Window, signal: AbortSignal): AsyncIterable<RowBatch>;
  /**
   * The same search for a person, narrowed to lines with all `terms`. Terms may come from logs: one
   * that is not safe in SPL is left out. Undefined without a web address.
   */
  link(query: SplunkLogQuery, window: Window, terms?: readonly string[]): string | undefined;
}

/** A service filter in a typed field; the rest as it is. */
export function toSplunkQuery(
  query: SplunkLogQuery,
  window: Window,
  { index, serviceField = "service" }: SplunkSourceOptions,
): SplunkQuery {
  return {
    index: query.index ?? index,
    window,
    ...(query.search === undefined ? {} : { search: query.search }),
    ...(query.services === undefined ? {} : { filters: { [serviceField]: query.services } }),
  };
}

/** Terms as quoted phrases, those left out that SPL could misread. */
function safeTerms(terms: readonly string[]): string[] {
  return terms.flatMap((term) => {
    try {
      return [splString(term, "term")];
    } catch (error) {
      if (error instanceof PetrelError) return [];
      throw error;
    }
  });
}

export function makeSplunkSource(client: SplunkClient, options: SplunkSourceOptions): SplunkSource {
  return {
    name: "splunk",
    open: async function* open(query, window, signal) {
      const body = await client.export(toSplunkQuery(query, window, options), signal);
      yield* decodeSplunkExport(body, { signal });
    },
    link: (query, window, terms = []) => {
      const narrowing = safeTerms(terms).join(" ");
      const parts = [query.search ?? "", narrowing].filter((part) => part !== "");
      const search = parts.length === 0 ? undefined : parts.join(" | search ");
      return client.searchLink(toSplunkQuery({ ...query, search }, window, options));
    },
  };
}
