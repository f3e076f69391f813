/**
 * The signature on a notification: a detached JWS (RFC 7515 appendix F) over the body, whose protected
 * header says when, for which event and to whom, so that it cannot be replayed. docs/push.md shows how
 * a receiver checks it.
 */
import { FlattenedSign } from "jose";
import type { SigningKey } from "../cards/keys.ts";

export interface SignedWords {
  readonly body: string;
  /** `<taskId>.<event>`: the same on every attempt. */
  readonly eventId: string;
  /** The webhook it is meant for. */
  readonly url: URL;
  /** Seconds since the epoch. */
  readonly atSeconds: number;
}

/** `<protected header>..<signature>`; between the dots stands the body, which is not repeated. */
export async function signNotification(key: SigningKey, words: SignedWords): Promise<string> {
  const { protected: header, signature } = await new FlattenedSign(Buffer.from(words.body))
    .setProtectedHeader({
      alg: key.alg,
      kid: key.kid,
      typ: "JOSE",
      iat: words.atSeconds,
      jti: words.eventId,
      aud: audienceOf(words.url),
    })
    .sign(key.privateKey);
  return `${header}..${signature}`;
}

/** The webhook without its query, which may hold a secret. */
function audienceOf(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
