/**
 * Serves cards over HTTP (A2A 1.0 sections 8.2, 8.6), kept ready by their content: a signature is made
 * once, and a client that has a card already is told so.
 */
import { AgentCard } from "@a2a-js/sdk";
import type { Clock } from "../../core/mod.ts";
import { A2A_VERSION } from "../subjects.ts";
import { type CardEdge, gatewayCard, LEGACY_VERSION } from "./card.ts";
import { legacyCardOf } from "./legacy.ts";

/** Agents whose card is kept ready. */
const CARDS_MAX = 2_000;

export interface CardServerOptions extends CardEdge {
  readonly clock: Clock;
  readonly cards: (name: string) => AgentCard | undefined;
  /** How long a client may keep a card, in seconds. */
  readonly maxAgeS: number;
}

interface Ready {
  /** Of the card before it is signed. */
  readonly sha256: string;
  readonly body: string;
  readonly etag: string;
  readonly sinceMs: number;
}

export class CardServer {
  readonly #options: CardServerOptions;
  readonly #ready = new Map<string, Ready>();

  constructor(options: CardServerOptions) {
    this.#options = options;
  }

  /** The card, or 304 when the client has it; undefined when there is no such agent. */
  async serve(request: Request, name: string, isLegacy: boolean): Promise<Response | undefined> {
    const card = this.#options.cards(name);
    if (!card) return undefined;
    const { body, etag, sinceMs } = await this.#readyCard(name, card, isLegacy);
    const headers = {
      "content-type": "application/json",
      "cache-control": `public, max-age=${this.#options.maxAgeS}`,
      etag,
      "last-modified": new Date(sinceMs).toUTCString(),
      vary: "A2A-Version",
    };
    if (isFresh(request, etag)) return new Response(null, { status: 304, headers });
    return new Response(body, { headers });
  }

  async #readyCard(name: string, card: AgentCard, isLegacy: boolean): Promise<Ready> {
    const { sign, clock } = this.#options;
    const ours = gatewayCard(name, card, this.#options);
    const sha256 = sha256Of(JSON.stringify(AgentCard.toJSON(ours)));
    const key = `${isLegacy ? LEGACY_VERSION : A2A_VERSION} ${name}`;
    const old = this.#ready.get(key);
    if (old?.sha256 === sha256) return old;
    // A signature covers the form of 1.0; a client of 0.3 could not check it.
    const signed = sign && !isLegacy ? await sign(ours) : ours;
    const json = isLegacy ? await legacyCardOf(signed) : AgentCard.toJSON(signed);
    const body = JSON.stringify(json);
    const made = { sha256, body, etag: `"${sha256Of(body)}"`, sinceMs: clock.nowMs() };
    this.#ready.delete(key);
    this.#ready.set(key, made);
    const oldest = this.#ready.keys().next().value;
    if (this.#ready.size > CARDS_MAX && oldest !== undefined) this.#ready.delete(oldest);
    return made;
  }
}

function sha256Of(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** RFC 9110 section 13.1.2; the comparison is weak, as it asks. */
function isFresh(request: Request, etag: string): boolean {
  const tags = (request.headers.get("if-none-match") ?? "").split(",").map((tag) => tag.trim());
  return tags.some((tag) => tag === "*" || tag.replace(/^W\//, "") === etag);
}
