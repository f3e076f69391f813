/** The dependency graph: who can suffer from whom. */
import type { Dependency } from "../findings.ts";

/**
 * A pair seen less often than this share of the caller's busiest call is left out: lines of two callees
 * of one caller may follow each other by chance.
 */
const SHARE_MIN = 0.02;
/** Callers of callers are believed to feel a fault this far up. */
const DEPTH_MAX = 4;

/** Calls by how they are known. */
export interface Calls {
  /** From the order of lines in traces. */
  readonly guessed: readonly Dependency[];
  /**
   * From the words of errors, which say the direction more surely than the order of lines: that misleads
   * where a service logs a request only when it ends.
   */
  readonly spoken: readonly Dependency[];
  /** From metrics of calls, or from the configuration: all of them hold. */
  readonly certain: readonly Dependency[];
}

/**
 * All calls that hold, each once: those that are certain, and of the others the likely, each pair in the
 * direction seen more often, most frequent first.
 */
export function knownCalls({ guessed, spoken, certain }: Calls): Dependency[] {
  const sure = new Map(certain.map((one) => [`${one.caller}>${one.callee}`, one]));
  // Counts of metrics and of traces are of different things: only the direction is taken from what is sure.
  const likely = onlyLikely([...turned(guessed, [...spoken, ...certain]), ...spoken]);
  const others = likely.filter(({ caller, callee }) => !sure.has(`${caller}>${callee}`));
  return [...sure.values(), ...others];
}

/** The calls, those turned round whose opposite is spoken of and which are not. */
function turned(calls: readonly Dependency[], spoken: readonly Dependency[]): Dependency[] {
  const told = new Set(spoken.map(({ caller, callee }) => `${caller}>${callee}`));
  return calls.map((call) => {
    const { caller, callee, count } = call;
    const wrong = told.has(`${callee}>${caller}`) && !told.has(`${caller}>${callee}`);
    return wrong ? { caller: callee, callee: caller, count } : call;
  });
}

function onlyLikely(calls: readonly Dependency[]): Dependency[] {
  const merged = new Map<string, Dependency>();
  const busiest = new Map<string, number>();
  for (const { caller, callee, count } of calls) {
    const pair = `${caller}>${callee}`;
    const sum = count + (merged.get(pair)?.count ?? 0);
    merged.set(pair, { caller, callee, count: sum });
    busiest.set(caller, Math.max(busiest.get(caller) ?? 0, sum));
  }
  return [...merged.values()]
    .filter(({ caller, callee, count }) => {
      const back = merged.get(`${callee}>${caller}`)?.count ?? 0;
      return count > back && count >= SHARE_MIN * (busiest.get(caller) ?? 0);
    })
    .sort((a, b) => b.count - a.count || (a.caller + a.callee < b.caller + b.callee ? -1 : 1));
}

export class CallGraph {
  readonly #callees = new Map<string, Set<string>>();
  readonly #callers = new Map<string, Set<string>>();

  constructor(dependencies: readonly Dependency[]) {
    for (const { caller, callee } of dependencies) {
      if (caller === callee) continue;
      link(this.#callees, caller, callee);
      link(this.#callers, callee, caller);
    }
  }

  /** All that `service` calls, itself left out, with the number of steps. */
  below(service: string): Map<string, number> {
    return reach(this.#callees, service);
  }

  /** All that call `service`, itself left out, with the number of steps. */
  above(service: string): Map<string, number> {
    return reach(this.#callers, service);
  }
}

function link(table: Map<string, Set<string>>, from: string, to: string): void {
  const known = table.get(from) ?? new Set<string>();
  known.add(to);
  table.set(from, known);
}

function reach(
  table: ReadonlyMap<string, ReadonlySet<string>>,
  start: string,
): Map<string, number> {
  const found = new Map<string, number>([[start, 0]]);
  let frontier = [start];
  for (let depth = 1; depth <= DEPTH_MAX && frontier.length > 0; depth++) {
    const next: string[] = [];
    for (const service of frontier.flatMap((name) => [...(table.get(name) ?? [])])) {
      if (found.has(service)) continue;
      found.set(service, depth);
      next.push(service);
    }
    frontier = next;
  }
  found.delete(start);
  return found;
}
