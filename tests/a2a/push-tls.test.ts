/** TLS to a webhook: the certificate is the name's, though the connection goes to an address. */
import { expect, test } from "bun:test";
import { AddressGuard, type HostAddress } from "../../a2a/push/address.ts";
import { post } from "../../a2a/push/post.ts";
import { HOOK_CERT, HOOK_KEY } from "./push-cert.ts";

test("the certificate is checked against the webhook's name, and an authority must be known", async () => {
  await using server = {
    bun: Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { cert: HOOK_CERT, key: HOOK_KEY },
      fetch: (request) => new Response("", { status: request.method === "POST" ? 202 : 405 }),
    }),
    [Symbol.asyncDispose]() {
      return this.bun.stop(true);
    },
  };
  const { port } = server.bun;
  const resolve = async (): Promise<HostAddress[]> => [{ address: "127.0.0.1", family: 4 }];
  const guard = new AddressGuard({ allow: [".example.test"], resolve });
  const to = async (host: string, ca?: string) => {
    const destination = await guard.resolve(`https://${host}:${port}/`);
    return post(destination, { headers: {}, body: "{}", signal: new AbortController().signal, ca });
  };
  expect(await to("hooks.example.test", HOOK_CERT)).toMatchObject({ status: 202 });
  await expect(to("hooks.example.test")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(to("other.example.test", HOOK_CERT)).rejects.toMatchObject({ code: "UNAVAILABLE" });
});
