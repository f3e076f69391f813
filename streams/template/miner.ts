/**
 * Finds the template of each log line as it comes. Masking (mask.ts) settles most messages the same
 * way in every run and every order; only when one place in the code yields more masks than
 * SHAPES_MAX, its further lines are matched to the nearest known shape (the similarity of Drain, He
 * et al. 2017). Bounded: at most `templatesMax` templates, then lines find none.
 *
 * One miner serves baseline and window, so that ids agree. It keeps no line.
 */
import { limits } from "../../core/mod.ts";
import type { LogRecord } from "../model.ts";
import { MaskMemo } from "./memo.ts";

export interface Template {
  /** Hash of service, logger and text. */
  readonly id: string;
  readonly service: string;
  readonly logger: string | undefined;
  readonly text: string;
}

export interface MinerOptions {
  readonly templatesMax?: number;
}

/** One service and logger. A message of the same shape comes from the same statement. */
interface Place {
  readonly shapes: Map<string, Template>;
  /** Words of the shapes, by count of words, for the similarity. */
  readonly byLength: Map<number, { words: readonly string[]; template: Template }[]>;
}

/** More masks than this from one logger are names or prose that masking does not see. */
const SHAPES_MAX = 250;
/** Share of equal words that makes two shapes one. */
const SIMILARITY_LEAST = 0.6;
/** Compared at most, so a hostile stream of unique lines stays fast. */
const COMPARED_MAX = 32;

export class TemplateMiner {
  readonly #templatesMax: number;
  readonly #memo = new MaskMemo();
  /** By service and logger. */
  readonly #places = new Map<string, Map<string, Place>>();
  #size = 0;

  constructor(options: MinerOptions = {}) {
    this.#templatesMax = options.templatesMax ?? limits.TEMPLATES_MAX;
  }

  get size(): number {
    return this.#size;
  }

  /** The template of a record; `undefined` when the table is full and nothing known is near. */
  match(record: Pick<LogRecord, "service" | "logger" | "message">): Template | undefined {
    const { service, logger } = record;
    const text = this.#memo.maskOf(record.message);
    const place = this.#placeOf(service, logger);
    if (place === undefined) return undefined;
    const known = place.shapes.get(text);
    if (known !== undefined) return known;
    const crowded = place.shapes.size >= SHAPES_MAX || this.#size >= this.#templatesMax;
    const near = crowded ? nearest(place, text.split(" ")) : undefined;
    if (near !== undefined) return near;
    return this.#size >= this.#templatesMax ? undefined : this.#add(place, service, logger, text);
  }

  #placeOf(service: string, logger = ""): Place | undefined {
    const found = this.#places.get(service)?.get(logger);
    if (found !== undefined) return found;
    if (this.#size >= this.#templatesMax) return undefined;
    const place: Place = { shapes: new Map(), byLength: new Map() };
    const places = this.#places.get(service) ?? new Map<string, Place>();
    this.#places.set(service, places.set(logger, place));
    return place;
  }

  #add(place: Place, service: string, logger: string | undefined, text: string): Template {
    const template = { id: templateId(service, logger, text), service, logger, text };
    const words = text.split(" ");
    const group = place.byLength.get(words.length) ?? [];
    group.push({ words, template });
    place.byLength.set(words.length, group);
    place.shapes.set(text, template);
    this.#size += 1;
    return template;
  }
}

/** Sixteen hexadecimal digits of SHA-256: the same on every host and in every run. */
export function templateId(service: string, logger: string | undefined, text: string): string {
  const hash = new Bun.CryptoHasher("sha256");
  return hash
    .update(`${service}\n${logger ?? ""}\n${text}`)
    .digest("hex")
    .slice(0, 16);
}

/** The known shape with the most equal words at equal places, if it has enough of them. */
function nearest(place: Place, words: readonly string[]): Template | undefined {
  let best: Template | undefined;
  let bestEqual = Math.ceil(words.length * SIMILARITY_LEAST) - 1;
  const group = place.byLength.get(words.length) ?? [];
  for (let index = 0; index < Math.min(group.length, COMPARED_MAX); index++) {
    const candidate = group[index];
    if (candidate === undefined) break;
    const equal = candidate.words.reduce((sum, word, at) => sum + Number(word === words[at]), 0);
    if (equal <= bestEqual) continue;
    best = candidate.template;
    bestEqual = equal;
  }
  return best;
}
