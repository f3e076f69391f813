/** What each receiver gets, in the shape its documentation shows, and what it does with the same again. */
import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AlarmSink,
  appendLine,
  grafanaSink,
  isFor,
  jsonlSink,
  Notice,
  pagerdutySink,
  signatureOf,
  slackSink,
  teamsSink,
  terminalSink,
  webhookSink,
} from "../../alarms/mod.ts";
import { htmlEscape } from "../../alarms/sinks/grafana.ts";
import { slackEscape } from "../../alarms/sinks/slack.ts";
import { failureOf } from "../support/failure.ts";
import { INCIDENT, notice } from "./notices.ts";
import { answers, never, receiver } from "./receiver.ts";

const common = { minSeverity: "warning" as const, timeoutMs: 10_000 };
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const clock = { nowMs: () => 1_614_265_330_000, sleep: () => Promise.resolve() };

async function sent(
  sink: (url: string) => AlarmSink,
  answer = answers.text("ok"),
  what = notice(),
) {
  await using there = receiver(answer);
  await sink(there.url).send(what, never());
  const [first] = there.requests;
  if (!first) throw new Error("nothing was sent");
  return first;
}

describe("webhook", () => {
  const sinkAt = (url: string) =>
    webhookSink({
      url: `${url}/hook?team=1`,
      headers: { "X-Team": "payments" },
      secret: SECRET,
      ...common,
      clock,
    });

  test("the notice as it is, under its id", async () => {
    const { path, headers, text, method } = await sent(sinkAt, answers.text("", 204));
    expect([method, path]).toEqual(["POST", "/hook?team=1"]);
    expect(headers.get("idempotency-key")).toBe(`${INCIDENT}.1`);
    expect(headers.get("x-team")).toBe("payments");
    expect(Notice.parse(JSON.parse(text))).toEqual(notice());
  });

  test("signed as Standard Webhooks has it", async () => {
    // The specification's own example.
    const example = {
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      timestamp: "1614265330",
      body: '{"test": 2432232314}',
    };
    expect(signatureOf(example, SECRET)).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    const { headers, text } = await sent(sinkAt);
    const [id, timestamp] = [`${INCIDENT}.1`, "1614265330"];
    expect(headers.get("webhook-id")).toBe(id);
    expect(headers.get("webhook-timestamp")).toBe(timestamp);
    expect(headers.get("webhook-signature")).toBe(
      signatureOf({ id, timestamp, body: text }, SECRET),
    );
  });

  test("what configured headers say does not replace what we say", async () => {
    const sink = (url: string) =>
      webhookSink({ url, headers: { "Idempotency-Key": "mine" }, ...common, clock });
    const { headers } = await sent(sink);
    expect(headers.get("idempotency-key")).toBe(`${INCIDENT}.1`);
    expect(headers.has("webhook-signature")).toBe(false);
  });

  test("an answer that goes on for ever is not read", async () => {
    const endless = () =>
      new Response(new ReadableStream({ pull: (one) => one.enqueue(new Uint8Array(65_536)) }));
    await sent(sinkAt, endless);
  });
});

describe("slack", () => {
  test("blocks, and a text for notifications", async () => {
    const { text } = await sent((url) => slackSink({ url, ...common }));
    const body = JSON.parse(text);
    expect(body).toMatchObject({
      text: "CRITICAL opened: payment-service: database connection pool exhausted",
      blocks: [
        { type: "header", text: { type: "plain_text" } },
        { type: "section", text: { type: "mrkdwn" } },
        {},
        {},
        {},
        {},
        {},
        { type: "context" },
      ],
    });
    expect(text).toContain(
      "q=search%20index%3Dpayments&amp;earliest=1773411600&amp;latest=1773411900|open>",
    );
  });

  test("nobody is called and nothing is linked by what a log says", () => {
    expect(slackEscape("<!channel> <@U1> @here @HERE a@here.example @heretic a&b")).toBe(
      "&lt;!channel&gt; &lt;@U1&gt; @\u200bhere @\u200bHERE a@\u200bhere.example @\u200bheretic a&amp;b",
    );
  });
});

describe("pagerduty", () => {
  const taken = answers.json(
    { status: "success", message: "Event processed", dedup_key: INCIDENT },
    202,
  );
  const sinkAt = (url: string) =>
    pagerdutySink({ url: `${url}/`, routingKey: "R0UT1NGKEY", ...common });

  test("opened and updated trigger, resolved resolves, all under the incident's key", async () => {
    for (const [change, action] of [
      ["opened", "trigger"],
      ["updated", "trigger"],
      ["reopened", "trigger"],
      ["flapping", "trigger"],
      ["resolved", "resolve"],
    ] as const) {
      const { path, text } = await sent(sinkAt, taken, notice({ change }));
      expect(path).toBe("/v2/enqueue");
      expect(JSON.parse(text)).toMatchObject({
        routing_key: "R0UT1NGKEY",
        event_action: action,
        dedup_key: INCIDENT,
        payload: {
          source: "payment-service",
          severity: "critical",
          timestamp: "2026-03-13T14:25:21.000Z",
          component: "payment-service",
          class: "database connection pool exhausted",
          custom_details: { notice: `${INCIDENT}.1`, incident: INCIDENT },
        },
        links: [
          { href: "https://grafana.example/d/spring-boot", text: "Spring Boot overview" },
          {},
          {},
        ],
      });
    }
  });

  test("an event it refuses is refused in its own words", async () => {
    await using there = receiver(
      answers.json(
        {
          status: "invalid event",
          message: "Event object is invalid",
          errors: ["Length of 'routing_key' is incorrect"],
        },
        400,
      ),
    );
    const error = await failureOf(sinkAt(there.url).send(notice(), never()));
    expect(error).toMatchObject({ code: "QUERY_REFUSED", retry: "never" });
    expect(error.message).toContain("Length of 'routing_key' is incorrect");
  });

  test("an incident without a service has a source all the same", async () => {
    const { text } = await sent(sinkAt, taken, notice({ service: "", mechanism: "" }));
    expect(JSON.parse(text)).toMatchObject({ payload: { source: "petrel", class: "unknown" } });
  });
});

