/**
 * Fetches an agent's card by HTTP (A2A 1.0 section 8.2), with its signature verified where keys are given.
 * A card of A2A 0.3 is translated; it cannot be verified.
 */
import { AgentCard } from "@a2a-js/sdk";
import { DefaultAgentCardResolver } from "@a2a-js/sdk/client";
import type { JSONWebKeySet } from "jose";
import { type Clock, PetrelError } from "../../core/mod.ts";
import { CardVerifier } from "../cards/verify.ts";
import { A2A_VERSION, HEADER } from "../subjects.ts";
import { fetchJson, fetchJwks } from "./fetch-json.ts";
import { checkHttpUrl, type Fetch } from "./http-fetch.ts";

const WELL_KNOWN = "/.well-known/agent-card.json";
const SKILLS_MAX = 1_000;

/** What a card must be signed by to be believed. */
export interface CardTrust {
  readonly jwks: JSONWebKeySet;
  /** Also takes a signature over the SDKs' reading of a card. */
  readonly acceptSdkForm?: boolean;
  /** Places a signature may name as its keys' (`jku`); they are trusted like `jwks`. */
  readonly jkus?: readonly string[];
}

export interface FetchCardOptions {
  /** The card's own URL, or a host's, whose well-known place is taken. */
  readonly url: string;
  readonly clock: Clock;
  /** Without it a card is believed as it came. */
  readonly trust?: CardTrust;
  readonly fetch?: Fetch;
  readonly signal?: AbortSignal;
}

export interface FetchedCard {
  /** Where it was found. */
  readonly url: string;
  readonly card: AgentCard;
  /** The key that vouches for it; undefined for one that was believed as it came. */
  readonly kid: string | undefined;
}

/**
 * Throws USAGE for a URL that cannot be, PROTOCOL_VIOLATION for what is no card or not what a trusted key
 * signed, TOO_LARGE, UNAVAILABLE, UNAUTHENTICATED, DEADLINE_EXCEEDED.
 */
export async function fetchCard(options: FetchCardOptions): Promise<FetchedCard> {
  const { trust } = options;
  const url = checkHttpUrl(options.url, "url");
  if (url.pathname === "/") url.pathname = WELL_KNOWN;
  const what = `card at ${url.host}`;
  const json = await fetchJson(url.href, {
    ...options,
    headers: { [HEADER.version]: A2A_VERSION },
  });
  const unverified = readCard(json, what);
  if (!trust) return { url: url.href, card: unverified, kid: undefined };
  const verifier = new CardVerifier({ ...trust, fetchJwks: (jku) => fetchJwks(jku, options) });
  const { card, kid } = await verifier.verify(json);
  return { url: url.href, card, kid };
}

function readCard(json: Readonly<Record<string, unknown>>, what: string): AgentCard {
  const is10 = "supportedInterfaces" in json || "supported_interfaces" in json;
  const legacy = new DefaultAgentCardResolver({ legacyCompat: { enabled: true } });
  let card: AgentCard;
  try {
    // The resolver would return a card of 1.0 as the JSON it was, under the name of an instance.
    const read = is10 ? AgentCard.fromJSON(json) : legacy.normalizeAgentCard(json);
    // Once through the codec, so that every field has the type it says.
    card = AgentCard.fromJSON(AgentCard.toJSON(read));
  } catch (error) {
    throw noCard(what, "it cannot be read", error);
  }
  if (card.name === "") throw noCard(what, "it has no name");
  if (card.supportedInterfaces.length === 0) throw noCard(what, "it has no interfaces");
  if (card.skills.length > SKILLS_MAX) throw noCard(what, `it has over ${SKILLS_MAX} skills`);
  return card;
}

function noCard(what: string, why: string, cause?: unknown): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `${what}: ${why}`, { place: "card" }, cause);
}
