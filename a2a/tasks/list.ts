/**
 * ListTasks over the logs' last records: which tasks an owner has, newest first, in pages (A2A 1.0
 * section 3.1.4). A page's token is a place in that order, so tasks that come in between move nothing.
 */
import { type ListTasksRequest, TaskState, taskStateFromJSON } from "@a2a-js/sdk";
import { RequestMalformedError } from "@a2a-js/sdk/errors";
import { headerKey } from "../call.ts";
import type { TaskHead } from "./log.ts";
import { ANSWERED_BY_MESSAGE } from "./record.ts";

const PAGE_SIZE = 50;
const PAGE_SIZE_MAX = 100;

export interface Page {
  readonly heads: readonly TaskHead[];
  readonly totalSize: number;
  readonly pageSize: number;
  readonly nextPageToken: string;
}

/** The page that was asked for. Throws RequestMalformedError naming the field. */
export function pageOf(heads: readonly TaskHead[], params: ListTasksRequest): Page {
  const pageSize = params.pageSize ?? PAGE_SIZE;
  if (pageSize < 1 || pageSize > PAGE_SIZE_MAX) {
    throw new RequestMalformedError(`params.pageSize: must be 1 to ${PAGE_SIZE_MAX}`);
  }
  const after = params.pageToken ? readToken(params.pageToken) : undefined;
  const sinceMs = sinceOf(params);
  const context = params.contextId ? headerKey(params.contextId) : undefined;
  const matching = heads.filter(
    (head) =>
      isTask(head) &&
      (context === undefined || head.context === context) &&
      (isAnyState(params.status) || taskStateFromJSON(head.state) === params.status) &&
      (sinceMs === undefined || Date.parse(head.at) > sinceMs),
  );
  matching.sort(newestFirst);
  const from = after ? matching.findIndex((head) => newestFirst(head, after) > 0) : 0;
  const page = from < 0 ? [] : matching.slice(from, from + pageSize);
  const last = page.at(-1);
  const isMore = last !== undefined && from + page.length < matching.length;
  return {
    heads: page,
    totalSize: matching.length,
    pageSize,
    nextPageToken: isMore ? formatToken(last) : "",
  };
}

type Place = Pick<TaskHead, "at" | "seq">;

/** By when the status was set, then by when it was stored. */
function newestFirst(a: Place, b: Place): number {
  if (a.at !== b.at) return a.at < b.at ? 1 : -1;
  return b.seq - a.seq;
}

function isTask({ state }: TaskHead): boolean {
  return state !== ANSWERED_BY_MESSAGE && state !== "TASK_STATE_UNSPECIFIED";
}

function isAnyState(state: TaskState | undefined): boolean {
  return state === undefined || state === TaskState.TASK_STATE_UNSPECIFIED;
}

function sinceOf({ statusTimestampAfter }: ListTasksRequest): number | undefined {
  if (!statusTimestampAfter) return undefined;
  const sinceMs = Date.parse(statusTimestampAfter);
  if (Number.isNaN(sinceMs)) {
    throw new RequestMalformedError("params.statusTimestampAfter: must be a time, ISO 8601");
  }
  return sinceMs;
}

function formatToken({ at, seq }: Place): string {
  return Buffer.from(`${at} ${seq}`).toString("base64url");
}

function readToken(token: string): Place {
  const text = Buffer.from(token.slice(0, 200), "base64url").toString();
  const [, at, seq] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (\d{1,15})$/.exec(text) ?? [];
  if (at === undefined || seq === undefined) {
    throw new RequestMalformedError("params.pageToken: is none of ours");
  }
  return { at, seq: Number(seq) };
}
