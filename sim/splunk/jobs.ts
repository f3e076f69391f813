/** Search jobs of the stand-in: dispatched, polled, paged through and removed, as in Splunk. */
import { messageOf } from "../../core/mod.ts";
import { messages } from "./auth.ts";
import type { SimRow } from "./rows.ts";

const RESULTS_MAX = 50_000;
const COUNT_DEFAULT = 100;

interface Job {
  state: "RUNNING" | "DONE" | "FAILED";
  readonly rows: SimRow[];
  /** Stopped before its end, with what it had so far. */
  readonly finalized: boolean;
  failure?: string;
}

export interface Jobs {
  /** Jobs that have not been removed. */
  readonly size: number;
  /** Starts a job; its search runs on its own, up to 50,000 results. */
  create(rows: AsyncIterable<readonly SimRow[]>, finalized?: boolean): string;
  /** The answer to a status poll. */
  status(sid: string): Response;
  results(sid: string, params: URLSearchParams): Response;
  remove(sid: string): Response;
}

const unknownSid = () => messages(404, "FATAL", "Unknown sid.");

async function fill(job: Job, rows: AsyncIterable<readonly SimRow[]>): Promise<void> {
  try {
    for await (const batch of rows) {
      job.rows.push(...batch.slice(0, RESULTS_MAX - job.rows.length));
      if (job.rows.length >= RESULTS_MAX) break;
    }
    job.state = "DONE";
  } catch (error) {
    job.failure = messageOf(error);
    job.state = "FAILED";
  }
}

function statusOf(sid: string, job: Job): Response {
  const failures = job.failure === undefined ? [] : [{ type: "FATAL", text: job.failure }];
  const content = {
    sid,
    dispatchState: job.state,
    doneProgress: job.state === "RUNNING" ? 0.5 : 1,
    isDone: job.state !== "RUNNING",
    isFailed: job.state === "FAILED",
    isFinalized: job.finalized,
    eventCount: job.rows.length,
    resultCount: job.rows.length,
    messages: failures,
  };
  return Response.json({ entry: [{ name: sid, content }] });
}

function pageOf(job: Job, params: URLSearchParams): Response {
  const offset = Number(params.get("offset") ?? 0);
  const asked = Number(params.get("count") ?? COUNT_DEFAULT);
  // Splunk reads 0 as "all there are", within its own limit.
  const count = asked === 0 ? RESULTS_MAX : Math.min(asked, RESULTS_MAX);
  if (!Number.isInteger(offset) || !Number.isInteger(count) || offset < 0 || count < 0) {
    return messages(400, "FATAL", "Invalid value for argument offset or count.");
  }
  const results = job.rows.slice(offset, offset + count);
  const fields = [...new Set(results.flatMap((row) => Object.keys(row)))].map((name) => ({ name }));
  return Response.json({ preview: false, init_offset: offset, messages: [], fields, results });
}

export function makeJobs(nowMs: () => number): Jobs {
  const jobs = new Map<string, Job>();
  let number = 0;
  return {
    get size() {
      return jobs.size;
    },
    create: (rows, finalized = false) => {
      const sid = `${(nowMs() / 1000).toFixed(0)}.${++number}`;
      const job: Job = { state: "RUNNING", rows: [], finalized };
      jobs.set(sid, job);
      void fill(job, rows); // settles into the job itself
      return sid;
    },
    status: (sid) => {
      const job = jobs.get(sid);
      return job === undefined ? unknownSid() : statusOf(sid, job);
    },
    results: (sid, params) => {
      const job = jobs.get(sid);
      if (job === undefined) return unknownSid();
      if (job.state === "RUNNING") return new Response(null, { status: 204 });
      return pageOf(job, params);
    },
    remove: (sid) => {
      if (!jobs.delete(sid)) return unknownSid();
      return messages(200, "INFO", "Search job cancelled.");
    },
  };
}
