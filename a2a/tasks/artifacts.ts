/**
 * Artifacts that are too large for an envelope: their content lies in the object store, the task holds
 * where, how long it is and its SHA-256. Nothing is ever changed there: the name holds the hash.
 */
import { Part as PartCodec } from "@a2a-js/sdk";
import type { JetStreamClient } from "@nats-io/jetstream";
import { type ObjectStore, Objm } from "@nats-io/obj";
import { asPetrelError, PetrelError } from "../../core/mod.ts";
import type { Part } from "../agent.ts";
import type { TaskPlace } from "./log.ts";

export const ARTIFACTS_BUCKET = "A2A_ARTIFACTS";
/** Where an object is, for whoever is in the mesh: `nats-object:<bucket>/<name>`. */
const OBJECT_URL = `nats-object:${ARTIFACTS_BUCKET}/`;
/** The content is a list of parts in ProtoJSON, where no single type would do. */
const PARTS_TYPE = "application/vnd.petrel.a2a-parts+json";
const NANOS_PER_MS = 1e6;
export const OBJECT_BYTES_MAX = 256 * 1024 * 1024;

export class ArtifactStore {
  readonly #js: JetStreamClient;
  readonly #ttlMs: number;
  readonly #publicUrl: string | undefined;
  #bucket: Promise<ObjectStore> | undefined;

  /** `publicUrl`: where the gateway is reached, for those who are not in the mesh. */
  constructor(js: JetStreamClient, ttlMs: number, publicUrl?: string) {
    this.#publicUrl = publicUrl?.replace(/\/+$/, "");
    this.#js = js;
    this.#ttlMs = ttlMs;
  }

  /** Stores the content of parts, and gives the one part that stands for them. Throws UNAVAILABLE. */
  async put(agent: string, place: TaskPlace, parts: readonly Part[]): Promise<Part> {
    const { content, mediaType, filename } = contentOf(parts);
    const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    const name = objectName(agent, place, sha256);
    try {
      const bucket = await this.#open();
      // Another attempt of the turn may have stored it: the name holds its hash.
      const there = await bucket.info(name);
      if (there?.size !== content.length) await bucket.putBlob({ name }, content);
    } catch (error) {
      throw asPetrelError(error, "UNAVAILABLE", "the store of artifacts");
    }
    const path = `/agents/${agent}/artifacts/${place.taskId}/${sha256}`;
    const url = this.#publicUrl === undefined ? `${OBJECT_URL}${name}` : this.#publicUrl + path;
    return {
      content: { $case: "url", value: url },
      mediaType,
      filename,
      metadata: { object: name, sha256, bytes: content.length },
    };
  }

  /**
   * The content a part of {@link put} stands for. Throws PROTOCOL_VIOLATION when it is not what the part
   * says, INCOMPLETE when it is gone, TOO_LARGE, UNAVAILABLE.
   */
  async get(part: Part): Promise<Uint8Array> {
    const { name, sha256, bytes } = referenceOf(part);
    if (bytes > OBJECT_BYTES_MAX) {
      throw new PetrelError("TOO_LARGE", `the artifact has ${bytes} bytes`, {
        limit: OBJECT_BYTES_MAX,
      });
    }
    let content: Uint8Array | null;
    try {
      const bucket = await this.#open();
      const info = await bucket.info(name);
      if (info && info.size !== bytes) throw violation("bytes");
      content = await bucket.getBlob(name);
    } catch (error) {
      throw asPetrelError(error, "UNAVAILABLE", "the store of artifacts");
    }
    if (!content) throw new PetrelError("INCOMPLETE", "the artifact's content is gone", { name });
    const found = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    if (found !== sha256) throw violation("sha256");
    return content;
  }

  /** An object by its hash, for whoever owns the task; undefined where there is none. */
  async find(agent: string, place: TaskPlace, sha256: string): Promise<Uint8Array | undefined> {
    try {
      const bucket = await this.#open();
      return (await bucket.getBlob(objectName(agent, place, sha256))) ?? undefined;
    } catch (error) {
      throw asPetrelError(error, "UNAVAILABLE", "the store of artifacts");
    }
  }

  #open(): Promise<ObjectStore> {
    this.#bucket ??= new Objm(this.#js)
      .create(ARTIFACTS_BUCKET, { ttl: this.#ttlMs * NANOS_PER_MS })
      .catch((error: unknown) => {
        this.#bucket = undefined;
        throw error;
      });
    return this.#bucket;
  }
}

/** True for a part whose content lies in the object store. */
export function isStored(part: Part): boolean {
  return part.content?.$case === "url" && typeof part.metadata?.["object"] === "string";
}

function objectName(agent: string, { owner, taskId }: TaskPlace, sha256: string): string {
  return `${agent}/${owner}/${taskId}/${sha256}`;
}

function referenceOf(part: Part): { name: string; sha256: string; bytes: number } {
  const { object, sha256, bytes } = part.metadata ?? {};
  if (typeof object !== "string" || !isStored(part)) throw violation("object");
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) throw violation("sha256");
  if (typeof bytes !== "number" || !(bytes >= 0)) throw violation("bytes");
  return { name: object, sha256, bytes };
}

/** The parts as one content: texts and bytes one behind the other, one value as JSON, else the list. */
function contentOf(parts: readonly Part[]): {
  content: Uint8Array;
  mediaType: string;
  filename: string;
} {
  const [first] = parts;
  const names = { mediaType: first?.mediaType ?? "", filename: first?.filename ?? "" };
  const texts = parts.map(({ content }) => (content?.$case === "text" ? content.value : undefined));
  if (texts.every((text) => text !== undefined)) {
    return { content: Buffer.from(texts.join("")), ...names };
  }
  const pieces = parts.map(({ content }) => (content?.$case === "raw" ? content.value : undefined));
  if (pieces.every((piece) => piece !== undefined)) {
    return { content: Buffer.concat(pieces), ...names };
  }
  if (parts.length === 1 && first?.content?.$case === "data") {
    return { content: Buffer.from(JSON.stringify(first.content.value)), ...names };
  }
  const list = JSON.stringify(parts.map((part) => PartCodec.toJSON(part)));
  return { content: Buffer.from(list), mediaType: PARTS_TYPE, filename: "" };
}

function violation(field: string): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `a stored artifact: ${field} is not what it says`, {
    place: field,
  });
}
