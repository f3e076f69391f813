/**
 * A Schema Registry that keeps to Confluent's REST protocol (API reference of Confluent Platform 7:
 * paths, media type, error codes and bodies). Compatibility is decided as BACKWARD for Avro by a codec, and
 * for JSON by the rule the tests of evolution use.
 */
import { avroBreaks, jsonBreaks } from "./evolution.ts";
import type { Json } from "./validators.ts";

const MEDIA_TYPE = "application/vnd.schemaregistry.v1+json";

interface Version {
  readonly id: number;
  readonly schema: string;
  readonly schemaType: string;
}

export interface Trouble {
  /** Answers this instead of the next request. */
  readonly status: number;
  readonly body: string;
}

export class RegistryStandIn implements AsyncDisposable {
  readonly subjects = new Map<string, Version[]>();
  /** Method, path and user of each request, in order. */
  readonly asked: string[] = [];
  readonly trouble: Trouble[] = [];
  /** May look up, may not register. */
  isReadOnly = false;
  #ids = 100;
  readonly #server = Bun.serve({ port: 0, fetch: (request) => this.#answer(request) });

  get url(): string {
    return this.#server.url.href;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const user = Buffer.from(request.headers.get("authorization")?.slice(6) ?? "", "base64");
    this.asked.push(`${request.method} ${pathname}${search} ${user.toString()}`.trim());
    const trouble = this.trouble.shift();
    if (trouble) return new Response(trouble.body, { status: trouble.status });
    if (request.method === "GET") return this.#schema(Number(pathname.split("/").at(-1)));
    if (request.headers.get("content-type") !== MEDIA_TYPE) return failure(415, 415, "HTTP 415");
    const { schema = "", schemaType = "AVRO" }: Partial<Version> = JSON.parse(await request.text());
    const wanted = { schema, schemaType };
    const [, first, second, third] = pathname.split("/").map(decodeURIComponent);
    if (first === "compatibility") return this.#compatible(third ?? "", wanted);
    const isRegistering = pathname.endsWith("/versions");
    return isRegistering
      ? this.#register(second ?? "", wanted)
      : this.#lookUp(second ?? "", wanted);
  }

  #compatible(subject: string, wanted: Omit<Version, "id">): Response {
    const latest = this.subjects.get(subject)?.at(-1);
    if (!latest) return failure(404, 40_401, `Subject '${subject}' not found.`);
    const messages = breaks(latest, wanted);
    return answer({ is_compatible: messages.length === 0, messages });
  }

  #lookUp(subject: string, wanted: Omit<Version, "id">): Response {
    const versions = this.subjects.get(subject);
    if (!versions) return failure(404, 40_401, `Subject '${subject}' not found.`);
    const at = versions.findIndex(({ schema }) => schema === wanted.schema);
    const found = versions[at];
    if (!found) return failure(404, 40_403, "Schema not found");
    return answer({ subject, version: at + 1, ...found });
  }

  #register(subject: string, wanted: Omit<Version, "id">): Response {
    if (this.isReadOnly) return failure(403, 40_301, "User is denied operation Write on Subject");
    const versions = this.subjects.get(subject) ?? [];
    const latest = versions.at(-1);
    if (latest && breaks(latest, wanted).length > 0) {
      const words = "Schema being registered is incompatible with an earlier schema for subject";
      return failure(409, 409, `${words} "${subject}"`);
    }
    const same = [...this.subjects.values()].flat().find(({ schema }) => schema === wanted.schema);
    const version = { id: same?.id ?? this.#ids++, ...wanted };
    if (!versions.some(({ schema }) => schema === wanted.schema)) versions.push(version);
    this.subjects.set(subject, versions);
    return answer({ id: version.id });
  }

  #schema(id: number): Response {
    const found = [...this.subjects.values()].flat().find((version) => version.id === id);
    if (!found) return failure(404, 40_403, "Schema not found");
    const { schema, schemaType } = found;
    return answer(schemaType === "AVRO" ? { schema } : { schema, schemaType });
  }
}

function breaks(older: Omit<Version, "id">, newer: Omit<Version, "id">): string[] {
  if (older.schemaType !== newer.schemaType)
    return ["Incompatible because of different schema type"];
  const [was, is]: [Json, Json] = [JSON.parse(older.schema), JSON.parse(newer.schema)];
  return newer.schemaType === "AVRO" ? avroBreaks(was, is) : jsonBreaks(was, is);
}

function answer(body: Json): Response {
  return new Response(JSON.stringify(body), { headers: { "content-type": MEDIA_TYPE } });
}

function failure(status: number, code: number, message: string): Response {
  const body = JSON.stringify({ error_code: code, message });
  return new Response(body, { status, headers: { "content-type": MEDIA_TYPE } });
}