describe("teams", () => {
  test("an Adaptive Card in the envelope of Workflows", async () => {
    const { text } = await sent((url) => teamsSink({ url, ...common }), answers.text("", 202));
    expect(JSON.parse(text)).toMatchObject({
      type: "message",
      attachments: [
        {
          contentType: "application/vnd.microsoft.card.adaptive",
          content: {
            type: "AdaptiveCard",
            version: "1.4",
            actions: [{ type: "Action.OpenUrl", url: "https://grafana.example/d/spring-boot" }],
          },
        },
      ],
    });
  });

  test("200 with a 429 in its body is a 429", async () => {
    const body =
      "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x";
    await using there = receiver(answers.text(body));
    const error = await failureOf(teamsSink({ url: there.url, ...common }).send(notice(), never()));
    expect(error).toMatchObject({ code: "OVERLOADED", retry: "later" });
  });

  test("what has no room is left out, and that is said", async () => {
    const long = notice({
      text: "字".repeat(4_000),
      next: Array.from({ length: 10 }, () => "字".repeat(500)),
    });
    const { text } = await sent((url) => teamsSink({ url, ...common }), answers.text(""), long);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(28_000);
    expect(text).toContain(
      "shortened: text, next steps (5 of 10); `petrel incidents show` has all of it",
    );
  });
});

describe("grafana", () => {
  test("looked for by the notice's tag, then posted once", async () => {
    const kept: { tags: readonly string[]; text: string }[] = [];
    await using there = receiver(({ method, text, path }) => {
      if (method === "POST") kept.push(JSON.parse(text));
      const tag = new URL(path, "http://x").searchParams.get("tags") ?? "";
      const found = kept.filter(({ tags }) => tags.includes(tag));
      return Response.json(method === "POST" ? { message: "Annotation added", id: 1 } : found);
    });
    const sink = grafanaSink({
      url: `${there.url}/prefix/`,
      token: "t0ken-t0ken",
      dashboardUid: "abc",
      ...common,
    });
    await sink.send(notice(), never());
    await sink.send(notice(), never());
    expect(there.requests.map(({ method, path }) => [method, path.split("?")[0]])).toEqual([
      ["GET", "/prefix/api/annotations"],
      ["POST", "/prefix/api/annotations"],
      ["GET", "/prefix/api/annotations"],
    ]);
    expect(there.requests[0]?.headers.get("authorization")).toBe("Bearer t0ken-t0ken");
    expect(kept).toMatchObject([
      {
        dashboardUID: "abc",
        time: 1_773_411_600_000,
        timeEnd: 1_773_411_900_000,
        tags: ["petrel", `incident:${INCIDENT}`, `notice:${INCIDENT}.1`],
      },
    ]);
  });

  test("its text is HTML, and what a log says is none of it", () => {
    expect(htmlEscape(`<img src=x onerror="a('b')">&`)).toBe(
      "&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;",
    );
  });
});

describe("terminal and jsonl", () => {
  test("colour on a terminal alone", async () => {
    const texts: string[] = [];
    const write = (text: string) => void texts.push(text);
    for (const isTerminal of [true, false])
      await terminalSink({ write, isTerminal, ...common }).send(notice(), never());
    expect(texts[0]).toStartWith("\u001b[1;31mCRITICAL opened: payment-service");
    expect(texts[1]).toStartWith("CRITICAL opened: payment-service");
    await terminalSink({ write, isTerminal: true, ...common }).send(
      notice({ change: "resolved" }),
      never(),
    );
    expect(texts[2]).toStartWith("\u001b[1;32mRESOLVED: payment-service");
  });

  test("two sinks append whole lines to one file; a file that cannot be is named, and tried later", async () => {
    const dir = await mkdtemp(join(tmpdir(), "petrel-jsonl-"));
    const file = join(dir, "alarms.jsonl");
    const sinks = [1, 2].map(() => jsonlSink({ write: (line) => appendLine(file, line) }));
    for (const sink of [...sinks, ...sinks]) await sink.send(notice(), never());
    const lines = (await Bun.file(file).text()).split("\n");
    expect(
      lines.map((line) => line === "" || Notice.parse(JSON.parse(line)).id === `${INCIDENT}.1`),
    ).toEqual([true, true, true, true, true]);
    const nowhere = jsonlSink({ write: (line) => appendLine(join(dir, "no/such/file"), line) });
    const error = await failureOf(nowhere.send(notice(), never()));
    expect(error).toMatchObject({ code: "UNAVAILABLE", retry: "later" });
    await rm(dir, { recursive: true });
  });
});

test("a sink is for what is urgent enough", () => {
  const sink = jsonlSink({ write: () => undefined });
  expect(isFor(sink, "info")).toBe(true);
  expect(isFor({ ...sink, minSeverity: "critical" }, "warning")).toBe(false);
});
