/**
 * One investigation's talk with the model: asks, digs if it is asked to, asks again, and ends with the last
 * whole answer. Every call is paid for before it is made: from the investigation's purse and the day's
 * ledger. It judges no answer.
 */
import type { SeenBefore } from "../../alarms/mod.ts";
import { type ErrorCode, messageOf, PetrelError, unlessAborted } from "../../core/mod.ts";
import type { Verdict } from "../sre/records.ts";
import { Answer } from "./answer.ts";
import type { Purse, TokenUse } from "./budget.ts";
import { deadline } from "./deadline.ts";
import type { Digger } from "./dig.ts";
import type { ExplainerOptions } from "./explainer.ts";
import type { Llm, ToolWords } from "./ports.ts";
import { type Question, questionOf } from "./prompt.ts";
import type { CountTokens } from "./tokens.ts";

export interface Heard {
  /** The last whole answer, and the model that gave it. */
  readonly answer?: Answer;
  readonly model: string;
  /** What a reader has to know of how it went. Ours, word for word: nothing a model or endpoint said. */
  readonly remarks: readonly string[];
}

export interface Talk {
  readonly llm: Llm;
  readonly verdict: Verdict;
  readonly seenBefore: readonly SeenBefore[];
  readonly options: ExplainerOptions;
  readonly purse: Purse;
  readonly digger: Digger | undefined;
  readonly count: CountTokens;
  readonly signal: AbortSignal;
}

/** What a result adds to a later question, beyond the first one's bound. */
const RESULT_TOKENS_MAX = 1_000;
/** A reader hears of an answer that did not come by what became of it, not in the endpoint's words. */
const FAILED: Partial<Readonly<Record<ErrorCode, string>>> = {
  QUERY_REFUSED: "The model refused to answer.",
  DEADLINE_EXCEEDED: "The model did not answer in time.",
  PROTOCOL_VIOLATION: "The model's answer was not of the asked shape.",
  INCOMPLETE: "The model's answer broke off.",
  TOO_LARGE: "The model's answer or its question was too long.",
  OVERLOADED: "The model's endpoint was busy.",
  UNAVAILABLE: "The model's endpoint did not answer.",
  UNAUTHENTICATED: "The model's endpoint did not accept our key.",
};
/** Nothing was generated then, and nothing is billed. */
const UNBILLED: ReadonlySet<ErrorCode> = new Set(["OVERLOADED", "UNAVAILABLE", "UNAUTHENTICATED"]);

/** Talks to the end. Rejects only when `signal` aborts. */
export async function converse(talk: Talk): Promise<Heard> {
  const { llm, digger, purse, signal } = talk;
  const listed = digger && purse.toolCallsLeft > 0 ? await digger.list(signal) : [];
  let heard: Heard = { model: llm.name, remarks: [] };
  const remark = (text: string) => {
    if (!heard.remarks.includes(text)) heard = { ...heard, remarks: [...heard.remarks, text] };
  };
  let isDug = false;
  for (;;) {
    // The last call has to conclude: what it asked for could not be told to anybody.
    const mayAsk: boolean =
      !isDug && purse.callsLeft > 1 && purse.toolCallsLeft > 0 && purse.leftMs > 0;
    const tools: readonly ToolWords[] = mayAsk ? listed : [];
    const question = ask(talk, tools);
    if (!question) {
      remark("The bound on the question's tokens leaves no room for the evidence.");
      return heard;
    }
    const said = await call(talk, question);
    if (!said.answer) {
      remark(said.why);
      return heard;
    }
    const { answer, model } = said;
    heard = { ...heard, answer, model };
    if (answer.ask.length === 0) return heard;
    if (tools.length === 0) {
      if (listed.length > 0)
        remark("It asked for more than the budget of this investigation allows.");
      return heard;
    }
    const isFound: boolean = (await digger?.dig(answer.ask, tools, signal)) ?? false;
    if (purse.toolCallsLeft < 1) remark("The budget for tool calls is used up.");
    if (!isFound) remark("What it asked for could not be had.");
    isDug = !isFound;
  }
}

function ask(talk: Talk, tools: readonly ToolWords[]): Question | undefined {
  const { verdict, seenBefore, options, digger, count } = talk;
  const results = digger?.results ?? [];
  const more = RESULT_TOKENS_MAX * results.length;
  return questionOf({
    verdict,
    seenBefore,
    tools,
    results,
    redact: options.redact,
    count,
    promptTokensMax: options.promptTokensMax + more,
  });
}

type Said =
  | { readonly answer: Answer; readonly model: string }
  | { readonly answer?: undefined; readonly why: string };

/** One call, paid for. */
async function call(talk: Talk, question: Question): Promise<Said> {
  const { options, purse, signal } = talk;
  const most: TokenUse = { prompt: question.tokens, completion: options.answerTokensMax };
  const lacking = purse.lacks(most);
  if (lacking !== undefined)
    return { why: `Out of budget: this investigation's ${lacking} are used up.` };
  const reserved = await options.day.reserve(most, signal);
  if (!reserved.isGranted) return { why: `Out of budget: ${reserved.why}.` };
  let used = most;
  try {
    const { value, tokens, model } = await send(talk, question);
    used = billed(tokens, most, talk.count(JSON.stringify(value)));
    return { answer: value, model };
  } catch (error) {
    const code = error instanceof PetrelError ? error.code : "INTERNAL";
    if (UNBILLED.has(code)) used = { prompt: 0, completion: 0 };
    signal.throwIfAborted();
    const { id: windowId } = talk.verdict;
    options.log.warn("llm.failed", { windowId, code, error: messageOf(error) });
    return { why: FAILED[code] ?? "The model could not be asked." };
  } finally {
    purse.spend(used);
    await reserved.settle(used);
  }
}

/** Asks within what is left of the time. An answer that comes later is nobody's. */
async function send({ llm, options, purse, signal }: Talk, question: Question) {
  const late = deadline(purse.leftMs);
  const within = AbortSignal.any([signal, late.signal]);
  const { system, prompt } = question;
  const request = { system, prompt, schema: Answer, maxTokens: options.answerTokensMax };
  try {
    const said = await unlessAborted(llm.explain(request, within), within);
    // Whoever answers, the shape is checked here too.
    return { ...said, value: shaped(said.value) };
  } catch (error) {
    // A client that tells our deadline as a cancellation was late all the same.
    if (late.signal.aborted && !signal.aborted) throw late.signal.reason;
    throw error;
  } finally {
    late.stop();
  }
}

function shaped(value: unknown): Answer {
  const parsed = Answer.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PetrelError("PROTOCOL_VIOLATION", "llm: the answer is not of the asked shape");
}

/** As the endpoint counted; as we did where it did not say. */
function billed(said: TokenUse, most: TokenUse, answerTokens: number): TokenUse {
  return {
    prompt: whole(said.prompt) || most.prompt,
    completion: whole(said.completion) || answerTokens,
  };
}

function whole(tokens: number): number {
  return Number.isSafeInteger(tokens) && tokens > 0 ? tokens : 0;
}
