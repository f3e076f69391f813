/**
 * Where a webhook may be. A client names its URL, and we connect from inside: without this guard any
 * caller could make an agent post to what only the agent can reach (A2A 1.0 section 13.2). A name is
 * resolved once, each of its addresses is judged, and the connection is made to those very addresses, so
 * that a name cannot change its mind in between. It never follows a redirect and never connects itself.
 */
import { lookup } from "node:dns/promises";
import { messageOf, PetrelError, unlessAborted } from "../../core/mod.ts";
import { type Cidr, isPublic, isWithin, parseCidr, parseIp } from "./ip.ts";

export const URL_CHARS_MAX = 2_000;
const ADDRESSES_MAX = 32;

/** A host's address, as node:net takes it. */
export interface HostAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** All addresses of a host; throws when it has none. */
export type Resolve = (host: string) => Promise<readonly HostAddress[]>;

export interface AddressRules {
  /**
   * Webhooks inside, by the operator's word: `hooks.corp.example`, `.corp.example` (every name below
   * it), `hooks.corp.example:9443`, `10.1.2.3` or `10.1.0.0/16`. What is allowed by name or by address
   * may have any port, where none is named.
   */
  readonly allow?: readonly string[];
  /** Whether a URL may be `http:`. Default false. */
  readonly allowHttp?: boolean;
  /** Default: the system's resolver. */
  readonly resolve?: Resolve;
}

/** Where to connect, judged. `addresses` are the only ones the connection may be made to. */
export interface Destination {
  readonly url: URL;
  /** Without brackets and without the final dot: for TLS and for the certificate. */
  readonly host: string;
  readonly addresses: readonly HostAddress[];
}

interface AllowedHost {
  readonly host: string;
  readonly port: number | undefined;
}

const PORTS: Readonly<Record<string, readonly number[]>> = {
  "https:": [443, 8443],
  "http:": [80, 8080],
};

export class AddressGuard {
  readonly #hosts: readonly AllowedHost[];
  readonly #cidrs: readonly Cidr[];
  readonly #allowHttp: boolean;
  readonly #resolve: Resolve;

  /** Throws CONFIG_INVALID for an entry of `allow` that is neither a host nor a range. */
  constructor(rules: AddressRules = {}) {
    const entries = (rules.allow ?? []).map(readAllowed);
    this.#hosts = entries.filter((entry) => "host" in entry);
    this.#cidrs = entries.filter((entry) => "base" in entry);
    this.#allowHttp = rules.allowHttp ?? false;
    this.#resolve = rules.resolve ?? systemResolve;
  }

  /**
   * Reads a URL and judges what can be judged without asking a name server. Throws USAGE with
   * `path: "url"`; the message never repeats the URL, which may hold a secret.
   */
  checkUrl(text: string): URL {
    if (text.length > URL_CHARS_MAX) throw refused(`longer than ${URL_CHARS_MAX} characters`);
    // The parser drops some of these and reads others as what they are not.
    if (/[\s\\]|[^\x21-\x7e]/.test(text)) throw refused("not an absolute URL in plain ASCII");
    const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
    if (!url || !(url.protocol in PORTS)) throw refused("must begin with https://");
    if (url.protocol === "http:" && !this.#allowHttp) throw refused("must begin with https://");
    if (url.username || url.password) throw refused("must not hold a user or a password");
    const host = hostOf(url);
    const ip = parseIp(host);
    if (ip && rawHost(text) !== host) throw refused("an IP address must be in its usual form");
    const isAllowed = this.#isAllowedHost(url) || this.#isAllowedAddress(host);
    if (!isAllowed) checkOutside(url, host);
    return url;
  }

  /**
   * Judges a URL and every address its name has now. Throws USAGE for one that is refused, UNAVAILABLE
   * for a name that cannot be resolved, and the signal's reason.
   */
  async resolve(text: string, signal?: AbortSignal): Promise<Destination> {
    const url = this.checkUrl(text);
    const host = hostOf(url);
    const ip = parseIp(host);
    const addresses = ip
      ? [{ address: host, family: ip.family }]
      : await unlessAborted(this.#lookup(host), signal);
    const isAllowedHost = this.#isAllowedHost(url);
    for (const { address } of addresses) {
      if (isAllowedHost || this.#isAllowedAddress(address)) continue;
      const found = parseIp(address);
      if (!found || !isPublic(found)) throw refused("the host has an address that is not public");
    }
    return { url, host, addresses };
  }

  async #lookup(host: string): Promise<readonly HostAddress[]> {
    try {
      const found = await this.#resolve(host);
      if (found.length === 0) throw new Error("no address");
      return found.slice(0, ADDRESSES_MAX);
    } catch (error) {
      const words = `webhook: the host's name cannot be resolved: ${messageOf(error, 100)}`;
      throw new PetrelError("UNAVAILABLE", words, {}, error);
    }
  }

  #isAllowedHost(url: URL): boolean {
    const host = hostOf(url);
    const port = portOf(url);
    return this.#hosts.some((allowed) => {
      if (allowed.port !== undefined && allowed.port !== port) return false;
      return allowed.host.startsWith(".") ? host.endsWith(allowed.host) : host === allowed.host;
    });
  }

  #isAllowedAddress(address: string): boolean {
    const ip = parseIp(address);
    return ip !== undefined && this.#cidrs.some((cidr) => isWithin(ip, cidr));
  }
}

/** What every host must keep to that the operator did not allow. */
function checkOutside(url: URL, host: string): void {
  const ip = parseIp(host);
  if (ip && !isPublic(ip)) throw refused("the address is not public");
  if (!ip && (host.includes(":") || !/^[a-z0-9_-]+(\.[a-z0-9_-]+)+$/.test(host))) {
    throw refused("the host must be a full name, such as hooks.example.com");
  }
  if (/(^|\.)(localhost|local|internal|lan|home\.arpa|onion)$/.test(host)) {
    throw refused("the host's name is one of an inner network");
  }
  if (!PORTS[url.protocol]?.includes(portOf(url))) {
    throw refused(`the port must be ${PORTS[url.protocol]?.join(" or ")}`);
  }
}

/** Lower case, without the brackets of IPv6 and without the root's dot. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

/** The host as it was written: the parser turns `0x7f.1` and `2130706433` into 127.0.0.1. */
function rawHost(text: string): string {
  const authority = /^[a-z]+:\/\/([^/?#]*)/i.exec(text)?.[1] ?? "";
  return authority
    .replace(/:\d*$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
}

function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

function readAllowed(entry: string): Cidr | AllowedHost {
  const cidr = parseCidr(entry);
  if (cidr) return cidr;
  const match = /^(\.?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(\d{1,5}))?$/i.exec(entry);
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (!match?.[1] || (port !== undefined && (port < 1 || port > 65_535)) || isNumeric(match[1])) {
    const words = `"${entry.slice(0, 100)}" is neither a host nor a range such as 10.1.0.0/16`;
    throw new PetrelError("CONFIG_INVALID", `webhooks.allow: ${words}`, { path: "webhooks.allow" });
  }
  return { host: match[1].toLowerCase(), port };
}

/** `10.1` is an address to some and a name to nobody. */
function isNumeric(host: string): boolean {
  return /(^|\.)(\d+|0x[0-9a-f]*)$/i.test(host);
}

async function systemResolve(host: string): Promise<HostAddress[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

function refused(why: string): PetrelError {
  return new PetrelError("USAGE", `url: ${why}`, { path: "url" });
}
