/** What the tests of recordings share: rows in one array, and one query to a real Prometheus. */
import { z } from "zod";
import type { LogQuery, Recording, SimRow } from "../../sim/mod.ts";

export async function collectRows(recording: Recording, query: LogQuery): Promise<SimRow[]> {
  return (await Array.fromAsync(recording.logRows(query))).flat();
}

export function timeMsOfRow(row: SimRow): number {
  return Date.parse(String(row._time).replace(" GMT", "Z").replace(" ", "T"));
}

export interface Point {
  readonly labels: Record<string, string>;
  readonly value: number;
}

const AnswerSchema = z.object({
  status: z.string(),
  error: z.string().optional(),
  data: z
    .object({
      result: z.array(
        z.object({
          metric: z.record(z.string(), z.string()),
          value: z.tuple([z.number(), z.string()]),
        }),
      ),
    })
    .optional(),
});

/** The instant vector of a PromQL query at a time. Throws when Prometheus refuses it. */
export async function instantVector(url: string, query: string, timeMs: number): Promise<Point[]> {
  const parameters = new URLSearchParams({ query, time: String(timeMs / 1_000) }).toString();
  const response = await fetch(`${url}/api/v1/query?${parameters}`, {
    signal: AbortSignal.timeout(10_000),
  });
  const body = AnswerSchema.parse(await response.json());
  if (body.status !== "success") throw new Error(`${query}: ${body.error}`);
  return (body.data?.result ?? []).map(({ metric, value }) => ({
    labels: metric,
    value: Number(value[1]),
  }));
}
