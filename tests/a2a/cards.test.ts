import { describe, expect, test } from "bun:test";
import {
  AgentCard,
  canonicalizeAgentCard,
  generateAgentCardSignature,
  verifyAgentCardSignature,
} from "@a2a-js/sdk";
import * as fc from "fast-check";
import { exportJWK, generateKeyPair, importJWK } from "jose";
import { type CardJson, canonicalCard, jcs, sdkForm } from "../../a2a/cards/canonical.ts";
import { importSigningKey, publicJwks, type SigningKey } from "../../a2a/cards/keys.ts";
import { signCard } from "../../a2a/cards/sign.ts";
import { CardVerifier } from "../../a2a/cards/verify.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

/** A card in which the specification and the SDKs read the same. */
const PLAIN = {
  name: "Störmer 🐦",
  description: "d",
  version: "1.0.0",
  supportedInterfaces: [
    { url: "https://x.example/", protocolBinding: "JSONRPC", protocolVersion: "1.0" },
  ],
  provider: { organization: "o", url: "https://o.example/" },
  capabilities: {
    streaming: true,
    pushNotifications: false,
    extensions: [{ uri: "urn:x", params: { b: [1, 2.5, -0, 1e21], a: { deep: true } } }],
  },
  securitySchemes: {
    bearer: { httpAuthSecurityScheme: { scheme: "Bearer" } },
    oauth: {
      oauth2SecurityScheme: {
        flows: { clientCredentials: { tokenUrl: "https://t.example/", scopes: { read: "r" } } },
      },
    },
  },
  securityRequirements: [{ schemes: { oauth: { list: ["read"] } } }],
  defaultInputModes: ["text/plain"],
  defaultOutputModes: ["text/plain"],
  skills: [{ id: "s", name: "s", description: "s", tags: ["t"] }],
};
/** The SDKs lose its requirement, which names no scope, and its empty required fields. */
const EMPTY_PARTS = {
  ...PLAIN,
  description: "",
  securityRequirements: [{ schemes: { bearer: { list: [] } } }],
};

async function newKey(alg: "ES256" | "Ed25519" = "ES256", kid?: string): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return importSigningKey({ ...(await exportJWK(privateKey)), ...(kid ? { kid } : {}) });
}

const verifierOf = (keys: readonly SigningKey[], more: object = {}) =>
  new CardVerifier({ jwks: publicJwks(keys), ...more });

/** A signed card as it is sent. */
async function signedJson(json: object, keys: readonly SigningKey[]): Promise<CardJson> {
  const card = await signCard(AgentCard.fromJSON(json), keys);
  return JSON.parse(JSON.stringify(AgentCard.toJSON(card)));
}

