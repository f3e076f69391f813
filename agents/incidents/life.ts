/**
 * An incident's life, window by window: seen, told, updated, resolved, opened again, flapping, over. Pure:
 * the same book and the same sighting give the same book, so that whoever wins the compare-and-set has
 * decided for all. Time is the windows' own, so that windows that are caught up decide as they would have.
 */
import { SEVERITIES, type Severity } from "../../alarms/mod.ts";
import {
  type Book,
  HEAD_SERVICES_MAX,
  HEADS_BYTES_MAX,
  HEADS_MAX,
  type Head,
  TAKEN_MAX,
} from "./book.ts";
import { changed, type News } from "./change.ts";
import { headOf } from "./match.ts";
import type { Circumstances } from "./rules.ts";
import { fingerprintOf, OPERATIONS, PETREL, type Sighting, type Sign } from "./sighting.ts";
import { silencedBy } from "./silences.ts";
import { earlierOf, windowMsOf } from "./times.ts";

const NEWS_MAX = 10;
const FLIPS_MAX = 100;
/** A cause replaces the one that was told when it is surer by this much. */
const SURER_BY = 0.1;

/** The book after a sighting. One that was taken before changes nothing. */
export function advance(book: Book, sighting: Sighting, given: Circumstances): Book {
  if (book.taken.includes(sighting.investigation)) return book;
  const seen = new Map<string, Head>();
  let heads = book.heads;
  for (const found of sighting.signs) {
    const known = headOf(heads, found, sighting, given.rules);
    const sign = known || hasRoom(heads) ? found : tooMany();
    const head = known ?? headOf(heads, sign, sighting, given.rules);
    // Not even for the one about it, as the one there is is of another time: people know.
    if (!head && heads.length > HEADS_MAX) continue;
    const next = head ? again(head, sign, sighting, given) : begun(sign, sighting, given);
    seen.set(next.id, next);
    heads = head ? heads.map((one) => (one.id === next.id ? next : one)) : [...heads, next];
  }
  const lived = heads.map((head) => {
    // Over: what is left to do about it is not for windows to decide.
    if (head.state === "closed") return head;
    const next = seen.has(head.id) ? head : passed(head, sighting, given);
    return announced(settledFlaps(next, sighting, given), sighting, given);
  });
  return {
    ...book,
    heads: lived.filter((head) => !isDone(head)),
    taken: [...book.taken, sighting.investigation].slice(-TAKEN_MAX),
  };
}

/** Over, and nothing left to do about it: its record stays. */
export function isDone({ state, pending }: Head): boolean {
  return state === "closed" && pending.length === 0;
}

/** One value of KV has to hold them all. */
function hasRoom(heads: readonly Head[]): boolean {
  if (heads.length >= HEADS_MAX) return false;
  return Buffer.byteLength(JSON.stringify(heads)) < HEADS_BYTES_MAX;
}

/** The one incident that stands for those there is no room for. */
function tooMany(): Sign {
  const mechanism = "more incidents are open than there is room for";
  return {
    kind: OPERATIONS,
    fingerprint: fingerprintOf(PETREL, mechanism),
    severity: "critical",
    service: PETREL,
    mechanism,
    confidence: 1,
    services: [PETREL],
  };
}

function begun(sign: Sign, { investigation, window, at }: Sighting, given: Circumstances): Head {
  return {
    id: given.newId(),
    fingerprint: sign.fingerprint,
    kind: sign.kind,
    state: "pending",
    severity: sign.severity,
    ...causeOf(sign),
    services: sign.services.slice(0, HEAD_SERVICES_MAX),
    openedAt: at,
    updatedAt: at,
    firstWindow: window,
    lastWindow: window,
    windows: 1,
    quiet: 0,
    flips: [],
    isFlapping: false,
    told: "nothing",
    news: [],
    investigation,
    seq: 0,
    pending: [],
  };
}

