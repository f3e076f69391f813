/** The configuration of the HTTP gateway: where it listens, whom it lets in, how much they may. */
import { z } from "zod";
import { Duration, Path, Secret, Url } from "./config-types.ts";

const SECRET_BYTES_MIN = 32;

const SharedSecret = Secret.refine(
  (text) => Buffer.byteLength(text) >= SECRET_BYTES_MIN,
  `must have at least ${SECRET_BYTES_MIN} bytes`,
);

/** Bearer JWTs: one place the keys come from, and whose tokens they are for whom. */
const Jwt = z
  .strictObject({
    jwks_url: Url.optional(),
    jwks_file: Path.optional(),
    /** For HS256 alone. */
    secret: SharedSecret.optional(),
    issuer: z.string().min(1).max(500),
    audience: z.string().min(1).max(500),
    /** Clocks disagree by this much. */
    clock_tolerance: Duration.default(10_000),
  })
  .refine(
    (jwt) =>
      [jwt.jwks_url, jwt.jwks_file, jwt.secret].filter((key) => key !== undefined).length === 1,
    "needs one of jwks_url, jwks_file and secret",
  );

const Origin = z.string().regex(/^https?:\/\/[^/\s]+$/, "must be an origin such as https://host");

export const Gateway = z
  .strictObject({
    /** The name the gateway has in the mesh: the caller in its requests. */
    name: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 letters, digits, "-" or "_"')
      .default("gateway"),
    host: z.string().min(1).default("127.0.0.1"),
    port: z.number().int().min(0).max(65_535).default(8_724),
    /** Where clients reach it; stands in every card. Default: http://host:port. */
    public_url: Url.optional(),
    /** Has to be said where others than this host can reach a gateway that asks for no token. */
    auth: z.literal("none").optional(),
    jwt: Jwt.optional(),
    /** Of each caller; absent: as much as there is room for. */
    rate_limit: z
      .strictObject({
        per_second: z.number().positive().max(100_000),
        burst: z.number().int().min(1).max(1_000_000),
      })
      .optional(),
    requests_max: z.number().int().min(1).max(100_000).default(4_096),
    streams_max: z.number().int().min(1).max(100_000).default(1_024),
    /** How long an answer is waited for when the client does not say. */
    timeout: Duration.default(120_000),
    stream_timeout: Duration.default(600_000),
    /** How long a client may keep a card. */
    card_max_age: Duration.default(60_000),
    /** Origins whose pages may call the gateway from a browser. */
    cors_origins: z.array(Origin).max(100).default([]),
  })
  .refine(({ auth, jwt }) => auth === undefined || jwt === undefined, {
    message: "auth: none and jwt exclude each other",
    path: ["auth"],
  })
  .refine(({ host, auth, jwt }) => auth !== undefined || jwt !== undefined || isLoopback(host), {
    message: "say auth: none to let everybody in who reaches this host, or configure jwt",
    path: ["auth"],
  });
export type Gateway = z.infer<typeof Gateway>;

/** Only this machine reaches it. */
function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host);
}