describe("the canonical form", () => {
  test("is what the specification's example says (section 8.4.1)", () => {
    const fragment = {
      name: "Example Agent",
      description: "",
      capabilities: { streaming: false, pushNotifications: false, extensions: [] },
      skills: [],
    };
    expect(canonicalCard(fragment)).toBe(
      '{"capabilities":{"pushNotifications":false,"streaming":false},"defaultInputModes":[],"defaultOutputModes":[],' +
        '"description":"","name":"Example Agent","skills":[],"supportedInterfaces":[],"version":""}',
    );
  });

  test("keeps what is required or was set, leaves out defaults, signatures and what it does not know", () => {
    const card = {
      ...EMPTY_PARTS,
      iconUrl: "",
      documentationUrl: undefined,
      unknown: "x",
      signatures: [{ protected: "p", signature: "s" }],
      provider: { organization: "" },
      securitySchemes: {
        key: { apiKeySecurityScheme: { name: "k", description: "" } },
        flow: { oauth2SecurityScheme: { flows: { deviceCode: { tokenUrl: "t" } } } },
      },
      supportedInterfaces: [{ url: "u", tenant: "" }],
      capabilities: { extensions: [{ uri: "u", required: false, params: { kept: "", list: [] } }] },
      skills: [{ id: "s", examples: [] }],
    };
    expect(JSON.parse(canonicalCard(card))).toEqual({
      name: PLAIN.name,
      description: "",
      version: "1.0.0",
      iconUrl: "",
      provider: { organization: "", url: "" },
      supportedInterfaces: [{ url: "u", protocolBinding: "", protocolVersion: "" }],
      capabilities: { extensions: [{ uri: "u", params: { kept: "", list: [] } }] },
      securitySchemes: {
        key: { apiKeySecurityScheme: { location: "", name: "k" } },
        flow: {
          oauth2SecurityScheme: {
            flows: { deviceCode: { deviceAuthorizationUrl: "", tokenUrl: "t", scopes: {} } },
          },
        },
      },
      securityRequirements: [{ schemes: { bearer: {} } }],
      defaultInputModes: ["text/plain"],
      defaultOutputModes: ["text/plain"],
      skills: [{ id: "s", name: "", description: "", tags: [] }],
    });
  });

  test("is RFC 8785: the order of keys and the spelling of values", () => {
    const keys = {
      "\u20ac": 1,
      "\r": 2,
      "\ufb33": 3,
      "1": 4,
      "\ud83d\ude00": 5,
      "\u0080": 6,
      ö: 7,
    };
    const order = Object.keys(JSON.parse(jcs(keys))).filter((key) => key !== "1");
    expect(order).toEqual(["\r", "\u0080", "ö", "\u20ac", "\ud83d\ude00", "\ufb33"]);
    expect(jcs([1 / 3, 1e30, 4.5, 2e-3, 1e-27, -0])).toBe(
      "[0.3333333333333333,1e+30,4.5,0.002,1e-27,0]",
    );
    expect(jcs('\u20ac$\u000f\nA\'B"\\"/')).toBe('"€$\\u000f\\nA\'B\\"\\\\\\"/"');
    const property = fc.property(fc.jsonValue(), (value) => {
      const text = jcs(value);
      expect(jcs(JSON.parse(text))).toBe(text);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    });
    fc.assert(property, { seed });
  });

  test("does not depend on the order of fields, and is the SDK's where both read the same", () => {
    const property = fc.property(fc.array(fc.nat(), { minLength: 20, maxLength: 20 }), (ranks) => {
      const entries = Object.entries(PLAIN).map((entry, at) => [ranks[at] ?? 0, entry] as const);
      const mixed = Object.fromEntries(entries.sort(([a], [b]) => a - b).map(([, entry]) => entry));
      expect(canonicalCard(mixed)).toBe(canonicalCard(PLAIN));
    });
    fc.assert(property, { seed });
    // The SDK's function reads JSON, though its type asks for an instance.
    const ofSdk = (json: object) => canonicalizeAgentCard(json as AgentCard);
    expect(canonicalCard(PLAIN)).toBe(ofSdk(PLAIN));
    expect(sdkForm(EMPTY_PARTS)).toBe(ofSdk(EMPTY_PARTS));
    expect(canonicalCard(EMPTY_PARTS)).not.toBe(ofSdk(EMPTY_PARTS));
  });

  test("there is none of a text that is not Unicode, nor of what is nested too deep", () => {
    const withParams = (params: object) => ({
      ...PLAIN,
      capabilities: { extensions: [{ uri: "u", params }] },
    });
    expect(() => canonicalCard({ ...PLAIN, name: "\ud800" })).toThrow("not Unicode");
    let deep: object = {};
    for (let level = 0; level < 200; level++) deep = { deep };
    expect(() => canonicalCard(withParams(deep))).toThrow("too deep");
  });
});

