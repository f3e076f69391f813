/**
 * The code as the lines of one window show it: its services, the statements that write lines, and
 * which of them follow which. Bounded by core/limits.ts. It counts nothing by itself.
 */
import { limits } from "../core/mod.ts";
import type { LogRecord } from "./model.ts";
import { DurationSketch } from "./sketch.ts";

export interface OpenService {
  readonly name: string;
  readonly index: number;
  /** Stands for the start of a request. */
  readonly start: OpenStatement;
  /** By raw logger or template id, and by name. */
  readonly statements: Map<string, OpenStatement>;
  readonly edges: Map<OpenService, OpenEdge>;
}

/** Counts, and the number of the trace that was counted last: each trace counts once. */
export interface OpenStatement {
  /** Its number among all of the window; a start has none. */
  readonly index: number;
  readonly statement: string;
  readonly error: boolean;
  traces: number;
  lastTrace: number;
  erredTraces: number;
  lastErred: number;
  /** What follows; `undefined` is the end of the request. */
  readonly next: Map<OpenStatement | undefined, OpenTransition>;
  /** Requests of other services that begin right after it, by the number of their first statement. */
  readonly entries: Map<number, OpenEntry>;
}

export interface OpenEntry {
  traces: number;
  lastTrace: number;
}

export interface OpenTransition {
  count: number;
  traces: number;
  lastTrace: number;
  readonly gaps: DurationSketch;
}

export interface OpenEdge {
  calls: number;
  readonly gaps: DurationSketch;
}

/** A statement and the service it is part of. */
export interface Place {
  readonly service: OpenService;
  readonly statement: OpenStatement;
}

const LINE_NUMBER = /[#:]\d{1,6}$/;

/** A logger that ends in `#34` or `:34` names the very line of code. */
export function codeLocationOf(logger: string | undefined): string | undefined {
  const found = /(?:^|\.)([A-Za-z_$][\w$]*)[#:](\d{1,6})$/.exec(logger ?? "");
  return found === null ? undefined : `${found[1]}#${found[2]}`;
}

export class StatementTable {
  readonly #services = new Map<string, OpenService>();
  /** By the index of the statement. */
  readonly #places: Place[] = [];

  get services(): Iterable<OpenService> {
    return this.#services.values();
  }

  /** The place of a statement that {@link indexOf} has numbered. */
  at(index: number): Place | undefined {
    return this.#places[index];
  }

  /**
   * The number of the statement that wrote a record; `undefined` when the table is full. `templateId`
   * names the statement when the logger carries no line number.
   */
  indexOf(record: LogRecord, templateId: string): number | undefined {
    const service = this.#serviceOf(record.service);
    if (service === undefined) return undefined;
    const { logger = "" } = record;
    // The raw logger is the key, so that its line number is read once per statement, not per line.
    const known = service.statements.get(logger) ?? service.statements.get(templateId);
    if (known !== undefined) return known.index;
    if (this.#places.length >= limits.TEMPLATES_MAX) return undefined;
    const name = codeLocationOf(logger) ?? templateId;
    const error = record.level === "ERROR" || record.level === "FATAL";
    // Two loggers of one class name share a location, as far as the location tells.
    const statement = service.statements.get(name) ?? this.#add(service, name, error);
    const key = LINE_NUMBER.test(logger) ? logger : templateId;
    service.statements.set(name, statement).set(key, statement);
    return statement.index;
  }

  #serviceOf(name: string): OpenService | undefined {
    const known = this.#services.get(name);
    if (known !== undefined || this.#services.size >= limits.SERVICES_MAX) return known;
    const index = this.#services.size;
    const start = newStatement(-1, "", false);
    const service = { name, index, start, statements: new Map(), edges: new Map() };
    this.#services.set(name, service);
    return service;
  }

  #add(service: OpenService, name: string, error: boolean): OpenStatement {
    const statement = newStatement(this.#places.length, name, error);
    this.#places.push({ service, statement });
    return statement;
  }
}

export function newTransition(): OpenTransition {
  return { count: 0, traces: 0, lastTrace: 0, gaps: new DurationSketch() };
}

function newStatement(index: number, statement: string, error: boolean): OpenStatement {
  return {
    index,
    statement,
    error,
    traces: 0,
    lastTrace: 0,
    erredTraces: 0,
    lastErred: 0,
    next: new Map(),
    entries: new Map(),
  };
}
