/**
 * Any number of export rows for benches, made on the fly: about 450 bytes each as JSON, Spring Boot
 * lines of a few services, two in a hundred with an error. Memory does not grow with the count;
 * the speed comes from joining prepared pieces, so the lines repeat in kind but not in numbers.
 */
import { PetrelError } from "../../core/mod.ts";
import { BATCH_ROWS, type LogQuery } from "../replay/recording.ts";
import type { SimRow } from "../splunk/rows.ts";
import { Random } from "./random.ts";
import { springLine } from "./spring-line.ts";

export interface VolumeOptions {
  /** Rows in all. */
  readonly rows: number;
  readonly seed?: number;
  /** Each second row says words no other row has, as a hostile or a broken service would. */
  readonly distinct?: boolean;
}

const SHAPES = 512;
const SERVICES = ["payment-service", "order-service", "ledger-service", "auth-service"] as const;
const TIME_CHARS = "2026-03-13 14:20:24.940".length;

/** A prepared row: all but its time and two numbers. */
interface Shape {
  /** After the time and up to the request's number. */
  readonly middle: string;
  readonly service: string;
  readonly pod: string;
  readonly isError: boolean;
}

/**
 * A provider of rows for the Splunk stand-in, newest first and evenly spread over the query's times.
 * Throws CONFIG_INVALID when `rows` is not a whole number, 0 or more.
 */
export function volumeRows(options: VolumeOptions): (query: LogQuery) => AsyncIterable<SimRow[]> {
  const { rows, seed = 1, distinct = false } = options;
  if (!Number.isSafeInteger(rows) || rows < 0) {
    throw new PetrelError("CONFIG_INVALID", `rows: ${rows} is not a whole number, 0 or more`, {
      path: "rows",
    });
  }
  const shapes = makeShapes(new Random(seed));
  return async function* volume({ earliestMs, latestMs }) {
    const stepMs = (latestMs - earliestMs) / Math.max(1, rows);
    const clock = new TimeText();
    for (let first = 0; first < rows; first += BATCH_ROWS) {
      const batch: SimRow[] = [];
      const end = Math.min(rows, first + BATCH_ROWS);
      for (let index = first; index < end; index++) {
        const shape = shapes[index % SHAPES];
        if (shape === undefined) continue;
        const timeMs = Math.floor(latestMs - (index + 1) * stepMs);
        const words = distinct && index % 2 === 1 ? ` ${wordsOf(index)}` : "";
        batch.push(toRow(shape, index, clock.at(timeMs), words));
      }
      yield batch;
    }
  };
}

function makeShapes(random: Random): Shape[] {
  return Array.from({ length: SHAPES }, (_, index): Shape => {
    const service = SERVICES[random.between(0, SERVICES.length - 1)] ?? SERVICES[0];
    const isError = index % 50 === 7;
    const line = springLine({
      timeMs: 0,
      level: isError ? "ERROR" : "INFO",
      app: service,
      thread: `http-nio-8080-exec-${random.between(1, 200)}`,
      correlation: `${random.hex(32)}-${random.hex(16)}`,
      logger: isError ? "o.h.engine.jdbc.spi.SqlExceptionHelper" : "c.e.web.RequestLoggingFilter",
      message: isError
        ? "HikariPool-1 - Connection is not available, request timed out after 30004ms, request "
        : "POST /api/v1/payments status=201 duration=",
    });
    const pod = `${service}-6d5c7f9b88-x2k4q`;
    return { middle: line.slice(TIME_CHARS), service, pod, isError };
  });
}

const WORD_PARTS = ["ba", "ke", "li", "mo", "nu", "pa", "re", "si", "to", "vu"] as const;

/** Words without a digit, which no pattern for values knows: other words for every number. */
function wordsOf(index: number): string {
  let text = "";
  for (let rest = index; rest > 0; rest = Math.floor(rest / 10)) {
    text += WORD_PARTS[rest % 10] ?? "";
    if (text.length % 8 === 6) text += " ";
  }
  return text;
}

function toRow(shape: Shape, index: number, time: string, words: string): SimRow {
  const latencyMs = 5 + ((index * 7_919) % 240);
  const tail = shape.isError ? `${index}` : `${latencyMs}ms request ${index}`;
  return {
    _time: `${time} GMT`,
    _raw: `${time}${shape.middle}${tail}${words}`,
    host: shape.pod,
    source: "/var/log/pods/app.log",
    sourcetype: "kube:container:app",
    pod: shape.pod,
    container: shape.service,
  };
}

/** Instants as text; neighbours share their second, which is all that costs time to print. */
class TimeText {
  #second = Number.NaN;
  #text = "";

  at(timeMs: number): string {
    const second = Math.floor(timeMs / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1_000).toISOString().slice(0, 19).replace("T", " ");
    }
    return `${this.#text}.${String(timeMs - second * 1_000).padStart(3, "0")}`;
  }
}
