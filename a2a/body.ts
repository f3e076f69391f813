/**
 * The body of a request, as far as it must be right before the SDK sees it (JSON-RPC 2.0 section 4).
 * What is wrong is answered in place and never reaches an agent.
 */
import { isSubjectToken, limits, PetrelError } from "../core/mod.ts";
import type { Method } from "./subjects.ts";

export type RpcId = string | number | null;

const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
/** Of a body that cannot be shown as text, this much goes to the audit. */
const RAW_BYTES_MAX = 4_096;

/** An envelope that never reaches the handler. `raw` is what the audit keeps of it. */
export class MalformedEnvelope extends PetrelError {
  readonly rpcCode: number;
  readonly rpcId: RpcId;
  readonly raw: string;

  constructor(rpcCode: number, message: string, raw: string, rpcId: RpcId = null) {
    super("PROTOCOL_VIOLATION", message);
    this.rpcCode = rpcCode;
    this.raw = raw;
    this.rpcId = rpcId;
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

export interface RequestBody {
  readonly text: string;
  /** The same, parsed: parsing twice would be a third of the server's work. */
  readonly json: Record<string, unknown>;
  readonly id: RpcId;
}

/** Reads and checks a body. The method must be the one the subject names. */
export function readBody(data: Uint8Array, method: Method, caller: string): RequestBody {
  if (!isSubjectToken(caller)) {
    throw new MalformedEnvelope(
      INVALID_REQUEST,
      "caller: the subject's fifth token is no name",
      digestOf(data),
    );
  }
  if (data.length > limits.ENVELOPE_BYTES_MAX) {
    const words = `body: ${data.length} bytes, at most ${limits.ENVELOPE_BYTES_MAX}`;
    throw new MalformedEnvelope(INVALID_REQUEST, words, digestOf(data));
  }
  const text = textOf(data);
  const body = jsonOf(text);
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new MalformedEnvelope(INVALID_REQUEST, "body: not a JSON-RPC object", text);
  }
  const {
    jsonrpc,
    id = null,
    method: named,
  }: { jsonrpc?: unknown; id?: unknown; method?: unknown } = body;
  if (id !== null && typeof id !== "string" && typeof id !== "number") {
    throw new MalformedEnvelope(INVALID_REQUEST, "id: must be a string, a number or null", text);
  }
  if (jsonrpc !== "2.0")
    throw new MalformedEnvelope(INVALID_REQUEST, 'jsonrpc: must be "2.0"', text, id);
  if (named !== method) {
    throw new MalformedEnvelope(INVALID_REQUEST, `method: the subject says ${method}`, text, id);
  }
  return { text, json: { ...body }, id };
}

function textOf(data: Uint8Array): string {
  try {
    return strictUtf8.decode(data);
  } catch {
    throw new MalformedEnvelope(PARSE_ERROR, "body: not UTF-8", digestOf(data));
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedEnvelope(PARSE_ERROR, "body: not JSON", text);
  }
}

/** A peer's answer as text; the digest of one that is too large for the audit, or no UTF-8. */
export function textOrDigest(data: Uint8Array): string {
  if (data.length > limits.ENVELOPE_BYTES_MAX) return digestOf(data);
  try {
    return strictUtf8.decode(data);
  } catch {
    return digestOf(data);
  }
}

/** A body's beginning, its length and its SHA-256: what the audit can keep of any bytes. */
function digestOf(data: Uint8Array): string {
  const sha256 = new Bun.CryptoHasher("sha256").update(data).digest("hex");
  const begin = Buffer.from(data.subarray(0, RAW_BYTES_MAX)).toString("base64");
  return JSON.stringify({ bytes: data.length, sha256, begin });
}
