/**
 * IP addresses as numbers, and which of them lie on the public internet. What is no unicast address that
 * IANA gave out for global use is not public (RFC 6890 and the two special-purpose registries), nor is an
 * address that carries another one inside. Resolves no name.
 */

export interface Ip {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

/** A range in CIDR notation. */
export interface Cidr {
  readonly base: Ip;
  readonly prefix: number;
}

/** Reads an address in its usual form: four decimal numbers, or IPv6 text; undefined for anything else. */
export function parseIp(text: string): Ip | undefined {
  const v4 = parseV4(text);
  if (v4 !== undefined) return { family: 4, bits: v4 };
  const v6 = parseV6(text);
  return v6 === undefined ? undefined : { family: 6, bits: v6 };
}

/** Reads `10.0.0.0/8`, `fd00::/8` or a single address; undefined for anything else. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = "", length, more] = text.split("/");
  const base = parseIp(address);
  if (!base || more !== undefined) return undefined;
  const width = base.family === 4 ? 32 : 128;
  if (length === undefined) return { base, prefix: width };
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > width) return undefined;
  return { base, prefix: Number(length) };
}

/** Whether `ip` lies in the range. An IPv4 address written in IPv6 is the IPv4 address. */
export function isWithin(ip: Ip, cidr: Cidr): boolean {
  const address = unmapped(ip);
  if (address.family !== cidr.base.family) return false;
  const shift = BigInt((address.family === 4 ? 32 : 128) - cidr.prefix);
  return address.bits >> shift === cidr.base.bits >> shift;
}

/** Whether the address is one of the public internet's. */
export function isPublic(ip: Ip): boolean {
  const address = unmapped(ip);
  if (address.family === 4) return !NOT_PUBLIC_V4.some((range) => isWithin(address, range));
  return isWithin(address, GLOBAL_V6) && !NOT_PUBLIC_V6.some((range) => isWithin(address, range));
}

const MAPPED = 0xffffn;

/** `::ffff:a.b.c.d` is a.b.c.d to every system that connects to it (RFC 4291 section 2.5.5.2). */
function unmapped(ip: Ip): Ip {
  if (ip.family === 4 || ip.bits >> 32n !== MAPPED) return ip;
  return { family: 4, bits: ip.bits & 0xffff_ffffn };
}

function parseV4(text: string): bigint | undefined {
  // A leading zero means octal to some readers and nothing to others.
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1);
  if (!octets?.every((octet) => String(Number(octet)) === octet && Number(octet) < 256)) {
    return undefined;
  }
  return octets.reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n);
}

function parseV6(text: string): bigint | undefined {
  if (!text.includes(":")) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = [groupsOf(halves[0] ?? ""), groupsOf(halves[1] ?? "")];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array<bigint>(missing).fill(0n), ...tail];
  return groups.reduce((bits, group) => (bits << 16n) | group, 0n);
}

/** The 16-bit groups of one side of `::`; the last two may be written as an IPv4 address. */
function groupsOf(text: string): bigint[] | undefined {
  if (text === "") return [];
  const groups: bigint[] = [];
  const parts = text.split(":");
  for (const [at, part] of parts.entries()) {
    const v4 = at === parts.length - 1 ? parseV4(part) : undefined;
    if (v4 !== undefined) groups.push(v4 >> 16n, v4 & 0xffffn);
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
}

function ranges(...texts: string[]): Cidr[] {
  return texts.flatMap((text) => parseCidr(text) ?? []);
}

const NOT_PUBLIC_V4 = ranges(
  "0.0.0.0/8", // this network; 0.0.0.0 connects to ourselves
  "10.0.0.0/8", // private
  "100.64.0.0/10", // carrier-grade NAT; a cloud's metadata at 100.100.100.200
  "127.0.0.0/8", // loopback
  "168.63.129.16/32", // a cloud's metadata, in a public range
  "169.254.0.0/16", // link-local; most clouds' metadata
  "172.16.0.0/12", // private
  "192.0.0.0/24", // IETF protocol assignments
  "192.0.2.0/24", // documentation
  "192.88.99.0/24", // 6to4 relays
  "192.168.0.0/16", // private
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, broadcast
);

/** All that is given out for global unicast: loopback, ULA, link-local, NAT64 and multicast lie outside. */
const GLOBAL_V6: Cidr = { base: { family: 6, bits: 0x2000n << 112n }, prefix: 3 };

const NOT_PUBLIC_V6 = ranges(
  "2001::/23", // IETF protocol assignments; Teredo carries an IPv4 address
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4 carries an IPv4 address
  "3fff::/20", // documentation
);
