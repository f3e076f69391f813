/**
 * The content of an artifact that is too large for an envelope: `GET /agents/<name>/artifacts/<task>/<hash>`,
 * of a task in a tenant with `?tenant=`.
 * It lies under its owner's name, so nobody gets another's; what it is not by its hash is not sent.
 */
import { isSubjectToken, PetrelError } from "../../core/mod.ts";
import { ownerOf } from "../subjects.ts";
import type { TaskPlace } from "../tasks/log.ts";
import { type Arrival, noSuchAgent } from "./edge.ts";
import { Refusal, SERVER_ERROR } from "./refusal.ts";

/** An object by its hash; undefined where there is none. */
export type FindArtifact = (
  agent: string,
  place: TaskPlace,
  sha256: string,
) => Promise<Uint8Array | undefined>;

/** Throws a refusal: 404, or UNAVAILABLE. */
export async function serveArtifact(
  find: FindArtifact | undefined,
  caller: string,
  { agent, who, request }: Arrival,
  { task, hash }: { readonly task: string; readonly hash: string },
): Promise<Response> {
  if (!find) throw noSuchAgent();
  if (!isSubjectToken(task) || !/^[0-9a-f]{64}$/.test(hash)) throw noSuchArtifact();
  const tenant = new URL(request.url).searchParams.get("tenant") ?? undefined;
  const place = { owner: ownerOf(caller, who.principal, tenant), taskId: task };
  const content = await find(agent, place, hash);
  if (!content) throw noSuchArtifact();
  const digest = new Bun.CryptoHasher("sha256").update(content);
  const found = digest.digest();
  if (found.toString("hex") !== hash) {
    throw new PetrelError("PROTOCOL_VIOLATION", "the artifact's content is not what was stored");
  }
  const headers = {
    "content-type": "application/octet-stream",
    // Content of somebody's agent: a browser must not take it for a page of ours.
    "content-disposition": "attachment",
    "x-content-type-options": "nosniff",
    "content-digest": `sha-256=:${found.toString("base64")}:`,
    "cache-control": "private, max-age=86400, immutable",
    etag: `"${hash}"`,
  };
  if (request.headers.get("if-none-match") === headers.etag) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(Buffer.from(content), { headers });
}

function noSuchArtifact(): Refusal {
  return new Refusal("UNAVAILABLE", "no such artifact", {
    status: 404,
    rpcCode: SERVER_ERROR,
    reason: "ARTIFACT_NOT_FOUND",
  });
}
