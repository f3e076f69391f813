import { expect, test } from "bun:test";
import { z } from "zod";
import { startPrometheus } from "./prometheus.ts";

const Answer = z.object({
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
});

const SAMPLES = `# TYPE orders gauge
orders{service="payments"} 41 1600000000
orders{service="payments"} 42 1600000060
# EOF
`;

async function valuesOf(url: string, query: string, timeS: number): Promise<string[]> {
  const response = await fetch(`${url}/api/v1/query?query=${query}&time=${timeS}`);
  return Answer.parse(await response.json()).data.result.map(({ value }) => value[1]);
}

test("samples of years ago are served, also after kill -9 and a restart", async () => {
  await using prometheus = await startPrometheus({ openmetrics: SAMPLES });
  expect(await valuesOf(prometheus.url, "orders", 1_600_000_000)).toEqual(["41"]);
  await prometheus.kill9();
  await prometheus.restart();
  expect(await valuesOf(prometheus.url, "sum(orders)", 1_600_000_060)).toEqual(["42"]);
});

test("samples that are not OpenMetrics are refused in promtool's words", async () => {
  const failure: unknown = await startPrometheus({ openmetrics: "not metrics" }).catch((e) => e);
  expect(failure).toMatchObject({ code: "QUERY_REFUSED" });
});
