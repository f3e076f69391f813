/**
 * The HTTP under the model's SDK: the same call as every other client makes, with a deadline, bounds,
 * no redirects, and errors of the closed set. The SDK wraps what its fetch throws, so the error is kept
 * here, where it can be found again.
 */
import { httpRequest, PetrelError, readBytes } from "../../core/mod.ts";

/** An answer of some thousand tokens is a few dozen kilobytes. */
const BYTES_MAX = 4 * 1024 * 1024;

export interface LlmTransport {
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
  /** What the call failed with, if it failed. */
  readonly failure: () => PetrelError | undefined;
  /** True once a whole answer has come and gone on to the SDK. */
  readonly answered: () => boolean;
}

/** Sharpens what the endpoint said. */
function explained(error: PetrelError): PetrelError {
  const said = String(error.fields["message"] ?? "");
  const tooLong =
    /context_length_exceeded|maximum context length|context window|Input tokens exceed/i;
  if (error.fields["status"] !== 400 || !tooLong.test(said)) return error;
  const fields = { ...error.fields, limit: "the model's context" };
  return new PetrelError("TOO_LARGE", `llm: the prompt is too long: ${said}`, fields, error);
}

/** Makes the fetch of one call. `timeoutMs` bounds the call, the reading of the answer included. */
export function makeTransport(timeoutMs: number, signal: AbortSignal): LlmTransport {
  let failure: PetrelError | undefined;
  let answered = false;
  const send = async (url: string, init: RequestInit): Promise<Response> => {
    const response = await httpRequest({
      system: "llm",
      url,
      method: "POST",
      headers: Object.fromEntries(new Headers(init.headers)),
      timeoutMs,
      signal,
      ...(typeof init.body === "string" ? { body: init.body } : {}),
    });
    const body = await readBytes(response, BYTES_MAX);
    const text = new TextDecoder().decode(body);
    try {
      JSON.parse(text);
    } catch (error) {
      const fields = { system: "llm", status: response.status, place: "body" };
      throw new PetrelError("PROTOCOL_VIOLATION", "llm: the answer is not JSON", fields, error);
    }
    answered = true;
    return new Response(text, { headers: { "content-type": "application/json" } });
  };
  return {
    fetch: async (input, init = {}) => {
      try {
        return await send(input instanceof Request ? input.url : String(input), init);
      } catch (error) {
        if (error instanceof PetrelError) failure = explained(error);
        throw error;
      }
    },
    failure: () => failure,
    answered: () => answered,
  };
}
