/**
 * An agent's card as a client of the gateway needs it: the gateway's addresses first, the agent's own
 * after them, and what the gateway asks of a client (A2A 1.0 section 8.3).
 */
import { type AgentCard, AgentInterface, SecurityRequirement, SecurityScheme } from "@a2a-js/sdk";
import { BEARER, BEARER_SCHEME } from "../agent.ts";
import { A2A_VERSION } from "../subjects.ts";
import type { Edge } from "./edge.ts";

export const LEGACY_VERSION = "0.3";

export type CardEdge = Pick<Edge, "publicUrl" | "authenticate" | "sign">;

/** As {@link gatewayCard}, and signed where the gateway signs (section 8.4). */
export async function signedCard(
  name: string,
  card: AgentCard,
  edge: CardEdge,
): Promise<AgentCard> {
  const ours = gatewayCard(name, card, edge);
  return edge.sign ? edge.sign(ours) : ours;
}

/** The card of the agent that is reached under `name`. What the agent signed was another one. */
export function gatewayCard(name: string, card: AgentCard, edge: CardEdge): AgentCard {
  const url = `${edge.publicUrl()}/agents/${name}`;
  const ours = [
    interfaceOf(url, "JSONRPC", A2A_VERSION),
    interfaceOf(url, "HTTP+JSON", A2A_VERSION),
    interfaceOf(url, "JSONRPC", LEGACY_VERSION),
  ];
  const supportedInterfaces = [...ours, ...card.supportedInterfaces];
  const known = { ...card, supportedInterfaces, signatures: [] };
  if (!edge.authenticate) return withoutRequirements(known);
  return {
    ...known,
    securitySchemes: {
      ...card.securitySchemes,
      [BEARER_SCHEME]: SecurityScheme.fromJSON(BEARER),
    },
    securityRequirements: [SecurityRequirement.fromJSON({ schemes: { [BEARER_SCHEME]: {} } })],
  };
}

/** One line of `GET /agents`. */
export function listed(name: string, card: AgentCard, edge: CardEdge) {
  return {
    name,
    description: card.description,
    version: card.version,
    url: `${edge.publicUrl()}/agents/${name}`,
    card: `${edge.publicUrl()}/agents/${name}/.well-known/agent-card.json`,
    skills: card.skills.map(({ id, name: title, tags }) => ({ id, name: title, tags })),
  };
}

/** A gateway that asks for no token lets everybody have every skill, and knows nobody; its cards say so. */
function withoutRequirements(card: AgentCard): AgentCard {
  const skills = card.skills.map((skill) => ({ ...skill, securityRequirements: [] }));
  const capabilities = card.capabilities && { ...card.capabilities, extendedAgentCard: false };
  return { ...card, capabilities, skills, securitySchemes: {}, securityRequirements: [] };
}

function interfaceOf(url: string, protocolBinding: string, protocolVersion: string) {
  return AgentInterface.fromJSON({ url, protocolBinding, protocolVersion });
}