function causeOf({ service, mechanism, location, confidence }: Sign) {
  return { service, mechanism, confidence, ...(location === undefined ? {} : { location }) };
}

/** A window that shows it once more. */
function again(head: Head, sign: Sign, sighting: Sighting, given: Circumstances): Head {
  const { window, at, investigation } = sighting;
  const isOlder = isKnown(head, sighting);
  const next: Head = {
    ...head,
    firstWindow: earlierOf(head.firstWindow, window),
    lastWindow: isOlder ? head.lastWindow : window,
    windows: head.windows + 1,
    updatedAt: at,
    ...(isOlder ? {} : { quiet: 0, quietUntil: undefined }),
  };
  if (isOlder) return next;
  const informed = withNews(next, sign, investigation);
  const isShown = informed.fingerprint === sign.fingerprint;
  if (head.state === "pending") return isShown ? { ...informed, investigation } : informed;
  if (head.state === "open") return informed;
  return reopened({ ...informed, investigation }, sighting, given);
}

/**
 * Whether the window may show nothing but what was seen: it ended before the last one that did, or is a long
 * one, as people ask for, that reaches back to it over windows that were quiet.
 */
function isKnown({ lastWindow, quiet }: Head, { window }: Sighting): boolean {
  const { startMs, endMs } = windowMsOf(window);
  const seenMs = Date.parse(lastWindow.end);
  return endMs <= seenMs || (quiet > 0 && startMs < seenMs);
}

/** What the sign adds to what is known: a surer cause, a higher severity, more services that suffer. */
function withNews(head: Head, sign: Sign, investigation: string): Head {
  const isOther = sign.fingerprint !== head.fingerprint;
  const isBetter =
    isOther &&
    (sign.confidence >= head.confidence + SURER_BY || !sign.services.includes(head.service));
  const isWorse = rankOf(sign.severity) < rankOf(head.severity);
  // Those there is no room for are not news in every window anew.
  const more = sign.services
    .filter((service) => !head.services.includes(service))
    .slice(0, HEAD_SERVICES_MAX - head.services.length);
  const news = [
    ...(isBetter ? [`the cause is now ${sign.service}: ${sign.mechanism}`] : []),
    ...(isWorse ? [`now ${sign.severity}`] : []),
    ...(more.length > 0 ? [`also ${more.slice(0, 5).join(", ")}`] : []),
  ].map((text) => text.slice(0, 300));
  return {
    ...head,
    ...(isBetter ? { fingerprint: sign.fingerprint, location: undefined, ...causeOf(sign) } : {}),
    ...(isOther ? {} : { confidence: Math.max(head.confidence, sign.confidence) }),
    // A verdict that names another cause, and not a surer one, cannot be shown for this one.
    ...(isBetter || (!isOther && news.length > 0) ? { investigation } : {}),
    severity: isWorse ? sign.severity : head.severity,
    services: [...head.services, ...more],
    news: [...head.news, ...news].slice(-NEWS_MAX),
  };
}

function rankOf(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}

function reopened(head: Head, sighting: Sighting, given: Circumstances): Head {
  const open: Head = { ...head, state: "open", resolvedAt: undefined };
  return flipped(open, sighting, given, {
    kind: "reopened",
    text: `${head.service}: ${head.mechanism} is back`,
  });
}

/** A window that does not show it. */
function passed(head: Head, sighting: Sighting, given: Circumstances): Head {
  if (head.state === "resolved") return overAfterPause(head, sighting, given);
  if (!isQuiet(head, sighting)) return head;
  const quiet: Head = {
    ...head,
    quiet: head.quiet + 1,
    quietUntil: sighting.window.end,
    updatedAt: sighting.at,
  };
  if (quiet.quiet < given.rules.resolveAfterWindows || !isLong(quiet, given)) return quiet;
  // Seen in too few windows to be told: it was nothing.
  if (head.state === "pending") return { ...quiet, state: "closed" };
  const resolved: Head = { ...quiet, state: "resolved", resolvedAt: sighting.window.end };
  return flipped(resolved, sighting, given, {
    kind: "resolved",
    text: `quiet for ${quiet.quiet} ${quiet.quiet === 1 ? "window" : "windows"}`,
  });
}

