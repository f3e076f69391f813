/**
 * Whether cited evidence says what a statement says: its services, names, numbers, moments, topics and
 * directions, and something of every citation. Each check gives the reason it fails with, or nothing. Pure.
 */
import type { Fact, Ground } from "./facts.ts";
import { denialsIn, directionOf } from "./manners.ts";
import { inventedName, servicesIn, unknownService } from "./names.ts";
import { isMoment, isSaid, numbersOf } from "./numbers.ts";
import { stemsOf } from "./stems.ts";
import { comparable, withoutMarks } from "./text.ts";
import { passingTopics, type Topic, topicsOf } from "./topics.ts";
import { wrongWords } from "./wording.ts";

/** A sentence with what it cites, taken apart. */
export interface Claim {
  /** `blast`: who suffers may be named alone. `step`: says what to do, not what is. */
  readonly kind: "told" | "blast" | "step";
  readonly text: string;
  /** Every citation; all exist. */
  readonly cited: readonly Fact[];
  readonly named: ReadonlySet<string>;
  /** The text without the known services. */
  readonly rest: string;
}

export function claimOf(
  kind: Claim["kind"],
  text: string,
  cited: readonly Fact[],
  ground: Ground,
): Claim {
  const normal = withoutMarks(text).normalize("NFKC");
  const { named, rest } = servicesIn(normal, ground.book);
  return { kind, text: normal, cited, named, rest };
}

const CHECKS: readonly ((claim: Claim) => string | undefined)[] = [
  wrongService,
  wrongName,
  wrongNumber,
  wrongTopic,
  wrongWay,
  wrongCitation,
  wrongWords,
];

/** Why the evidence does not say so; undefined when it does. */
export function unsupported(claim: Claim): string | undefined {
  for (const check of CHECKS) {
    const why = check(claim);
    if (why !== undefined) return why;
  }
  return undefined;
}

function wrongService({ kind, cited, named, rest }: Claim): string | undefined {
  const unknown = unknownService(rest);
  if (unknown !== undefined) return `names ${unknown}, which nobody knows`;
  const meant = new Set(cited.flatMap(({ services, culprits }) => [...services, ...culprits]));
  const sufferers = new Set(cited.flatMap((fact) => [...fact.sufferers]));
  const stranger = [...named].find((name) => !meant.has(name) && !sufferers.has(name));
  if (stranger !== undefined) return `names ${stranger}, which the cited evidence does not`;
  const isAboutMeant = named.size === 0 || [...named].some((name) => meant.has(name));
  if (kind === "told" && !isAboutMeant) return "is about a service that only suffers from this";
  return undefined;
}

function wrongName({ cited, rest }: Claim): string | undefined {
  const text = cited.map((fact) => `${fact.text} \n ${fact.causeText}`).join(" \n ");
  const holds = (part: string) => text.includes(comparable(part));
  const invented = inventedName(rest, { says: (word) => hasWord(text, comparable(word)), holds });
  return invented === undefined
    ? undefined
    : `names ${invented}, which the cited evidence does not`;
}

/** Whether a text has these characters, and not as a part of a longer word. */
function hasWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const [before = " ", after = " "] = [text[at - 1], text[at + word.length]];
    if (!/[\p{L}\p{N}]/u.test(before) && !/[\p{L}\p{N}]/u.test(after)) return true;
  }
  return false;
}

function wrongNumber({ rest, cited }: Claim): string | undefined {
  const { quantities, moments, names } = numbersOf(rest);
  const known = cited.flatMap((fact) => fact.quantities);
  const wrong = quantities.find((said) => !isSaid(said, known));
  if (wrong) return "tells a number that the cited evidence does not";
  const when = cited.flatMap((fact) => fact.moments);
  if (moments.some((said) => !isMoment(said, when)))
    return "tells a time that the cited evidence does not";
  const texts = cited.map((fact) => `${fact.text} \n ${fact.causeText}`).join(" \n ");
  const ids = new Set(cited.map(({ id }) => id));
  const name = names.find(
    (one) => !ids.has(one) && !hasWord(texts, one) && !isStatusClass(one, cited),
  );
  return name === undefined ? undefined : `names ${name}, which the cited evidence does not`;
}

/** `5xx` for evidence of server errors. */
function isStatusClass(name: string, cited: readonly Fact[]): boolean {
  return name === "5xx" && cited.some(({ text }) => /\b5(?:\d\d|xx)\b/.test(text));
}

/** What a step may speak of without evidence: where one looks. */
const LOOKED_AT: ReadonlySet<Topic> = new Set<Topic>([
  "pool",
  "cpu",
  "memory",
  "threads",
  "disk",
  "network",
  "latency",
  "errors",
  "traffic",
  "silence",
  "leak",
  "deadlock",
  "database",
  "release",
  "configuration",
  "dns",
  "cache",
  "queue",
  "platform",
  "schedule",
]);

function wrongTopic({ kind, rest, cited }: Claim): string | undefined {
  const known = new Set(cited.flatMap((fact) => [...fact.topics]));
  const wrong = [...topicsOf(comparable(rest))].find(
    (topic) => !known.has(topic) && !(kind === "step" && LOOKED_AT.has(topic)),
  );
  return wrong === undefined ? undefined : `speaks of ${wrong}, which the cited evidence does not`;
}

function wrongWay({ kind, rest, cited }: Claim): string | undefined {
  if (kind === "step") return undefined;
  const text = cited.map((fact) => `${fact.text} \n ${fact.causeText}`).join(" \n ");
  const denied = denialsIn(rest).find(
    (one) => topicsOf(one.denied).size > 0 && !text.includes(one.phrase.trim()),
  );
  if (denied || affirms(rest, text)) return "denies what the cited evidence says";
  const said = directionOf(rest);
  if (said === undefined) return undefined;
  const opposite = said === "up" ? ["down", "gone"] : ["up", "new"];
  const ways = cited.flatMap(({ direction }) => direction ?? []);
  const isOpposite = ways.length > 0 && ways.every((way) => opposite.includes(way));
  return isOpposite ? `says that it went ${said}, the cited evidence the opposite` : undefined;
}

/** Whether a text says plainly what the evidence says is not: `available` of `is not available`. */
function affirms(said: string, text: string): boolean {
  const own = new Set(denialsIn(said).flatMap(({ denied }) => denied.split(" ")));
  const words = new Set(comparable(said).match(/\p{L}{5,}/gu));
  return denialsIn(text).some(({ denied }) => {
    const [first = ""] = denied.split(" ", 1);
    return words.has(first) && !own.has(first);
  });
}

/** Each citation has to have a word or a number of the statement; of a step, at least a service. */
function wrongCitation({ kind, rest, named, cited }: Claim): string | undefined {
  const stems = stemsOf(comparable(rest));
  const topics = passingTopics(comparable(rest));
  const { quantities } = numbersOf(rest);
  const shared = (fact: Fact) =>
    [...stems].some((one) => fact.stems.has(one)) ||
    [...topics].some((one) => fact.topics.has(one));
  if (kind === "told" && !cited.some(shared)) return "shares no word with the cited evidence";
  const idle = cited.find(
    (fact) =>
      !shared(fact) &&
      !quantities.some((said) => isSaid(said, fact.quantities)) &&
      !(kind !== "told" && [...named].some((name) => concerns(fact, name))),
  );
  return idle === undefined ? undefined : `cites ${idle.id}, which says nothing of it`;
}

function concerns({ services, culprits, sufferers }: Fact, name: string): boolean {
  return services.has(name) || culprits.has(name) || sufferers.has(name);
}
