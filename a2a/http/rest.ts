/**
 * The HTTP+JSON binding (A2A 1.0 section 11): a request becomes the same JSON-RPC call the other binding
 * makes, and its answer is taken out of the envelope again. A body goes on as it came.
 */
import { limits, newId } from "../../core/mod.ts";
import { isObject } from "../call.ts";
import { readEnvelope, violation } from "../frames.ts";
import { A2A_VERSION, isStream } from "../subjects.ts";
import { type Arrival, callOf, type Edge } from "./edge.ts";
import { agentError, ask, extensionsOf, openStream, told } from "./exchange.ts";
import type { RelayFrame } from "./frame.ts";
import { FrameSource } from "./frame-source.ts";
import {
  AgentFailure,
  edgeErrorFrom,
  INVALID_REQUEST,
  malformed,
  restErrorBody,
  restErrorResponse,
  tooLarge,
  versionNotSupported,
  wrongContentType,
} from "./refusal.ts";
import type { RelayCall } from "./relay.ts";
import { hasContentType, readBytes, readService } from "./request.ts";
import { type RestCall, restCallOf } from "./rest-routes.ts";

import { readJson } from "./rpc.ts";
import { sseEvent } from "./sse.ts";

const A2A_TYPE = "application/a2a+json";
const JSON_TYPE = "application/json";
const TYPES = [A2A_TYPE, JSON_TYPE];

type KnownCall = RelayCall & { readonly envelopeId: string };

/** Answers one request whose path after the agent's name is `path`; never rejects. */
export async function serveRest(edge: Edge, arrival: Arrival, path: string): Promise<Response> {
  const { request } = arrival;
  const contentType = answerType(request);
  try {
    const service = readService(request);
    if (service.version !== A2A_VERSION) throw versionNotSupported(service.version, A2A_VERSION);
    const route = restCallOf(request.method, path, new URL(request.url).searchParams);
    const { text, params } = await paramsOf(request, route);
    const envelopeId = newId();
    const head = `{"jsonrpc":"2.0","id":"${envelopeId}","method":"${route.method}","params":`;
    const body = `${head}${text}}`;
    const base = callOf(edge, arrival, route.method, params, service);
    const bytes = Buffer.from(body);
    if (bytes.length > limits.ENVELOPE_BYTES_MAX) throw tooLarge();
    const call = { ...base, envelopeId, text: body, bytes };
    if (isStream(route.method)) return await streamed(edge, arrival, call, contentType);
    arrival.keepOpen(call.timeoutMs);
    return unaryResponse(await ask(edge, call), call, contentType);
  } catch (error) {
    return restErrorResponse(told(edge, arrival, error), contentType);
  }
}

/**
 * The media type of the answer: what the client accepts by name, else what it sent, else plain JSON.
 * `application/a2a+json` is a SHOULD (section 11.1), and not every client of HTTP knows it.
 */
export function answerType(request: Request): string {
  const accepted = (request.headers.get("accept") ?? "").toLowerCase();
  if (accepted.includes(A2A_TYPE)) return A2A_TYPE;
  if (accepted.includes(JSON_TYPE)) return JSON_TYPE;
  return hasContentType(request, [A2A_TYPE]) ? A2A_TYPE : JSON_TYPE;
}

/** The parameters, and their JSON: of a body that says everything, its own text. */
async function paramsOf(
  request: Request,
  route: RestCall,
): Promise<{ text: string; params: unknown }> {
  const bytes = route.body === "none" ? new Uint8Array() : await readBytes(request);
  if (bytes.length === 0 && route.body !== "required") {
    return { text: JSON.stringify(route.params), params: route.params };
  }
  if (!hasContentType(request, TYPES)) throw wrongContentType(`${A2A_TYPE} or ${JSON_TYPE}`);
  const { text, json } = readJson(bytes);
  if (!isObject(json)) throw malformed(INVALID_REQUEST, "body: not a JSON object");
  if (Object.keys(route.params).length === 0) return { text, params: json };
  const params = { ...json, ...route.params };
  return { text: JSON.stringify(params), params };
}

function unaryResponse(frame: RelayFrame, call: KnownCall, contentType: string): Response {
  if (frame.kind === "error") {
    return restErrorResponse(agentError(frame.text, call.agent), contentType);
  }
  const headers = {
    "content-type": contentType,
    "cache-control": "no-store",
    ...extensionsOf(frame),
  };
  const result = resultOf(frame.text, call);
  // What has nothing to say is an empty object (google.protobuf.Empty), which every client can parse.
  return new Response(result === "null" ? "{}" : result, { headers });
}

async function streamed(
  edge: Edge,
  arrival: Arrival,
  call: KnownCall,
  contentType: string,
): Promise<Response> {
  const opened = await openStream(edge, arrival, call);
  if ("refused" in opened) return unaryResponse(opened.refused, call, contentType);
  const failure = (error: unknown) =>
    sseEvent(restErrorBody(told(edge, arrival, error)), { type: "error" });
  const source = new FrameSource(opened.stream, {
    event: (frame) => {
      try {
        if (frame.kind === "error") throw new AgentFailure(agentError(frame.text, call.agent));
        const text = sseEvent(resultOf(frame.text, call), { id: frame.event });
        return { text, isLast: false };
      } catch (error) {
        return { text: failure(error), isLast: true };
      }
    },
    failure,
  });
  return opened.respond(source);
}

/**
 * What stands under `result`, as text. An envelope as our agents write it is cut open; any other is
 * parsed. Throws the error that stands there instead, or PROTOCOL_VIOLATION.
 */
export function resultOf(text: string, call: KnownCall): string {
  const head = `{"jsonrpc":"2.0","id":"${call.envelopeId}","result":`;
  if (text.startsWith(head) && text.endsWith("}")) return text.slice(head.length, -1);
  const { error, result } = readEnvelope(text, call.envelopeId, call.agent);
  if (error !== undefined) throw new AgentFailure(edgeErrorFrom(error));
  if (result === undefined) throw violation(call.agent, "result", "missing");
  return JSON.stringify(result);
}