/** Short windows that somebody asks for do not make the time shorter that it takes. */
function isLong({ firstWindow, lastWindow, quietUntil }: Head, { rules }: Circumstances): boolean {
  const quietMs = Date.parse(quietUntil ?? lastWindow.end) - Date.parse(lastWindow.end);
  const lengths = [firstWindow, lastWindow].map(windowMsOf).map((one) => one.endMs - one.startMs);
  return quietMs >= rules.resolveAfterWindows * Math.min(...lengths);
}

/** Only a window behind the last one counts, and only once. */
function isQuiet(head: Head, sighting: Sighting): boolean {
  const { startMs } = windowMsOf(sighting.window);
  if (sighting.isAsked || startMs < Date.parse(head.quietUntil ?? head.lastWindow.end))
    return false;
  if (head.kind === "operations") return sighting.signs.every(({ kind }) => kind !== "operations");
  if (head.fingerprint.startsWith("source-")) {
    return !sighting.unread.has(head.fingerprint);
  }
  return sighting.isWhole && !sighting.troubled.has(head.service);
}

function overAfterPause(head: Head, sighting: Sighting, given: Circumstances): Head {
  const sinceMs = windowMsOf(sighting.window).startMs - Date.parse(head.resolvedAt ?? "");
  if (sinceMs <= given.rules.reopenWithinMs) return head;
  // What was told as open is told as resolved, at the last: nothing follows the end.
  const quiet: News = { kind: "resolved", text: "quiet, and steady" };
  const known = head.told === "open" ? told(head, "resolved", sighting, given, quiet) : head;
  const closed: Head = { ...known, state: "closed", isFlapping: false, updatedAt: sighting.at };
  return changed(closed, sighting, given, { kind: "closed", text: "it did not come back" });
}

/** A change to and fro; one too many of them is told as flapping, once. */
function flipped(head: Head, sighting: Sighting, given: Circumstances, news: News): Head {
  const flips = [...recentFlips(head, sighting, given), sighting.window.end].slice(-FLIPS_MAX);
  const next = changed({ ...head, flips }, sighting, given, news);
  if (head.isFlapping || flips.length < given.rules.flapChanges) return next;
  return changed({ ...next, isFlapping: true }, sighting, given, {
    kind: "flapping",
    text: `it came and went ${flips.length} times; told again when it is steady`,
  });
}

function recentFlips({ flips }: Head, { window }: Sighting, { rules }: Circumstances): string[] {
  const sinceMs = Date.parse(window.end) - rules.flapWithinMs;
  return flips.filter((at) => Date.parse(at) > sinceMs);
}

function settledFlaps(head: Head, sighting: Sighting, given: Circumstances): Head {
  if (!head.isFlapping || recentFlips(head, sighting, given).length > 0) return head;
  const isBack = head.state === "open" && head.told === "open";
  const news = isBack ? [...head.news, "it is back, and steady"].slice(-NEWS_MAX) : head.news;
  return { ...head, isFlapping: false, flips: [], news };
}

/**
 * Tells sinks what they do not know yet, unless it is silenced, flaps, or was told a moment ago. Whatever
 * held it back, it is told when that is over and the incident still stands.
 */