describe("signatures", () => {
  test("hold for the card as it was sent, by either kind of key, and return it", async () => {
    for (const alg of ["ES256", "Ed25519"] as const) {
      const key = await newKey(alg);
      for (const json of [PLAIN, EMPTY_PARTS]) {
        const sent = await signedJson(json, [key]);
        const verified = await verifierOf([key]).verify(sent);
        expect(verified).toMatchObject({ kid: key.kid, form: "specification" });
        expect(AgentCard.toJSON(verified.card)).toEqual(sent);
      }
    }
  });

  test("do not hold when anything was changed, added or taken away", async () => {
    const key = await newKey();
    const sent = await signedJson(EMPTY_PARTS, [key]);
    const changes: object[] = [
      { name: "other" },
      { description: "more" },
      { supportedInterfaces: [{ ...PLAIN.supportedInterfaces[0], url: "https://evil.example/" }] },
      { securitySchemes: undefined },
      { securitySchemes: { bearer: { httpAuthSecurityScheme: { scheme: "Basic" } } } },
      { securityRequirements: undefined },
      { securityRequirements: [{ schemes: {} }] },
      { capabilities: { ...PLAIN.capabilities, streaming: undefined } },
      { skills: [...PLAIN.skills, ...PLAIN.skills] },
      { iconUrl: "https://evil.example/" },
      { iconUrl: "" },
    ];
    for (const change of changes) {
      const verifying = verifierOf([key]).verify({ ...sent, ...change });
      await expect(verifying).rejects.toMatchObject({
        code: "PROTOCOL_VIOLATION",
        fields: { place: "signatures" },
      });
    }
    const harmless = await verifierOf([key]).verify({ ...sent, unknownField: "x" });
    expect(AgentCard.toJSON(harmless.card)).toEqual(sent);
  });

  test("are by a key that is trusted, of its own kind, and say so when not", async () => {
    const [ours, other] = [await newKey("ES256", "ours"), await newKey("Ed25519", "other")];
    const sent = await signedJson(PLAIN, [ours]);
    const failure = (verifier: CardVerifier, json: CardJson = sent) =>
      verifier.verify(json).then(
        () => "verified",
        (error: Error) => error.message,
      );
    expect(await failure(verifierOf([other]))).toContain('key "ours" is not trusted');
    const sameName = await newKey("ES256", "ours");
    expect(await failure(verifierOf([sameName]))).toContain('not what key "ours" signed');
    expect(await failure(verifierOf([sameName, ours]))).toBe("verified");
    expect(await failure(verifierOf([ours]), PLAIN)).toContain("no signature");
    const many = { ...sent, signatures: Array(9).fill(AgentCard.fromJSON(sent).signatures[0]) };
    expect(await failure(verifierOf([ours]), many)).toContain("over 8");
    const encode = (header: object) => Buffer.from(JSON.stringify(header)).toString("base64url");
    const headers = [
      { alg: "none", kid: "ours" },
      { alg: "HS256", kid: "ours" },
      { alg: "ES256" },
      { kid: "ours" },
      { alg: "EdDSA", kid: "ours" },
      { alg: "ES256", kid: "ours", crit: ["x"], x: 1 },
      { alg: "ES256", kid: "ours", b64: false, crit: ["b64"] },
    ];
    for (const header of headers) {
      const [signature] = AgentCard.fromJSON(sent).signatures;
      const forged = { ...sent, signatures: [{ ...signature, protected: encode(header) }] };
      expect(await failure(verifierOf([ours]), forged)).not.toBe("verified");
    }
    for (const junk of [{}, { protected: "!" }, { protected: "e30", signature: "x" }, 7, null]) {
      const forged = { ...sent, signatures: [junk] };
      expect(await failure(verifierOf([ours]), forged)).not.toBe("verified");
    }
    // One that holds is enough: keys are changed one after the other.
    expect(await failure(verifierOf([other]), await signedJson(PLAIN, [ours, other]))).toBe(
      "verified",
    );
  });

  test("whatever is sent as a card, it is refused in our words", async () => {
    const key = await newKey();
    const sent = await signedJson(PLAIN, [key]);
    const verifier = verifierOf([key], { acceptSdkForm: true });
    const field = fc.constantFrom(...Object.keys(sent));
    const property = fc.asyncProperty(field, fc.jsonValue(), async (name, value) => {
      const changed: CardJson = { ...sent, [name]: value };
      const result = await verifier.verify(changed).catch((thrown: unknown) => thrown);
      // What it makes of the change may be what was signed: null is what is not there.
      if (result instanceof Error) expect(result).toMatchObject({ code: "PROTOCOL_VIOLATION" });
      else expect(result).toMatchObject({ card: { name: PLAIN.name } });
    });
    await fc.assert(property, { seed, numRuns: 500 });
  });

  test("a jku is followed to a place the operator named, and to no other", async () => {
    const key = await newKey();
    const jku = "https://keys.example/jwks.json";
    const card = AgentCard.toJSON(await signCard(AgentCard.fromJSON(PLAIN), [key], { jku }));
    const sent: CardJson = JSON.parse(JSON.stringify(card));
    const asked: string[] = [];
    const fetchJwks = async (place: string) => {
      asked.push(place);
      return publicJwks([key]);
    };
    const named = new CardVerifier({ jwks: { keys: [] }, jkus: [jku], fetchJwks });
    expect((await named.verify(sent)).kid).toBe(key.kid);
    const unnamed = new CardVerifier({ jwks: { keys: [] }, jkus: [`${jku}?`], fetchJwks });
    await expect(unnamed.verify(sent)).rejects.toThrow("is not trusted");
    expect(asked).toEqual([jku]);
  });
});

