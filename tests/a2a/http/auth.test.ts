/** Who is let in: tokens that are good, and every kind that is not. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { principalOf, scopesOf } from "../../../a2a/http/auth.ts";
import { type Authenticate, type JwtKeys, jwtAuthenticator } from "../../../a2a/http/mod.ts";
import { PetrelError, silentLogger, systemClock } from "../../../core/mod.ts";
import { fakeAgent } from "./fake-agent.ts";
import { post, rpc, sending, startStand } from "./support.ts";

const seed = Number(process.env["PETREL_TEST_SEED"]);
const ISSUER = "https://issuer.example";
const AUDIENCE = "petrel";
const SECRET = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
const es256 = await generateKeyPair("ES256", { extractable: true });
const other = await generateKeyPair("ES256", { extractable: true });
const rs256 = await generateKeyPair("RS256", { extractable: true });
const jwks = {
  keys: [
    { ...(await exportJWK(es256.publicKey)), kid: "ec", alg: "ES256" },
    { ...(await exportJWK(rs256.publicKey)), kid: "rsa" },
  ],
};

function authenticator(keys: JwtKeys, clock = systemClock): Authenticate {
  return jwtAuthenticator({ keys, issuer: ISSUER, audience: AUDIENCE, clock, log: silentLogger });
}

function claims(payload: JWTPayload = {}): SignJWT {
  const full = { iss: ISSUER, aud: AUDIENCE, sub: "alice", exp: nowS() + 60, ...payload };
  return new SignJWT(full);
}

function nowS(): number {
  return Math.floor(systemClock.nowMs() / 1_000);
}

const ec = (payload?: JWTPayload) =>
  claims(payload).setProtectedHeader({ alg: "ES256", kid: "ec" }).sign(es256.privateKey);
const hs = (payload?: JWTPayload, key: Uint8Array = SECRET) =>
  claims(payload).setProtectedHeader({ alg: "HS256" }).sign(key);

/** The public key as bytes: what a verifier that lets a token choose would take for a secret. */
const publicBytes = new TextEncoder().encode(JSON.stringify(jwks.keys[0]));

const BAD: Readonly<Record<string, () => Promise<string> | string>> = {
  expired: () => ec({ exp: nowS() - 60 }),
  "without an end": async () => {
    const { exp: _, ...rest } = { iss: ISSUER, aud: AUDIENCE, sub: "alice", exp: 0 };
    return new SignJWT(rest).setProtectedHeader({ alg: "ES256", kid: "ec" }).sign(es256.privateKey);
  },
  "not valid yet": () => ec({ nbf: nowS() + 60 }),
  "of another issuer": () => ec({ iss: "https://evil.example" }),
  "for another audience": () => ec({ aud: "somebody" }),
  "without a subject": () => ec({ sub: "" }),
  "signed by somebody else": () =>
    claims().setProtectedHeader({ alg: "ES256", kid: "ec" }).sign(other.privateKey),
  "of an unknown key": () =>
    claims().setProtectedHeader({ alg: "ES256", kid: "nobody" }).sign(other.privateKey),
  unsigned: () =>
    new UnsecuredJWT({ iss: ISSUER, aud: AUDIENCE, sub: "alice", exp: nowS() + 60 }).encode(),
  "signed with the public key": () => hs({}, publicBytes),
  "signed with a secret": () => hs(),
  altered: async () => {
    const [head, , signature] = (await ec()).split(".");
    const payload = { iss: ISSUER, aud: AUDIENCE, sub: "root", exp: nowS() + 60 };
    return [head, Buffer.from(JSON.stringify(payload)).toString("base64url"), signature].join(".");
  },
  "no token": () => "abc",
  "far too long": () => "a".repeat(100_000),
};

