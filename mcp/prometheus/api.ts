/**
 * One call of Prometheus's HTTP API v1: address, credentials, deadline, bounds, and the check of the
 * answer's shape. Knows nothing of what is asked; never retries.
 */

import type { z } from "zod";
import { type HttpTls, httpRequest, readJson } from "../../core/mod.ts";
import { explainFailure } from "./errors.ts";

export type PrometheusAuth =
  | { readonly bearerToken: string }
  | { readonly username: string; readonly password: string };

export interface PrometheusOptions {
  /** Base address, with the path prefix if there is one: `http://prometheus:9090`. */
  readonly url: string;
  readonly auth?: PrometheusAuth;
  readonly tls?: HttpTls;
  /** For one call, reading included; Prometheus is told the same. Default 30,000. */
  readonly timeoutMs?: number;
  /** Series kept of one answer. Default 1,000. */
  readonly seriesMax?: number;
  /** Longest answer that is read. Default 32 MiB. */
  readonly bytesMax?: number;
}

export const TIMEOUT_MS_DEFAULT = 30_000;
const BYTES_MAX_DEFAULT = 32 * 1024 * 1024;

/** Names may repeat (`match[]`). */
export type Params = readonly (readonly [name: string, value: string])[];

export interface ApiRequest {
  /** Below `/api/v1/`. */
  readonly path: string;
  readonly params: Params;
  /** POST by default, so that a long expression does not meet a limit on addresses. */
  readonly method?: "GET" | "POST";
  /** Length of the range asked for; names a step that works when there are too many points. */
  readonly lengthMs?: number;
}

/** Makes a call and returns the answer, checked against `schema`. */
export type Api = <Schema extends z.ZodType>(
  request: ApiRequest,
  schema: Schema,
  signal: AbortSignal | undefined,
) => Promise<z.output<Schema>>;

export function encodeParams(params: Params): string {
  const form = new URLSearchParams();
  for (const [name, value] of params) form.append(name, value);
  return form.toString();
}

/** The base address without a slash at its end. */
export function baseOf(url: string): string {
  return url.replace(/\/+$/, "");
}

function authHeaders(auth: PrometheusAuth | undefined): Record<string, string> {
  if (auth === undefined) return {};
  if ("bearerToken" in auth) return { authorization: `Bearer ${auth.bearerToken}` };
  const pair = Buffer.from(`${auth.username}:${auth.password}`).toString("base64");
  return { authorization: `Basic ${pair}` };
}

/** Binds address, credentials and bounds. Rejects as {@link httpRequest}, sharpened by Prometheus's words. */
export function makeApi(options: PrometheusOptions): Api {
  const { auth, tls, timeoutMs = TIMEOUT_MS_DEFAULT, bytesMax = BYTES_MAX_DEFAULT } = options;
  const base = `${baseOf(options.url)}/api/v1/`;
  const headers = { accept: "application/json", ...authHeaders(auth) };
  const form = { ...headers, "content-type": "application/x-www-form-urlencoded" };
  return async ({ path, params, method = "POST", lengthMs }, schema, signal) => {
    const encoded = encodeParams(params);
    const sent =
      method === "GET"
        ? { url: `${base}${path}?${encoded}`, headers }
        : { url: `${base}${path}`, headers: form, body: encoded };
    try {
      const response = await httpRequest({
        system: "prometheus",
        method,
        timeoutMs,
        ...sent,
        ...(signal === undefined ? {} : { signal }),
        ...(tls === undefined ? {} : { tls }),
      });
      return await readJson(response, schema, bytesMax);
    } catch (error) {
      throw explainFailure(error, lengthMs);
    }
  };
}