describe("with the SDK", () => {
  test("it accepts what we sign, whatever is empty", async () => {
    const key = await newKey();
    const publicKey = await importJWK(key.publicJwk, key.alg);
    const verify = verifyAgentCardSignature(async () => {
      if (publicKey instanceof Uint8Array) throw new Error("symmetric");
      return publicKey;
    });
    for (const json of [PLAIN, EMPTY_PARTS]) {
      // Its verifier reads JSON, though its type asks for an instance.
      await verify((await signedJson(json, [key])) as unknown as AgentCard);
    }
  });

  test("we accept what it signs, as far as it signs what the specification says", async () => {
    const key = await newKey();
    const sign = generateAgentCardSignature(key.privateKey, {
      alg: key.alg,
      kid: key.kid,
      typ: "JOSE",
    });
    const signed = async (json: object): Promise<CardJson> =>
      JSON.parse(JSON.stringify(await sign(json as AgentCard)));
    expect(await verifierOf([key]).verify(await signed(PLAIN))).toMatchObject({
      form: "specification",
    });
    const lossy = await signed(EMPTY_PARTS);
    await expect(verifierOf([key]).verify(lossy)).rejects.toThrow("not what key");
    const lenient = verifierOf([key], { acceptSdkForm: true });
    const verified = await lenient.verify(lossy);
    expect(verified.form).toBe("sdk");
    // Whoever took the requirement away, nobody signed it: it is not in what we use.
    expect(verified.card.securityRequirements).toEqual([]);
    expect((await lenient.verify({ ...lossy, securityRequirements: [] })).card.name).toBe(
      PLAIN.name,
    );
  });
});

test("a key that is none, or that cannot sign, is refused without being shown", async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const [secret, open] = [await exportJWK(privateKey), await exportJWK(publicKey)];
  const bad = [null, "text", {}, open, { ...secret, crv: "P-384" }, { kty: "oct", k: "c2VjcmV0" }];
  for (const jwk of [...bad, { ...secret, d: "s3cr3t" }]) {
    const error = await importSigningKey(jwk).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIG_INVALID" });
    expect(`${String(error)}${JSON.stringify(error)}`).not.toContain("s3cr3t");
  }
  for (const jwks of [null, {}, { keys: [1] }, { keys: Array(65).fill(open) }]) {
    expect(() => new CardVerifier({ jwks: jwks as never })).toThrow("not a JWKS");
  }
});
