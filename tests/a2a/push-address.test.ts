import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { AddressGuard, type HostAddress } from "../../a2a/push/address.ts";
import { isPublic, isWithin, parseCidr, parseIp } from "../../a2a/push/ip.ts";
import { post } from "../../a2a/push/post.ts";
import { startWebhook } from "./push-support.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const resolvesTo =
  (...addresses: string[]) =>
  async (): Promise<HostAddress[]> =>
    addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
const strict = new AddressGuard({ allowHttp: true });

/** The usual form of an address, as the numbers say. */
function v4Text(bits: number): string {
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
}

describe("addresses", () => {
  test("an IPv4 address is read back as it was written, in any of its forms in IPv6 too", () => {
    const property = fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (bits) => {
      const text = v4Text(bits);
      expect(parseIp(text)).toEqual({ family: 4, bits: BigInt(bits) });
      expect(parseIp(`::ffff:${text}`)?.bits).toBe((0xffffn << 32n) | BigInt(bits));
      expect(isPublic(parseIp(`::ffff:${text}`)!)).toBe(isPublic(parseIp(text)!));
    });
    fc.assert(property, { seed });
  });

  test("IPv6 is read as the URL parser reads it", () => {
    const property = fc.property(fc.ipV6(), (text) => {
      // The parser refuses some texts that are addresses.
      fc.pre(URL.canParse(`http://[${text}]/`));
      const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
      expect(parseIp(text)).toEqual(parseIp(canonical) as never);
      expect(parseIp(text)).toBeDefined();
    });
    fc.assert(property, { seed });
  });

  test("what is no address in its usual form is none", () => {
    for (const text of [
      "",
      "1.2.3",
      "01.2.3.4",
      "256.1.1.1",
      "1.2.3.4.5",
      "0x7f.0.0.1",
      "2130706433",
    ]) {
      expect(parseIp(text)).toBeUndefined();
    }
    for (const text of [":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "g::", "::1.2.3"]) {
      expect(parseIp(text)).toBeUndefined();
    }
    for (const text of [
      "10.0.0.0/33",
      "::/129",
      "10.0.0.0/",
      "10.0.0.0/08",
      "a/8",
      "10.0.0.0/8/8",
    ]) {
      expect(parseCidr(text)).toBeUndefined();
    }
  });

  test("an address lies in a range when their first bits are the same", () => {
    const address = fc.integer({ min: 0, max: 0xffff_ffff });
    const property = fc.property(address, address, fc.nat(32), (one, other, prefix) => {
      const cidr = parseCidr(`${v4Text(one)}/${prefix}`)!;
      const same = one.toString(2).padStart(32, "0").slice(0, prefix);
      const isSame = other.toString(2).padStart(32, "0").startsWith(same);
      expect(isWithin(parseIp(v4Text(other))!, cidr)).toBe(isSame);
    });
    fc.assert(property, { seed });
  });

  test("everything inside is not public, what lies next to it is", () => {
    const inside =
      "0.0.0.0 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.255.0.1 168.63.129.16 169.254.169.254 " +
      "172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.168.1.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 " +
      "239.1.2.3 240.0.0.1 255.255.255.255 :: ::1 ::7f00:1 fe80::1 fc00::1 fd00:ec2::254 ff02::1 ::ffff:10.0.0.1 " +
      "64:ff9b::a00:1 2002:7f00:1:: 2001::1 2001:db8::1 100::1 5f00::1";
    for (const text of inside.split(" "))
      expect([text, isPublic(parseIp(text)!)]).toEqual([text, false]);
    const outside =
      "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.1.1.1 128.0.0.1 172.15.0.1 172.32.0.1 " +
      "192.167.1.1 192.169.1.1 223.255.255.255 2606:4700::1111 2a00:1450::1 ::ffff:8.8.8.8";
    for (const text of outside.split(" "))
      expect([text, isPublic(parseIp(text)!)]).toEqual([text, true]);
  });
});