for (const [what, make] of Object.entries(BAD)) {
  test(`refused: ${what}`, async () => {
    const authenticate = authenticator({ kind: "jwks", jwks });
    const asking = authenticate(`Bearer ${await make()}`);
    const error = await asking.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: "UNAUTHENTICATED", status: 401 });
    expect(error).toMatchObject({
      headers: { "www-authenticate": 'Bearer realm="petrel", error="invalid_token"' },
      message: "a valid bearer token is needed",
    });
  });
}

test("refused: no header, and one of another scheme", async () => {
  const authenticate = authenticator({ kind: "jwks", jwks });
  expect(authenticate(null)).rejects.toMatchObject({
    headers: { "www-authenticate": 'Bearer realm="petrel"' },
  });
  expect(authenticate("Basic YTpi")).rejects.toMatchObject({ status: 401 });
});

test("let in: ES256 and RS256 from a key set, HS256 with a secret alone", async () => {
  const fromSet = authenticator({ kind: "jwks", jwks });
  const token = await ec({ scope: "read write" });
  expect(await fromSet(`Bearer ${token}`)).toEqual({ principal: "alice", scopes: "read write" });
  const rsa = await claims()
    .setProtectedHeader({ alg: "RS256", kid: "rsa" })
    .sign(rs256.privateKey);
  expect(await fromSet(`bearer ${rsa}`)).toEqual({ principal: "alice", scopes: "-" });
  const fromSecret = authenticator({ kind: "secret", secret: SECRET });
  expect(await fromSecret(`Bearer ${await hs()}`)).toMatchObject({ principal: "alice" });
  expect(fromSecret(`Bearer ${token}`)).rejects.toMatchObject({ status: 401 });
});

test("clocks may disagree a little, and a token that was good is not good for ever", async () => {
  let skewMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + skewMs };
  const authenticate = authenticator({ kind: "secret", secret: SECRET }, clock);
  const token = `Bearer ${await hs({ exp: nowS() + 30 })}`;
  expect(await authenticate(token)).toMatchObject({ principal: "alice" });
  skewMs = 35_000;
  expect(await authenticate(token)).toMatchObject({ principal: "alice" });
  skewMs = 60_000;
  expect(authenticate(token)).rejects.toMatchObject({ status: 401 });
});

test("keys are fetched once, bounded, and their absence is not the token's fault", async () => {
  let asked = 0;
  let body: string | undefined = JSON.stringify(jwks);
  await using server = {
    bun: Bun.serve({
      port: 0,
      fetch: () => {
        asked++;
        return body === undefined ? new Response("no", { status: 500 }) : new Response(body);
      },
    }),
    [Symbol.asyncDispose]: async () => server.bun.stop(true),
  };
  const keys = { kind: "url", url: `http://127.0.0.1:${server.bun.port}/jwks` } as const;
  const authenticate = authenticator(keys);
  for (let n = 0; n < 5; n++) await authenticate(`Bearer ${await ec({ jti: String(n) })}`);
  expect(asked).toBe(1);
  const token = `Bearer ${await ec()}`;
  body = undefined;
  expect(authenticator(keys)(token)).rejects.toMatchObject({ code: "UNAVAILABLE", status: 503 });
  body = `{"keys":[${'{"kty":"EC"},'.repeat(40_000)}{}]}`;
  expect(authenticator(keys)(token)).rejects.toMatchObject({ code: "UNAVAILABLE", status: 503 });
});

test("keys that cannot be used are told at the start", () => {
  const short = { kind: "secret", secret: SECRET.slice(1) } as const;
  expect(() => authenticator(short)).toThrow("at least 32 bytes");
  expect(() => authenticator({ kind: "jwks", jwks: { keys: [] } })).toThrow(PetrelError);
  const secretSet = { keys: [{ kty: "oct", k: "c2VjcmV0" }] };
  expect(() => authenticator({ kind: "jwks", jwks: secretSet })).toThrow("holds a secret");
});

test("every subject is a principal that can be a header, and no two are the same", () => {
  const holds = fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (a, b) => {
    expect(principalOf(a)).toMatch(/^[A-Za-z0-9._:@-]{1,128}$/);
    expect(principalOf(a) === principalOf(b)).toBe(a === b);
    // Who calls himself by another's digest is not that other.
    expect(principalOf(principalOf(`${a} `))).not.toBe(principalOf(`${a} `));
  });
  fc.assert(holds, { seed });
});

