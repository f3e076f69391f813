/** Page tokens of the list of configs (A2A 1.0 section 3.1.9): opaque to clients, and hold no secret. */
import { isSubjectToken } from "../../core/mod.ts";
import { malformed } from "./check.ts";

/** What a client gives back to read on after the config of this id. */
export function toPageToken(id: string): string {
  return Buffer.from(id).toString("base64url");
}

/** The id in a token of ours; throws RequestMalformed for any other text. */
export function fromPageToken(token: string): string {
  const id = Buffer.from(token.slice(0, 200), "base64url").toString();
  if (isSubjectToken(id) && toPageToken(id) === token) return id;
  throw malformed("pageToken", "is none of ours");
}
