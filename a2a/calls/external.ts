/**
 * Agents of others, known by the URL of their card, kept in the KV bucket A2A_EXTERNAL and called like
 * one of the mesh. A card says where its agent is: that must be the card's own host, or a public one. It
 * stores no credentials; the operator's are asked for by name when a call is made.
 */
import type { AgentCard, AgentInterface } from "@a2a-js/sdk";
import {
  JsonRpcTransportFactory,
  RestTransportFactory,
  TenantTransportDecorator,
  type Transport,
} from "@a2a-js/sdk/client";
import type { KV } from "@nats-io/kv";
import { asPetrelError, type Clock, PetrelError } from "../../core/mod.ts";
import { isWrongRevision } from "../kv.ts";
import type { AddressGuard } from "../push/address.ts";
import { A2A_VERSION, HEADER, subjectToken } from "../subjects.ts";
import type { CircuitBreakers } from "./breaker.ts";
import type { RetryBudget } from "./call.ts";
import { type ExternalAgent, readExternal, writeExternal } from "./external-entry.ts";
import { type CardTrust, fetchCard } from "./fetch-card.ts";
import { type Fetch, httpFetch } from "./http-fetch.ts";
import { HttpTransport } from "./http-transport.ts";
import { ResilientTransport } from "./resilient.ts";

export const EXTERNAL_BUCKET = "A2A_EXTERNAL";
const AGENTS_MAX = 1_000;
/** Bindings we can speak, as cards name them; the first in the card's own order is taken. */
const BINDINGS = ["JSONRPC", "HTTP+JSON"];

export interface ExternalAgentsOptions {
  readonly kv: KV;
  readonly clock: Clock;
  readonly breakers: CircuitBreakers;
  readonly budget: RetryBudget;
  /** Judges where a card sends us that names another host than its own. */
  readonly guard: AddressGuard;
  /** Headers that authenticate us to the agent of this name, such as `authorization`. */
  readonly credentials?: (name: string) => Readonly<Record<string, string>>;
  readonly fetch?: Fetch;
}

export interface AddOptions {
  /** What we call it; default: made of the card's name. */
  readonly name?: string;
  /** What its card must be signed by. Without it a card is believed as it came. */
  readonly trust?: CardTrust;
  readonly signal?: AbortSignal;
}

export class ExternalAgents {
  readonly #options: ExternalAgentsOptions;

  constructor(options: ExternalAgentsOptions) {
    this.#options = options;
  }

