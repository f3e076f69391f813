/** How incidents are laid out: columns, paragraphs, moments, and what only a terminal gets. */
import { afterEach, expect, test } from "bun:test";
import * as fc from "fast-check";
import { incidentWords } from "../../cli/render/incident.ts";
import { costWords } from "../../cli/render/incident-details.ts";
import { listWords } from "../../cli/render/incidents.ts";
import { columns, labelled, wrap } from "../../cli/render/lines.ts";
import { lengthWords, minuteWords, momentWords, windowWords } from "../../cli/render/moments.ts";
import { NOW_MS, poolIncident } from "./incidents-fixtures.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const { isTTY, columns: width } = process.stdout;
afterEach(() => {
  process.stdout.isTTY = isTTY;
  process.stdout.columns = width;
});

const ESCAPE = String.fromCharCode(0x1b);
/** Without colours and links. */
const plain = (text: string) => Bun.stripANSI(text);

test("columns stand below each other, whatever alphabet and colour they are in", () => {
  const cell = fc.constantFrom("", "a", "payment", "支払い", `${ESCAPE}[31mred${ESCAPE}[0m`, "é");
  const rows = fc.array(fc.tuple(cell, cell, fc.constant("|")), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(rows, (given) => {
      const lines = columns(given).split("\n");
      const places = lines.map((line) => Bun.stringWidth(line.slice(0, line.indexOf("|"))));
      expect(new Set(places).size).toBe(1);
    }),
    { seed },
  );
});

test("a paragraph keeps its words in order, and its lines within the width", () => {
  const word = fc.stringMatching(/^[a-z]{1,12}$/);
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 60 }), (words) => {
      const lines = wrap(words.join(" "), 30);
      expect(lines.join(" ")).toBe(words.join(" "));
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(30);
    }),
    { seed },
  );
});

test("a word longer than the line is not lost; nothing has no label", () => {
  const long = "x".repeat(200);
  expect(wrap(`a ${long} b`, 30)).toEqual(["a", long, "b"]);
  expect(labelled("next", [])).toEqual([]);
  expect(labelled("next", [""])).toEqual([]);
  expect(labelled("next", ["a", "b"])).toEqual(["  next        a", "              b"]);
});

test("moments are UTC and say so; what is no time is shown as it is", () => {
  expect(momentWords("2026-11-30T04:12:05.123+01:00")).toBe("2026-11-30 03:12:05Z");
  expect(minuteWords("2026-11-30T03:12:05Z")).toBe("2026-11-30 03:12Z");
  expect(minuteWords("yesterday")).toBe("yesterday");
  const end = "2026-12-01T00:05:00Z";
  expect(windowWords({ start: "2026-11-30T23:55:00Z", end })).toBe(
    "2026-11-30 23:55Z to 2026-12-01 00:05Z",
  );
  expect(windowWords({ start: "2026-12-01T00:00:00Z", end })).toBe("2026-12-01 00:00Z to 00:05Z");
});

test.each([
  [0, "less than a minute"],
  [Number.NaN, "less than a minute"],
  [60_000, "1 min"],
  [3_600_000, "1 h"],
  [3_900_000, "1 h 5 min"],
  [90_000_000, "1 d 1 h"],
  [86_400_000, "1 d"],
])("%d ms are %s", (ms, words) => {
  expect(lengthWords(ms)).toBe(words);
});

test("what it cost, and that it cost nothing", () => {
  const none = { calls: 0, toolCalls: 0, promptTokens: 0, completionTokens: 0, usd: 0 };
  expect(costWords(none)).toBe("no language model was asked");
  expect(costWords({ ...none, calls: 1, promptTokens: 4_000, completionTokens: 9 })).toBe(
    "1 call · 0 tool calls · 4,000 tokens in, 9 out · no prices configured",
  );
});

test("on a terminal evidence is a link; in a pipe it is the address; never another scheme", () => {
  const incident = poolIncident();
  const [first] = incident.evidence;
  if (!first) throw new Error("there is one");
  first.finding.link = "javascript:alert(1)";
  incident.links.push({ title: "a file", url: "file:///etc/passwd" });
  const piped = incidentWords(incident, NOW_MS);
  expect(piped).toContain("      https://metrics.example/search?q=e2\n");
  expect(piped).not.toMatch(/javascript|a file/);
  process.stdout.isTTY = true;
  const shown = incidentWords(incident, NOW_MS);
  expect(shown).toContain(`${ESCAPE}]8;;https://metrics.example/search?q=e2${ESCAPE}\\`);
  expect(shown).toContain(`${ESCAPE}]8;;https://grafana.example/d/payment-service${ESCAPE}\\`);
  expect(shown).not.toMatch(/javascript|a file/);
});

test("what is cited is shown in full, of the rest a dozen lines", () => {
  const incident = poolIncident();
  const [one] = incident.evidence;
  if (!one) throw new Error("there is one");
  const more = Array.from({ length: 40 }, (_, at) => ({ ...one, id: `e${at + 10}` }));
  incident.evidence = [...incident.evidence, ...more];
  const words = incidentWords(incident, NOW_MS);
  expect(words.match(/measured /g)).toHaveLength(3);
  expect(words).toContain("\n  and 29 more: --json has them all\n");
  const uncited = { ...incident, causes: [], explanation: undefined };
  const all = incidentWords(uncited, NOW_MS);
  expect(all.match(/measured /g)).toHaveLength(20);
  expect(all).toContain("\n  and 12 more: --json has them all\n");
});

test("an incident that is not explained, and is of no service", () => {
  const { explanation: _, location: __, taskId: ___, ...bare } = poolIncident();
  const incident = { ...bare, kind: "operations" as const, service: "", mechanism: "", causes: [] };
  const words = incidentWords({ ...incident, evidence: [], timeline: [] }, NOW_MS);
  expect(words).toContain("  what        not explained yet\n");
  expect(words).toContain(" · operations · ");
  expect(words).not.toMatch(/^(evidence|timeline|causes)/m);
  const { incidents, ...asked } = { incidents: [poolIncident(incident)], states: ["open"] };
  expect(listWords({ incidents, isCut: false }, asked)).toMatch(/critical +- +- +.* operations\n/);
});

test("lines of a screen are within its width, but for what cannot be broken", () => {
  const text = "word ".repeat(700).trim();
  const incident = poolIncident();
  if (incident.explanation) incident.explanation.text = text;
  const lines = plain(incidentWords(incident, NOW_MS)).split("\n");
  for (const line of lines.filter((one) => !one.includes("https://")))
    expect(Bun.stringWidth(line)).toBeLessThanOrEqual(110);
});

test.each([100, 120, 200])("a list fits a terminal of %d columns", (terminal) => {
  process.stdout.columns = terminal;
  const service = "a-service-with-a-name-that-goes-on-and-on";
  const mechanism = "a mechanism that is told of at length, and then some";
  const one = poolIncident({ service, mechanism });
  const words = listWords({ incidents: [one], isCut: false }, { states: ["open"] });
  const [head = "", row = ""] = words.split("\n");
  for (const line of [head, row]) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(terminal);
  expect(row).toContain("a-service-w");
});
