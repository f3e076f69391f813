/** The gateway's configuration: what is refused, and that nobody is let in by leaving something out. */
import { describe, expect, test } from "bun:test";
import { Gateway } from "../../core/config-gateway.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const JWT = { secret: SECRET, issuer: "https://issuer.example", audience: "petrel" };

/** The path of the first key that was refused. */
function refusedAt(value: unknown): string | undefined {
  return Gateway.safeParse(value).error?.issues[0]?.path.join(".");
}

test("nothing said is a gateway for this host alone", () => {
  expect(Gateway.parse({})).toEqual({
    name: "gateway",
    host: "127.0.0.1",
    port: 8_724,
    requests_max: 4_096,
    streams_max: 1_024,
    timeout: 120_000,
    stream_timeout: 600_000,
    card_max_age: 60_000,
    cors_origins: [],
  });
});

describe("refused", () => {
  const cases: [what: string, value: unknown, path: string][] = [
    ["everybody, by omission", { host: "0.0.0.0" }, "auth"],
    ["a host that only looks like loopback", { host: "127.0.0.1.evil.example" }, "auth"],
    ["none beside tokens", { auth: "none", jwt: JWT }, "auth"],
    ["another way", { auth: "basic" }, "auth"],
    ["an unknown key", { cors: true }, ""],
    ["a short secret", { jwt: { ...JWT, secret: SECRET.slice(1) } }, "jwt.secret"],
    ["no keys", { jwt: { issuer: "i", audience: "a" } }, "jwt"],
    ["keys twice", { jwt: { ...JWT, jwks_file: "/keys.json" } }, "jwt"],
    ["no issuer", { jwt: { secret: SECRET, audience: "a" } }, "jwt.issuer"],
    ["keys from a file's URL", { jwt: { ...JWT, jwks_url: "file:///etc/x" } }, "jwt.jwks_url"],
    ["a rate of nothing", { rate_limit: { per_second: 0, burst: 1 } }, "rate_limit.per_second"],
    ["an origin with a path", { cors_origins: ["https://a.example/x"] }, "cors_origins.0"],
    ["any origin", { cors_origins: ["*"] }, "cors_origins.0"],
    ["a name with a dot", { name: "a.b" }, "name"],
  ];
  for (const [what, value, path] of cases) {
    test(what, () => expect(refusedAt(value)).toBe(path));
  }
});

test("who is reached from outside says whom it lets in", () => {
  expect(Gateway.parse({ host: "0.0.0.0", auth: "none" })).toMatchObject({ auth: "none" });
  expect(Gateway.parse({ host: "::", jwt: JWT })).toMatchObject({
    jwt: { clock_tolerance: 10_000 },
  });
});
