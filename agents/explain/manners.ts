/**
 * What no explanation may hold, whatever it cites: links, code, markup, orders to whoever reads it, words
 * that play an incident down, certainty. Recorded text may have put them into a model's mouth. Pure.
 */
import { comparable, withoutMarks } from "./text.ts";

interface Fault {
  readonly why: string;
  readonly pattern: RegExp;
}
const fault = (why: string, pattern: RegExp): Fault => ({ why, pattern });

/** In the comparable form, templates' placeholders and arrows taken out. */
const ALWAYS: readonly Fault[] = [
  fault(
    "holds a link",
    /[a-z][a-z0-9+.-]{1,20}:\/\/|\bwww\.|\b(?:javascript|data|mailto|file):\S|]\(/,
  ),
  fault(
    "holds code or markup",
    /[`{}\\^]|<[a-z!/?]|\$\(|\$\{|&&|\|\||&#?\w+;|\*\*|__\w|^#+\s|~~|\|\s*\w+/,
  ),
  fault(
    "reads like an order",
    /\bignore (?:all|any|the|this|that|previous|prior|above|these|every|it)\b|\bdisregard|\binstructions?\b|\bprompts?\b|\bas an ai\b|language model|\bassistant\b|\bsystem message|\byou (?:must|should|are|have to|need to)\b|\bdo not (?:alert|alarm|page|notify|escalate|report|wake)|\bdon't (?:alert|alarm|page|notify|escalate|report)|\bsuppress|\bsilence (?:this|the|all|it)|\bseverity\b|\backnowledge|\bunsubscribe|\bclick\b/,
  ),
  fault(
    "plays it down",
    /\bhealthy\b|\ball (?:is )?(?:well|clear|good|fine)\b|\bfine\b|\bharmless|\bbenign|\bfalse (?:alarm|positive)|\brecovered|\bresolved|self[- ]heal|\bno action|nothing to (?:do|worry|see)|\bworking as\b|\bnormal operation|expected behaviou?r|\b(?:can|may|could|should) be ignored|safe to ignore|not urgent|\blow priority|\bminor\b|\bnegligible|\bdrill\b|\btest (?:data|alarm|run|traffic)|\boperating normally|\bno (?:incident|issue|problem|impact|anomal|cause for)|\bfully operational|\bback to normal/,
  ),
  fault(
    "is surer than statistics can be",
    /\bcertainly|\bdefinitely|\bundoubtedly|without (?:any |a )?doubt|\bguarantee|\bproven\b|\bproves\b|\bbeyond (?:any )?doubt|\b100 ?%\s*(?:sure|certain|confiden)/,
  ),
];

/** In a next step: a person, or a program, may do it. */
const IN_STEPS: readonly Fault[] = [
  fault("holds what a shell would run", /[|<>$&=]|\s;|;\S|\.\.\/|(?:^|\s)~?\/\w|(?:^|\s)--?[a-z]/),
  fault(
    "tells to run, fetch or send something",
    /\b(?:run|runs|running|execute|exec|invoke|eval|paste|type|curl|wget|sudo|chmod|ssh|scp|kubectl|helm|docker|bash|sh|powershell|psql|mysql|redis-cli|rm|dd|nc|python|node|npm|pip|apt|install|download|upload|fetch|visit|open|browse|call|phone|dial|e-?mail|send|forward|transfer|pay|post|tweet|contact|reply|submit|enter|log ?in|sign ?in)\b/,
  ),
  fault(
    "tells to destroy, hide or give away something",
    /\b(?:delete|deleting|drop|truncate|wipe|purge|erase|format|remove|disable|turn off|switch off|stop (?:monitoring|alerting|petrel|auditing)|mute|hide|close the|dismiss|suspend|unplug|revoke|grant|whitelist|allow-?list|bypass|skip|password|credential|passwd|secret|api key|private key|access key|token)\b/,
  ),
  fault(
    "names a host",
    /\b[a-z0-9-]+\.(?:com|net|org|io|dev|app|example|test|local|internal|ru|cn|xyz|info|biz|top|site|online|co|me|sh|ly|gg|tk)\b/,
  ),
];

const ENCODED = /[A-Za-z0-9+/_-]{24,}={0,2}/g;

/** Why the text may not be told; undefined when nothing speaks against it. */
export function faultOf(text: string, kind: "statement" | "step"): string | undefined {
  if (/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/u.test(text)) return "holds control characters";
  const plain = comparable(withoutMarks(text));
  if (
    /[^\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}]/u.test(plain.replace(/"[^"]*"/g, " "))
  )
    return "is not in English";
  const found = [...ALWAYS, ...(kind === "step" ? IN_STEPS : [])].find(({ pattern }) =>
    pattern.test(plain),
  );
  if (found) return found.why;
  return text.match(ENCODED)?.some(looksEncoded) ? "holds encoded text" : undefined;
}

/** Base64 and long ids mix digits and both cases; names of services and classes do not. */
function looksEncoded(word: string): boolean {
  if (word.endsWith("=")) return true;
  return (
    /\d/.test(word) && ((/[a-z]/.test(word) && /[A-Z]/.test(word)) || /^[0-9a-f-]{32,}$/.test(word))
  );
}

const DENIAL =
  /\b(?:no|not|never|without|neither|nor|zero|isn't|aren't|wasn't|weren't|didn't|doesn't|cannot|nothing)\b/g;
const DENIED_WORDS = 3;

/** What a text denies: the words that follow each denial, joined as they stand. */
export function denialsIn(text: string): { phrase: string; denied: string }[] {
  const plain = comparable(text);
  return [...plain.matchAll(DENIAL)].map(({ 0: word, index }) => {
    const after = plain.slice(index + word.length).match(/[\p{L}\p{N}'-]+/gu) ?? [];
    const denied = after.slice(0, DENIED_WORDS).join(" ");
    return { phrase: `${word} ${after[0] ?? ""}`, denied };
  });
}

const UP =
  /\b(?:rose|risen?|rises?|rising|increas\w*|grew|grows?|growing|climb\w*|spik\w*|surg\w*|jump\w*|higher|exceed\w*)\b/;
const DOWN =
  /\b(?:fell|falls?|fallen|falling|drops|dropped|dropping|decreas\w*|declin\w*|fewer|lower\w*|shrank|vanish\w*|disappear\w*|improv\w*|faster)\b/;

/** Which way a text says that something went; undefined for both, or neither. */
export function directionOf(text: string): "up" | "down" | undefined {
  const plain = comparable(text);
  const [isUp, isDown] = [UP.test(plain), DOWN.test(plain)];
  if (isUp === isDown) return undefined;
  return isUp ? "up" : "down";
}
