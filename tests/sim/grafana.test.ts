import { describe, expect, test } from "bun:test";
import { type GrafanaSimOptions, startGrafanaSim } from "../../sim/mod.ts";

const TOKEN = "glsa_test0123456789";
const NOW_MS = Date.UTC(2026, 0, 29, 8, 0, 0);

const options: GrafanaSimOptions = {
  token: TOKEN,
  dashboards: [
    { id: 1, uid: "orders", title: "Order service", tags: ["spring"], panels: [] },
    { id: 2, uid: "pay", title: "Payments", panels: [] },
  ],
  series: ({ expr, startMs, endMs }) => [
    {
      labels: { expr },
      timesMs: [startMs, startMs + 1, startMs + 2, endMs],
      values: [1, Number.NaN, Infinity, -Infinity],
    },
  ],
};

function call(url: string, body?: unknown, token: string | null = TOKEN): Promise<Response> {
  return fetch(url, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      "content-type": "application/json",
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

const query = (uid: string) => ({
  from: String(NOW_MS),
  to: String(NOW_MS + 60_000),
  queries: [{ refId: "A", expr: "up", datasource: { uid } }],
});

describe("the stand-in of Grafana keeps to the recorded shapes", () => {
  test("credentials: none and wrong ones have their own messageId", async () => {
    await using sim = startGrafanaSim(options);
    const none = await call(`${sim.url}/api/search`, undefined, null);
    expect(none.status).toBe(401);
    expect(await none.json()).toMatchObject({ messageId: "auth.unauthorized", statusCode: 401 });
    const wrong = await call(`${sim.url}/api/search`, undefined, "glsa_other");
    expect(wrong.status).toBe(401);
    expect(await wrong.json()).toMatchObject({ messageId: "api-key.invalid" });
  });

  test("search: hits of type dash-db, by title, tag and limit", async () => {
    await using sim = startGrafanaSim(options);
    const found = await call(`${sim.url}/api/search?query=order&tag=spring`);
    expect(await found.json()).toEqual([
      expect.objectContaining({
        id: 1,
        uid: "orders",
        title: "Order service",
        url: "/d/orders/order-service",
        type: "dash-db",
        tags: ["spring"],
      }),
    ]);
    expect(await (await call(`${sim.url}/api/search?limit=1`)).json()).toHaveLength(1);
  });

  test("dashboard by uid, and the one that is not there", async () => {
    await using sim = startGrafanaSim(options);
    const found = await call(`${sim.url}/api/dashboards/uid/pay`);
    expect(await found.json()).toMatchObject({
      dashboard: { uid: "pay", panels: [] },
      meta: { url: "/d/pay/payments" },
    });
    const missing = await call(`${sim.url}/api/dashboards/uid/none`);
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({ message: "Dashboard not found" });
  });

  test("query: frames, with what JSON cannot say in entities", async () => {
    await using sim = startGrafanaSim(options);
    const answer = await call(`${sim.url}/api/ds/query`, query("prometheus"));
    expect(await answer.json()).toMatchObject({
      results: {
        A: {
          status: 200,
          frames: [
            {
              schema: {
                fields: [
                  { name: "Time", type: "time" },
                  { name: "Value", type: "number", labels: { expr: "up" } },
                ],
              },
              data: {
                values: [
                  [NOW_MS, NOW_MS + 1, NOW_MS + 2, NOW_MS + 60_000],
                  [1, null, null, null],
                ],
                entities: [null, { NaN: [1], Inf: [2], NegInf: [3] }],
              },
            },
          ],
        },
      },
    });
  });

  test("query errors: in HTTP 400, in HTTP 200, of the series function, of an unknown source", async () => {
    const throwing = () => {
      throw new Error("bad_data: parse error");
    };
    await using sim = startGrafanaSim({ ...options, series: throwing });
    const address = `${sim.url}/api/ds/query`;
    const error = { results: { A: { errorSource: "downstream", status: 400 } } };
    const thrown = await call(address, query("prometheus"));
    expect(thrown.status).toBe(400);
    expect(await thrown.json()).toMatchObject(error);
    for (const status of [200, 400] as const) {
      sim.mode = `query_error_${status}`;
      const answer = await call(address, query("prometheus"));
      expect(answer.status).toBe(status);
      expect(await answer.json()).toMatchObject(error);
    }
    sim.mode = "ok";
    expect((await call(address, query("loki"))).status).toBe(404);
    expect((await call(address, { queries: [] })).status).toBe(400);
  });

  test("annotations are kept; one without text is refused", async () => {
    await using sim = startGrafanaSim(options);
    const address = `${sim.url}/api/annotations`;
    const posted = { dashboardUID: "pay", panelId: 2, time: 1, timeEnd: 2, tags: ["x"], text: "t" };
    expect(await (await call(address, posted)).json()).toEqual({
      message: "Annotation added",
      id: 1,
    });
    expect(sim.annotations).toEqual([{ id: 1, ...posted }]);
    expect((await call(address, { ...posted, text: "" })).status).toBe(400);
    expect(sim.annotations).toHaveLength(1);
    expect(sim.requests).toEqual(["POST /api/annotations", "POST /api/annotations"]);
  });
});