describe("URLs", () => {
  test("no way of writing an address inside gets past, whatever the parser makes of it", () => {
    const inside = fc.constantFrom(127 * 2 ** 24 + 1, 10 * 2 ** 24 + 1, 0xa9fea9fe, 0xc0a80101, 0);
    const form = fc.constantFrom<(bits: number) => string>(
      v4Text,
      (bits) => String(bits),
      (bits) => `0x${bits.toString(16)}`,
      (bits) => `0${bits.toString(8)}`,
      (bits) => `${bits >>> 24}.${bits & 0xffffff}`,
      (bits) => `0${(bits >>> 24).toString(8)}.${(bits >>> 16) & 255}.${bits & 0xffff}`,
      (bits) =>
        `0x${(bits >>> 24).toString(16)}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`,
      (bits) => `[::ffff:${v4Text(bits)}]`,
      (bits) => `[::ffff:${(bits >>> 16).toString(16)}:${(bits & 0xffff).toString(16)}]`,
      (bits) => `[::${v4Text(bits)}]`,
      (bits) => `[64:ff9b::${v4Text(bits)}]`,
      (bits) => `${v4Text(bits)}.`,
      (bits) => v4Text(bits).replaceAll(".", "%2e"),
      (bits) => v4Text(bits).replaceAll(".", "。"),
    );
    const property = fc.property(
      inside,
      form,
      fc.constantFrom("", ":80", ":8080"),
      (bits, write, port) => {
        expect(() => strict.checkUrl(`http://${write(bits)}${port}/x`)).toThrow(/^url: /);
      },
    );
    fc.assert(property, { seed });
  });

  test("a public address is taken in its usual form alone", () => {
    expect(strict.checkUrl("http://8.8.8.8/x").hostname).toBe("8.8.8.8");
    for (const host of ["134744072", "0x8.8.8.8", "8.8.2056", "010.8.8.8"]) {
      expect(() => strict.checkUrl(`http://${host}/x`)).toThrow("usual form");
    }
  });

  test("schemes, credentials, names and ports", () => {
    const refused = (url: string, guard = new AddressGuard()) =>
      expect(() => guard.checkUrl(url)).toThrow(/^url: /);
    for (const scheme of ["http", "ftp", "file", "javascript", "data", "ws", "HTTP"]) {
      refused(`${scheme}://hooks.example.com/`);
    }
    refused("https://user@hooks.example.com/");
    refused("https://user:pass@hooks.example.com/");
    refused("https:hooks.example.com");
    refused("//hooks.example.com/");
    refused("/hook");
    refused("https://");
    refused("https://hooks.example.com/\n");
    refused("https://hooks.example.com/ x");
    refused("https://hooks.example.com\\@127.0.0.1/");
    refused(`https://hooks.example.com/${"x".repeat(2_000)}`);
    for (const host of [
      "localhost",
      "LOCALHOST",
      "localhost.",
      "a.localhost",
      "intranet",
      "db.local",
    ]) {
      refused(`https://${host}/`);
    }
    refused("https://metadata.google.internal/");
    for (const port of [22, 25, 80, 4222, 6379, 9200])
      refused(`https://hooks.example.com:${port}/`);
    expect(new AddressGuard().checkUrl("https://hooks.example.com:8443/a?b=c").port).toBe("8443");
    expect(new AddressGuard().checkUrl("HTTPS://Hooks.Example.com/").hostname).toBe(
      "hooks.example.com",
    );
  });

  test("no text makes the guard throw anything but its refusal, nor repeat what may be a secret", () => {
    const text = fc.oneof(
      fc.string(),
      fc.webUrl(),
      fc.string().map((tail) => `https://${tail}`),
    );
    const property = fc.property(text, (url) => {
      try {
        strict.checkUrl(url);
      } catch (error) {
        expect(error).toMatchObject({ code: "USAGE", fields: { path: "url" } });
      }
    });
    fc.assert(property, { seed });
    const secret = "https://127.0.0.1/s3cr3t";
    expect(() => strict.checkUrl(secret)).toThrow(expect.not.stringContaining("s3cr3t") as never);
  });

  test("the operator lets webhooks inside: by name, by suffix, by range", async () => {
    const allow = [
      "hooks.corp.example",
      ".svc.example:9443",
      "10.1.0.0/16",
      "localhost",
      "fd00:1::/32",
    ];
    const guard = new AddressGuard({ allow, allowHttp: true, resolve: resolvesTo("10.9.9.9") });
    const taken = [
      "https://hooks.corp.example:1234/",
      "https://a.svc.example:9443/",
      "http://10.1.2.3:99/",
    ];
    for (const url of [...taken, "http://localhost:8123/", "http://[fd00:1::7]:80/"]) {
      expect((await guard.resolve(url)).url.href).toBe(new URL(url).href);
    }
    const refused = ["https://x.hooks.corp.example/", "https://a.svc.example/", "http://10.2.0.1/"];
    for (const url of [...refused, "https://svc.example:9443/", "http://[fd00:2::7]/"]) {
      await expect(guard.resolve(url)).rejects.toMatchObject({ code: "USAGE" });
    }
    for (const entry of ["", "10.1", "a b", "host:0", "host:99999", "10.0.0.0/99", "https://x"]) {
      expect(() => new AddressGuard({ allow: [entry] })).toThrow(/webhooks\.allow/);
    }
  });
});

