/**
 * The JSON-RPC binding over HTTP (A2A 1.0 section 9): one request in, one answer or a stream of them out,
 * both as the agent's end of the NATS binding wrote them. The request is parsed once; the answer is not.
 */
import { A2A_VERSION, isStream, type Method } from "../subjects.ts";
import { LEGACY_VERSION } from "./card.ts";
import { type Arrival, callOf, type Edge } from "./edge.ts";
import { agentError, ask, extensionsOf, openStream, told } from "./exchange.ts";
import type { RelayFrame } from "./frame.ts";
import { FrameSource } from "./frame-source.ts";
import { serveLegacy } from "./legacy.ts";
import {
  METHOD_NOT_FOUND,
  malformed,
  type Refusal,
  rpcErrorBody,
  rpcErrorResponse,
  versionNotSupported,
  wrongContentType,
} from "./refusal.ts";
import type { RelayCall } from "./relay.ts";
import { hasContentType, readBytes, readService } from "./request.ts";
import { idOf, methodOf, type RpcId, readJson, readRpc } from "./rpc.ts";
import { sseEvent } from "./sse.ts";

const JSON_TYPE = "application/json";
const JSON_HEADERS = { "content-type": JSON_TYPE, "cache-control": "no-store" };

/** Answers one request; never rejects. */
export async function serveJsonRpc(edge: Edge, arrival: Arrival): Promise<Response> {
  let id: RpcId = null;
  try {
    const { request } = arrival;
    if (!hasContentType(request, [JSON_TYPE])) throw wrongContentType(JSON_TYPE);
    const body = readJson(await readBytes(request));
    id = idOf(body.json);
    const service = readService(request);
    const rpc = readRpc(body.json);
    if (service.version === LEGACY_VERSION) {
      if (methodOf(rpc.method)) throw ofOtherVersion(rpc.method);
      return await serveLegacy(edge, arrival, body.json, service);
    }
    if (service.version !== A2A_VERSION) {
      throw versionNotSupported(service.version, `${A2A_VERSION} and ${LEGACY_VERSION}`);
    }
    const method = knownMethod(rpc.method);
    const call = { ...callOf(edge, arrival, method, rpc.params, service), ...body };
    if (isStream(method)) return await streamed(edge, arrival, call, id);
    return await answered(edge, arrival, call);
  } catch (error) {
    return rpcErrorResponse(id, told(edge, arrival, error));
  }
}

function knownMethod(name: string): Method {
  const method = methodOf(name);
  if (method) return method;
  throw malformed(METHOD_NOT_FOUND, `Method not found: ${name.slice(0, 60)}`);
}

/** Whoever sends no version speaks 0.3 (section 3.6.2), and 0.3 has other names. */
function ofOtherVersion(name: string): Refusal {
  return malformed(
    METHOD_NOT_FOUND,
    `Method not found in A2A ${LEGACY_VERSION}: for ${name} send A2A-Version: ${A2A_VERSION}`,
  );
}

async function answered(edge: Edge, arrival: Arrival, call: RelayCall): Promise<Response> {
  arrival.keepOpen(call.timeoutMs);
  return unaryResponse(await ask(edge, call), call.agent);
}

/** The agent's bytes; of an error also the HTTP status they have. */
function unaryResponse(frame: RelayFrame, agent: string): Response {
  const headers = { ...JSON_HEADERS, ...extensionsOf(frame) };
  if (frame.kind !== "error") return new Response(frame.bytes, { headers });
  const error = agentError(frame.text, agent);
  const { status, headers: more } = rpcErrorResponse(null, error);
  return new Response(frame.bytes, {
    status,
    headers: { ...Object.fromEntries(more), ...headers },
  });
}

async function streamed(
  edge: Edge,
  arrival: Arrival,
  call: RelayCall,
  id: RpcId,
): Promise<Response> {
  const opened = await openStream(edge, arrival, call);
  if ("refused" in opened) return unaryResponse(opened.refused, call.agent);
  const source = new FrameSource(opened.stream, {
    event: (frame) => ({
      text: sseEvent(frame.text, { id: frame.event }),
      isLast: frame.kind === "error",
    }),
    failure: (error) => sseEvent(rpcErrorBody(id, told(edge, arrival, error))),
  });
  return opened.respond(source);
}
