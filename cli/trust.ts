/** What the configuration says of keys and webhooks, read from its files and made ready for the mesh. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { AddressGuard, importSigningKey, type MeshOptions, type SigningKey } from "../a2a/mod.ts";
import { asPetrelError, type Config, messageOf, PetrelError } from "../core/mod.ts";

const Jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });
type Jwks = z.infer<typeof Jwks>;
type Trust = Pick<MeshOptions, "webhooks" | "signingKey" | "trustedKeys">;

/** Throws CONFIG_INVALID naming the key of the configuration. */
export async function trustOf(config: Config): Promise<Trust> {
  const { allow, allow_http: allowHttp, ca_file: caFile } = config.webhooks;
  const { trusted_keys_file: trustedFile } = config.cards;
  const [ca, key, trusted] = await Promise.all([
    caFile === undefined ? undefined : textOf(caFile, "webhooks.ca_file"),
    signingKeyOf(config),
    trustedFile === undefined ? undefined : jwksOf(trustedFile, "cards.trusted_keys_file"),
  ]);
  return {
    webhooks: { guard: new AddressGuard({ allow, allowHttp }), ca },
    ...(key ? { signingKey: key } : {}),
    ...(trusted ? { trustedKeys: trusted } : {}),
  };
}

/** The key of `cards.key_file`; undefined where none is configured. Throws CONFIG_INVALID. */
export async function signingKeyOf({ cards }: Config): Promise<SigningKey | undefined> {
  const { key_file: file } = cards;
  if (file === undefined) return undefined;
  try {
    return await importSigningKey(await jsonOf(file, "cards.key_file"));
  } catch (error) {
    throw asPetrelError(error, "CONFIG_INVALID", "cards.key_file");
  }
}

/** A set of public keys (RFC 7517). Throws CONFIG_INVALID naming `path`. */
export async function jwksOf(file: string, path: string): Promise<Jwks> {
  const parsed = Jwks.safeParse(await jsonOf(file, path));
  if (parsed.success) return parsed.data;
  throw new PetrelError("CONFIG_INVALID", `${path}: ${file} is no JWKS`, { path }, parsed.error);
}

async function jsonOf(file: string, path: string): Promise<unknown> {
  const text = await textOf(file, path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PetrelError("CONFIG_INVALID", `${path}: ${file} is no JSON`, { path }, error);
  }
}

async function textOf(file: string, path: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new PetrelError("CONFIG_INVALID", `${path}: ${messageOf(error)}`, { path }, error);
  }
}
