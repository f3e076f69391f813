/**
 * What a client may name as a push notification config (A2A 1.0 section 4.3.1). Errors name the field
 * and never repeat a value, which may be a secret.
 */
import { TaskPushNotificationConfig } from "@a2a-js/sdk";
import { RequestMalformedError } from "@a2a-js/sdk/errors";
import { isSubjectToken, newId, PetrelError } from "../../core/mod.ts";
import type { AddressGuard } from "./address.ts";

const SECRET_CHARS_MAX = 4_096;
const TENANT_CHARS_MAX = 256;

/** The config, with an id minted where there is none. Throws RequestMalformed naming the field. */
export function checkedConfig(
  guard: AddressGuard,
  given: TaskPushNotificationConfig,
): TaskPushNotificationConfig {
  // Once through the codec, so that every field is there and of its type.
  const whole = TaskPushNotificationConfig.fromJSON(TaskPushNotificationConfig.toJSON(given));
  const { tenant, taskId, url, token, authentication } = whole;
  const id = whole.id || newId();
  if (!isSubjectToken(id)) throw malformed("id", 'must be 1 to 128 letters, digits, "-" or "_"');
  if (!isSubjectToken(taskId)) throw malformed("taskId", "is no task's id");
  if (tenant.length > TENANT_CHARS_MAX) throw malformed("tenant", "is too long");
  if (url === "") throw malformed("url", "is required");
  checkUrl(guard, url);
  checkSecret("token", token);
  if (authentication) {
    const isToken = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/.test(authentication.scheme);
    if (!isToken) throw malformed("authentication.scheme", "must be one HTTP auth scheme");
    checkSecret("authentication.credentials", authentication.credentials);
  }
  return { ...whole, id };
}

/** What every refusal of a config is. */
export function malformed(field: string, problem: string): Error {
  return new RequestMalformedError(`${field}: ${problem}`);
}

function checkUrl(guard: AddressGuard, url: string): void {
  try {
    guard.checkUrl(url);
  } catch (error) {
    if (!(error instanceof PetrelError)) throw error;
    throw new RequestMalformedError(error.message);
  }
}

/** It becomes a header's value (RFC 9110 section 5.5): no line break, nothing invisible. */
function checkSecret(field: string, text: string): void {
  if (text.length > SECRET_CHARS_MAX) {
    throw malformed(field, `must have at most ${SECRET_CHARS_MAX} characters`);
  }
  if (!/^[\x20-\x7e]*$/.test(text)) throw malformed(field, "must be printable ASCII");
  if (text !== text.trim()) throw malformed(field, "must not begin or end with a space");
}
