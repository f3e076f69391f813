/** Which service and which instance wrote a row, from what the source knows of it. */
import type { Row } from "../model.ts";

const POD_FIELDS = ["pod", "pod_name", "PodName", "kubernetes.pod_name", "instance"];
const CACHE_MAX = 4_000;
const NAME_CHARS_MAX = 200;

const podServices = new Map<string, string>();

type Fields = Readonly<Record<string, string>> | undefined;

/** The pod or instance that the row's fields name. */
export function instanceOf(fields: Fields): string | undefined {
  if (fields === undefined) return undefined;
  for (const name of POD_FIELDS) {
    const value = fields[name];
    if (value !== undefined && value !== "") return value.slice(0, NAME_CHARS_MAX);
  }
  return undefined;
}

/**
 * The service: as the source names it, as the text names it, from the pod's name, from `source` (its
 * last path segment without `.log`), from `host`; `unknown` when nobody says.
 */
export function serviceOf(row: Row, fromText: string | undefined, pod: string | undefined): string {
  const named = row.service || fromText || (pod && serviceOfPod(pod));
  const name = named || fileName(row.fields?.["source"]) || row.fields?.["host"] || "unknown";
  return name.slice(0, NAME_CHARS_MAX);
}

/** `ts-order-service-5b67c48447-mv5hb` and `orders-0` without the suffix Kubernetes adds. */
export function serviceOfPod(pod: string): string {
  const known = podServices.get(pod);
  if (known !== undefined) return known;
  const deployment = /^(.+)-[a-z0-9]{6,10}-[a-z0-9]{5}$/.exec(pod)?.[1];
  const service = deployment ?? /^(.+)-\d{1,4}$/.exec(pod)?.[1] ?? pod;
  if (podServices.size >= CACHE_MAX) podServices.clear();
  podServices.set(pod, service);
  return service;
}

function fileName(source: string | undefined): string | undefined {
  return source?.slice(source.lastIndexOf("/") + 1).replace(/\.(log|txt|json)$/, "");
}