  /**
   * Fetches the card at `url` (of a bare host: at its well-known place), checks it, and keeps it. The
   * same URL again renews the card. Throws USAGE for a URL or a name that cannot be, CONFLICT for a name
   * that is another's, PROTOCOL_VIOLATION for a card that is none or whose signature does not hold,
   * UNAVAILABLE, DEADLINE_EXCEEDED.
   */
  async add(url: string, options: AddOptions = {}): Promise<ExternalAgent> {
    const { kv, clock } = this.#options;
    const fetched = await fetchCard({ ...this.#options, ...options, url });
    const name = subjectToken(options.name ?? nameOf(fetched.card), "name");
    chooseInterface(fetched.card);
    const addedAtMs = clock.nowMs();
    const agent: ExternalAgent = { name, ...fetched, addedAtMs, trust: options.trust };
    const existing = await this.#find(name);
    if (existing && existing.agent.url !== agent.url) {
      throw new PetrelError("CONFLICT", `an external agent "${name}" is there already`, { name });
    }
    if (!existing && (await this.list()).length >= AGENTS_MAX) {
      throw new PetrelError("TOO_LARGE", "there are too many external agents", {
        limit: AGENTS_MAX,
      });
    }
    await (existing
      ? kv.update(name, writeExternal(agent), existing.revision)
      : kv.create(name, writeExternal(agent))
    ).catch((error: unknown) => {
      if (!isWrongRevision(error)) throw error;
      throw new PetrelError("CONFLICT", `external agent "${name}": somebody else changed it`, {
        name,
      });
    });
    return agent;
  }

  /** Fetches the card anew, under the keys it was added with. Throws as {@link add}; USAGE for no such agent. */
  async refresh(name: string, signal?: AbortSignal): Promise<ExternalAgent> {
    const { url, trust } = await this.get(name);
    return this.add(url, { name, ...(trust ? { trust } : {}), ...(signal ? { signal } : {}) });
  }

  /** Forgets an agent; false when there was none. */
  async remove(name: string): Promise<boolean> {
    const existing = await this.#find(subjectToken(name, "name"));
    if (existing) await this.#options.kv.delete(name);
    return existing !== undefined;
  }

  /** Every external agent, by name. An entry that cannot be read is left out. */
  async list(): Promise<ExternalAgent[]> {
    const keys = await Array.fromAsync(await this.#options.kv.keys());
    const found = await Promise.all(keys.map((name) => this.#find(name)));
    return found.flatMap((entry) => entry?.agent ?? []).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** One agent; throws USAGE when there is none of this name. */
  async get(name: string): Promise<ExternalAgent> {
    const existing = await this.#find(subjectToken(name, "name"));
    if (existing) return existing.agent;
    throw new PetrelError("USAGE", `there is no external agent "${name}"`, { path: "name", name });
  }

  /**
   * A transport to the agent, to be used as one over NATS. It sends no message twice unless the agent
   * surely did not take it. Throws USAGE for no such agent, and for one whose card sends us inside.
   */
  async transport(name: string): Promise<Transport> {
    const { clock, breakers, budget } = this.#options;
    const agent = await this.get(name);
    const inner = await this.#sdkTransport(agent);
    const http = new HttpTransport({ inner, agent: name, clock });
    const target = `external:${name}`;
    return new ResilientTransport({
      inner: http,
      target,
      breakers,
      budget,
      clock,
      isIdempotent: false,
    });
  }

  async #sdkTransport({ name, url, card }: ExternalAgent): Promise<Transport> {
    const { guard, clock, credentials, fetch } = this.#options;
    const chosen = chooseInterface(card);
    if (new URL(chosen.url).hostname !== new URL(url).hostname) await guard.resolve(chosen.url);
    const version = { [HEADER.version]: chosen.protocolVersion || A2A_VERSION };
    const fetchImpl = httpFetch({
      agent: name,
      clock,
      headers: () => ({ ...version, ...credentials?.(name) }),
      ...(fetch ? { fetch } : {}),
    });
    // The type of Bun's own fetch has more than a call.
    const options = {
      fetchImpl: Object.assign(fetchImpl, { preconnect: () => {} }),
      legacyCompat: { enabled: true },
    };
    const factory =
      chosen.protocolBinding === "JSONRPC"
        ? new JsonRpcTransportFactory(options)
        : new RestTransportFactory(options);
    const transport = await factory.create(chosen.url, card);
    return chosen.tenant === ""
      ? transport
      : new TenantTransportDecorator(transport, chosen.tenant);
  }

  async #find(name: string): Promise<{ agent: ExternalAgent; revision: number } | undefined> {
    try {
      const entry = await this.#options.kv.get(name);
      const agent = entry?.operation === "PUT" ? readExternal(entry.string(), name) : undefined;
      return entry && agent ? { agent, revision: entry.revision } : undefined;
    } catch (error) {
      throw asPetrelError(error, "UNAVAILABLE", EXTERNAL_BUCKET);
    }
  }
}

/** The first interface that we can speak. Throws PROTOCOL_VIOLATION when there is none. */
export function chooseInterface(card: AgentCard): AgentInterface {
  for (const choice of card.supportedInterfaces) {
    const isHttp = URL.canParse(choice.url) && /^https?:$/.test(new URL(choice.url).protocol);
    if (isHttp && BINDINGS.includes(choice.protocolBinding)) return choice;
  }
  const words = `card: no interface over HTTP that is one of ${BINDINGS.join(", ")}`;
  throw new PetrelError("PROTOCOL_VIOLATION", words, { place: "supportedInterfaces" });
}

/** `Route Planner 2` becomes `route-planner-2`. */
function nameOf(card: AgentCard): string {
  return card.name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 64)
    .replace(/^-+|-+$/g, "");
}