describe("names", () => {
  test("every address of a name must be public", async () => {
    const url = "https://hooks.example.com/";
    const mixed = new AddressGuard({ resolve: resolvesTo("8.8.8.8", "127.0.0.1") });
    await expect(mixed.resolve(url)).rejects.toMatchObject({ code: "USAGE" });
    for (const inside of ["169.254.169.254", "::1", "fe80::1", "::ffff:10.0.0.1", "junk"]) {
      const guard = new AddressGuard({ resolve: resolvesTo(inside) });
      await expect(guard.resolve(url)).rejects.toMatchObject({ code: "USAGE" });
    }
    const good = new AddressGuard({ resolve: resolvesTo("8.8.8.8", "2606:4700::1111") });
    expect((await good.resolve(url)).addresses).toHaveLength(2);
    const byRange = new AddressGuard({ allow: ["10.1.0.0/16"], resolve: resolvesTo("10.1.2.3") });
    expect((await byRange.resolve(url)).addresses[0]?.address).toBe("10.1.2.3");
  });

  test("a name that cannot be resolved may be tried again; a wait for a resolver ends", async () => {
    const url = "https://hooks.example.com/";
    const absent = new AddressGuard({ resolve: () => Promise.reject(new Error("ENOTFOUND")) });
    await expect(absent.resolve(url)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(new AddressGuard({ resolve: resolvesTo() }).resolve(url)).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    const silent = new AddressGuard({ resolve: () => new Promise(() => {}) });
    await expect(silent.resolve(url, AbortSignal.abort(new Error("enough")))).rejects.toThrow(
      "enough",
    );
  });

  test("a name is asked once, and the connection goes to what was judged", async () => {
    await using webhook = startWebhook();
    const { port } = new URL(webhook.url);
    let asked = 0;
    // A name server that shows its other face at the second question.
    const resolve = async (): Promise<HostAddress[]> => [
      { address: ++asked === 1 ? "127.0.0.1" : "192.0.2.1", family: 4 },
    ];
    const guard = new AddressGuard({ allow: ["hooks.example.com"], allowHttp: true, resolve });
    const destination = await guard.resolve(`http://hooks.example.com:${port}/a?b`);
    const signal = new AbortController().signal;
    expect(await post(destination, { headers: {}, body: "{}", signal })).toMatchObject({
      status: 200,
    });
    expect(asked).toBe(1);
    expect(webhook.received[0]).toMatchObject({ path: "/a?b", body: "{}" });
    expect(webhook.received[0]?.headers.get("host")).toBe(`hooks.example.com:${port}`);
  });
});
