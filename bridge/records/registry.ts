/**
 * A client of a Confluent-compatible Schema Registry (its REST API, version 1): checks compatibility,
 * registers, looks up. Every call has a deadline and a bounded answer; a registry that is busy or away is
 * asked again until the deadline.
 */
import { z } from "zod";
import { type Clock, messageOf, PetrelError, withRetry } from "../../core/mod.ts";
import type { ValueSchema } from "./schemas.ts";

export interface RegistryOptions {
  readonly url: string;
  /** Basic authentication. */
  readonly user?: string;
  readonly password?: string;
  /** For one question and all its attempts. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const ATTEMPTS = { firstMs: 200, capMs: 2_000, attemptsMax: 20 };
const ANSWER_BYTES_MAX = 1024 * 1024;
const MEDIA_TYPE = "application/vnd.schemaregistry.v1+json";
const REASON_CHARS_MAX = 1_000;

const SchemaId = z.object({ id: z.number().int().min(0).max(0xff_ff_ff_ff) });
const Verdict = z.object({
  is_compatible: z.boolean(),
  messages: z.array(z.string()).optional(),
});
const Failure = z.object({ message: z.string() });
const Stored = z.object({ schema: z.string(), schemaType: z.string().optional() });

interface Answer {
  readonly status: number;
  readonly text: string;
}

export class SchemaRegistry {
  readonly #options: RegistryOptions;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /**
   * Resolves when `subject` is new or admits `schema` beside its latest version. Throws CONFIG_INVALID
   * naming the subject and the registry's reason when it does not.
   */
  async checkCompatible(subject: string, schema: ValueSchema, signal: AbortSignal): Promise<void> {
    const path = `/compatibility/subjects/${encodeURIComponent(subject)}/versions/latest?verbose=true`;
    const answer = await this.#ask("POST", path, requestOf(schema), signal);
    if (answer.status === 404) return;
    if (answer.status !== 200) throw refused(`subject "${subject}"`, answer);
    const { is_compatible: isCompatible, messages = [] } = this.#read(Verdict, answer);
    if (isCompatible) return;
    const reason = oneLine(messages.join("; ")) || "it gives no reason";
    throw new PetrelError(
      "CONFIG_INVALID",
      `schema registry: subject "${subject}": ${schema.name} is not compatible with the latest version: ${reason}`,
      { path: "bridge.registry", subject, reason },
    );
  }

  /** The id of a schema, which is registered if it is not yet. Throws CONFIG_INVALID when it is refused. */
  async register(subject: string, schema: ValueSchema, signal: AbortSignal): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}`;
    // A user who may only read gets by once somebody else has registered.
    const known = await this.#ask("POST", path, requestOf(schema), signal);
    if (known.status === 200) return this.#read(SchemaId, known).id;
    const answer = await this.#ask("POST", `${path}/versions`, requestOf(schema), signal);
    if (answer.status !== 200) throw refused(`subject "${subject}"`, answer);
    return this.#read(SchemaId, answer).id;
  }

  /** The parsed schema of an id; undefined when the registry has none. */
  async schemaOf(id: number, signal: AbortSignal): Promise<unknown> {
    const answer = await this.#ask("GET", `/schemas/ids/${id}`, undefined, signal);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw refused(`schema ${id}`, answer);
    const { schema } = this.#read(Stored, answer);
    return parsed(schema);
  }

  async #ask(
    method: "GET" | "POST",
    path: string,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { clock, timeoutMs } = this.#options;
    const deadlineMs = clock.nowMs() + timeoutMs;
    const timed = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    return withRetry(ATTEMPTS, { clock, signal, deadlineMs }, () =>
      this.#attempt(method, path, body, timed, signal),
    );
  }

  async #attempt(
    method: "GET" | "POST",
    path: string,
    body: string | undefined,
    timed: AbortSignal,
    outer: AbortSignal,
  ): Promise<Answer> {
    const { url, user, password = "", timeoutMs } = this.#options;
    const headers = new Headers({ accept: `${MEDIA_TYPE}, application/json` });
    if (user !== undefined) headers.set("authorization", `Basic ${base64(`${user}:${password}`)}`);
    if (body !== undefined) headers.set("content-type", MEDIA_TYPE);
    let status: number;
    let text: string;
    try {
      const request = { method, headers, signal: timed, redirect: "manual" } as const;
      const response = await fetch(`${url.replace(/\/+$/, "")}${path}`, {
        ...request,
        ...(body !== undefined && { body }),
      });
      ({ status } = response);
      text = await boundedText(response);
    } catch (error) {
      if (error instanceof PetrelError) throw error;
      if (outer.aborted)
        throw new PetrelError("CANCELLED", "schema registry: cancelled", {}, error);
      if (timed.aborted)
        throw failed("DEADLINE_EXCEEDED", `no answer in ${timeoutMs} ms`, undefined, error);
      throw failed("UNAVAILABLE", `cannot be reached: ${messageOf(error, 200)}`, undefined, error);
    }
    if (status === 401 || status === 403)
      throw failed("UNAUTHENTICATED", "refused the credentials", status);
    if (status === 429 || status >= 500)
      throw failed("OVERLOADED", `answered ${status}: ${reasonIn(text)}`, status);
    return { status, text };
  }

  #read<T>(schema: z.ZodType<T>, { text, status }: Answer): T {
    const read = schema.safeParse(parsed(text));
    if (read.success) return read.data;
    const issue = read.error.issues[0];
    const place = issue?.path.join(".") || "body";
    throw failed("PROTOCOL_VIOLATION", `its answer's ${place}: ${issue?.message ?? ""}`, status);
  }
}

function refused(what: string, { status, text }: Answer): PetrelError {
  const reason = reasonIn(text);
  return new PetrelError(
    "CONFIG_INVALID",
    `schema registry: ${what}: refused with ${status}: ${reason}`,
    { path: "bridge.registry", status, reason },
  );
}

function requestOf({ kind, text }: ValueSchema): string {
  // AVRO is the default, and the only type old registries know.
  return JSON.stringify(kind === "AVRO" ? { schema: text } : { schema: text, schemaType: kind });
}

function failed(
  code:
    | "DEADLINE_EXCEEDED"
    | "UNAVAILABLE"
    | "OVERLOADED"
    | "UNAUTHENTICATED"
    | "PROTOCOL_VIOLATION"
    | "TOO_LARGE",
  what: string,
  status?: number,
  cause?: unknown,
): PetrelError {
  const fields = { system: "schema registry", ...(status !== undefined && { status }) };
  return new PetrelError(code, `schema registry: ${what}`, fields, cause);
}

async function boundedText(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (!reader) return "";
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      bytes += part.value.length;
      if (bytes > ANSWER_BYTES_MAX)
        throw failed("TOO_LARGE", `its answer has more than ${ANSWER_BYTES_MAX} bytes`);
      parts.push(part.value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  return Buffer.concat(parts).toString("utf8");
}

function reasonIn(text: string): string {
  const read = Failure.safeParse(parsed(text));
  return oneLine(read.success ? read.data.message : text) || "it gives no reason";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function oneLine(text: string): string {
  return messageOf(text, REASON_CHARS_MAX).trim();
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