test("scopes come as text or as a list, bounded, and what is none grants nothing", () => {
  expect(scopesOf({ scope: "a b", scp: ["c", "a"] })).toBe("a b c");
  expect(scopesOf({ scp: "x" })).toBe("x");
  expect(scopesOf({ scope: 5 })).toBe("-");
  expect(scopesOf({ scope: 'a" \n b' })).toBe("b");
  expect(scopesOf({ scope: Array(1_000).fill("abcdef").join(" ") })).toBe("abcdef");
  const long = Array.from({ length: 1_000 }, (_, n) => `scope${n}`).join(" ");
  expect(scopesOf({ scope: long }).length).toBeLessThanOrEqual(2_000);
});

test("the agent hears for whom the gateway asks, and a client without a token is turned away", async () => {
  const seen: (string | undefined)[] = [];
  await using stand = await startStand({ authenticate: authenticator({ kind: "jwks", jwks }) });
  await fakeAgent(stand.agents.nc, "fake", ({ header, send, id }) => {
    seen.push(header("a2a-on-behalf"), header("a2a-scopes"));
    send({ kind: "result", body: JSON.stringify({ jsonrpc: "2.0", id, result: {} }) });
  });
  const url = `${stand.url}/agents/fake`;
  const headers = { authorization: `Bearer ${await ec({ scope: "tasks" })}` };
  expect((await post(url, rpc("GetTask", { id: "x" }), headers)).status).toBe(200);
  expect(seen).toEqual(["alice", "tasks"]);
  const refused = await post(url, rpc("SendMessage", sending({})));
  expect(refused.status).toBe(401);
  expect(refused.headers.get("www-authenticate")).toBe('Bearer realm="petrel"');
  expect(await refused.json()).toMatchObject({ jsonrpc: "2.0", id: null, error: { code: -32000 } });
  const rest = await post(`${url}/message:send`, sending({}), { authorization: "Bearer x.y.z" });
  expect(rest.status).toBe(401);
  expect(await rest.json()).toMatchObject({ error: { code: 401, status: "UNAUTHENTICATED" } });
  expect((await fetch(`${stand.url}/agents`)).status).toBe(401);
  expect((await fetch(`${stand.url}/agents`, { headers })).status).toBe(200);
  // A card is what tells a client that it needs a token.
  const card = await fetch(`${stand.url}/agents/echo/.well-known/agent-card.json`);
  expect(await card.json()).toMatchObject({
    securitySchemes: {
      bearer: { httpAuthSecurityScheme: { scheme: "Bearer", bearerFormat: "JWT" } },
    },
    securityRequirements: [{ schemes: { bearer: {} } }],
  });
  expect(seen).toHaveLength(2);
});

test("a scope that is missing is 403 in both bindings, as the agent says it", async () => {
  await using stand = await startStand({ authenticate: authenticator({ kind: "jwks", jwks }) });
  await fakeAgent(stand.agents.nc, "fake", ({ send, id }) => {
    const metadata = { petrelCode: "FORBIDDEN", retry: "never" };
    const data = [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", metadata }];
    const error = { code: -32603, message: "missing scope: write", data };
    send({ kind: "error", body: JSON.stringify({ jsonrpc: "2.0", id, error }) });
  });
  const headers = { authorization: `Bearer ${await ec()}` };
  const url = `${stand.url}/agents/fake`;
  const answers = [
    await post(url, rpc("SendMessage", sending({})), headers),
    await post(`${url}/message:send`, sending({}), headers),
  ];
  for (const answer of answers) {
    expect(answer.status).toBe(403);
    expect(answer.headers.get("www-authenticate")).toContain("insufficient_scope");
    expect(await answer.text()).toContain("missing scope: write");
  }
});
