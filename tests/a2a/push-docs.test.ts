/** The page for who writes a webhook: its code is run as it stands there. */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as jose from "jose";
import { importSigningKey, publicJwks } from "../../a2a/cards/keys.ts";
import { signNotification } from "../../a2a/push/signature.ts";

const PAGE = await Bun.file(join(import.meta.dir, "../../docs/push.md")).text();

type Verify = (headers: Headers, body: string, jwks: object, url: string) => Promise<string>;

/** The function of the page, in a file of its own, with its import found from here. */
async function verifyOfThePage(): Promise<Verify> {
  const code = /```ts\n([\s\S]*?)```/.exec(PAGE)?.[1] ?? "";
  const found = code.replace('from "jose"', `from ${JSON.stringify(import.meta.resolve("jose"))}`);
  const dir = await mkdtemp(join(tmpdir(), "petrel-docs-"));
  try {
    const file = join(dir, "verify.ts");
    await Bun.write(file, `${found}\nexport { verifyNotification };\n`);
    const { verifyNotification }: { verifyNotification: Verify } = await import(file);
    return verifyNotification;
  } finally {
    await rm(dir, { recursive: true });
  }
}

test("the code on the page takes what is genuine, fresh and for its reader, and nothing else", async () => {
  const verify = await verifyOfThePage();
  const now = Math.floor(Date.now() / 1_000);
  for (const alg of ["Ed25519", "ES256"]) {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    const key = await importSigningKey(await jose.exportJWK(privateKey));
    const url = new URL("https://hooks.example.com/a?key=1");
    const [body, jwks] = ['{"statusUpdate":{}}', publicJwks([key])];
    const signed = async (atSeconds: number) =>
      new Headers({
        "petrel-signature": await signNotification(key, { body, eventId: "t.7", url, atSeconds }),
      });
    const us = "https://hooks.example.com/a";
    expect(await verify(await signed(now), body, jwks, us)).toBe("t.7");
    const failing = (work: Promise<unknown>) => expect(work).rejects.toThrow();
    await failing(verify(await signed(now - 400), body, jwks, us));
    await failing(verify(await signed(now), body, jwks, "https://other.example.com/a"));
    await failing(verify(await signed(now), `${body} `, jwks, us));
    await failing(verify(await signed(now), body, { keys: [] }, us));
    await failing(verify(new Headers(), body, jwks, us));
    await failing(verify(new Headers({ "petrel-signature": "a..b" }), body, jwks, us));
  }
});