function announced(head: Head, sighting: Sighting, given: Circumstances): Head {
  const silence = silencedBy(head, sighting.window, given);
  const held: Head = { ...head, silencedBy: silence };
  // Nobody is woken by an end, and a sink that believes in it for ever helps nobody.
  const isEnd = head.state === "resolved" && head.told === "open";
  if (silence !== undefined && !isEnd) return silencedNow(held, head.silencedBy, sighting, given);
  if (head.state === "pending") {
    return head.windows >= given.rules.afterWindows ? opened(held, sighting, given) : held;
  }
  if (head.isFlapping) return flappingTold(held, sighting, given);
  if (head.state === "open") return openTold(held, sighting, given);
  if (head.told !== "open" || head.state === "closed") return held;
  return told(held, "resolved", sighting, given, { kind: "resolved", text: "quiet, and steady" });
}

/**
 * What flaps is told as flapping, and stands as open with the sinks until it is steady: theirs raise it by
 * that notice. What they do not know at all, or worse than they know it, does not wait for that.
 */
function flappingTold(head: Head, sighting: Sighting, given: Circumstances): Head {
  const flapping = head.pending.findLast(
    ({ kind, investigation }) => kind === "flapping" && investigation === sighting.investigation,
  );
  if (flapping && head.told !== "nothing") return told(head, "open", sighting, given, flapping);
  if (head.state !== "open" || (head.told === "open" && !isUrgent(head))) return head;
  return openTold(head, sighting, given);
}

function silencedNow(
  head: Head,
  before: string | undefined,
  sighting: Sighting,
  given: Circumstances,
): Head {
  const isEnough = head.windows >= given.rules.afterWindows;
  const isOpening = head.state === "pending" && isEnough;
  const { investigation } = sighting;
  const untold = head.pending.map((one) =>
    one.investigation === investigation ? { ...one, isTold: false } : one,
  );
  const open: Head = { ...head, ...(isOpening ? { state: "open" } : {}), pending: untold };
  if (open.state !== "open" || (before !== undefined && !isOpening)) return open;
  const text = `nobody is told: silence ${head.silencedBy}`;
  return changed(open, sighting, given, { kind: "silenced", text });
}

function opened(head: Head, sighting: Sighting, given: Circumstances): Head {
  const text = `${head.service}: ${head.mechanism}`;
  return told({ ...head, state: "open" }, "open", sighting, given, { kind: "opened", text });
}

function openTold(head: Head, sighting: Sighting, given: Circumstances): Head {
  if (head.told === "nothing") return opened(head, sighting, given);
  if (head.told === "resolved") {
    return told(head, "open", sighting, given, {
      kind: "reopened",
      text: "it is back, and steady",
    });
  }
  const sinceMs = Date.parse(sighting.window.end) - Date.parse(head.toldUntil ?? "");
  if (head.news.length === 0) return reminded(head, sinceMs, sighting, given);
  if (!isUrgent(head) && sinceMs < given.rules.updateEveryMs) return head;
  const text = head.news.join("; ");
  return told(head, "open", sighting, given, { kind: "updated", text });
}

/** What goes on for a day is still open: people forget, and some systems let an alert lapse. */
function reminded(head: Head, sinceMs: number, sighting: Sighting, given: Circumstances): Head {
  const isShown = head.lastWindow.end === sighting.window.end;
  if (!isShown || sinceMs < given.rules.remindEveryMs) return head;
  const text = `it goes on: ${head.windows} windows show it`;
  return told(head, "open", sighting, given, { kind: "updated", text });
}

function isUrgent({ news }: Head): boolean {
  return news.some((text) => text.startsWith("now "));
}

/** A change that sinks are told of. One of the same kind that this window brought already is that one. */
function told(
  head: Head,
  state: Head["told"],
  sighting: Sighting,
  given: Circumstances,
  news: News,
): Head {
  const known: Head = { ...head, told: state, toldUntil: sighting.window.end, news: [] };
  const own = known.pending.findLast(
    ({ kind, investigation }) => kind === news.kind && investigation === sighting.investigation,
  );
  if (!own) return changed(known, sighting, given, { ...news, isTold: true });
  const pending = known.pending.map((one) => (one === own ? { ...own, isTold: true } : one));
  return { ...known, pending };
}
