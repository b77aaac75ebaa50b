import { applyChatTemplate } from "../tokenizers/chat-template.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { UnsupportedError } from "../util/errors.ts";
import type { NextToken } from "./window-plan.ts";

/** What a chat template writes around what is said, as ids. */
export interface ChatPieces {
  /** From the start of the text to where the user begins. */
  readonly opening: readonly number[];
  /** From the end of what the user says to where the assistant begins. */
  readonly toAssistant: readonly number[];
  /** From the end of an answer to where the user says more. */
  readonly toUser: readonly number[];
  /** Tokens that end a turn, if the model writes them. */
  readonly ends: ReadonlySet<number>;
}

/** Words that no template has. */
const [question, answer, more] = ["fewbitquestion", "fewbitanswer", "fewbitmore"];

/**
 * Takes a model's chat template apart.
 * @param template which of the model's templates; default the usual one
 * @throws UnsupportedError when there is none, or it does not write what is said as it is
 */
export function chatPieces(tokenizer: Tokenizer, template?: string): ChatPieces {
  const messages = [
    { role: "user", content: question },
    { role: "assistant", content: answer },
    { role: "user", content: more },
  ];
  const text = applyChatTemplate(tokenizer, messages, {
    ...(template !== undefined && { template }),
  });
  const [opening, afterQuestion, ...rest] = text.split(question);
  const [, toUser, ...others] = (afterQuestion ?? "").split(answer);
  const [between, toAssistant] = (toUser ?? "").split(more);
  if (toAssistant === undefined || rest.length + others.length > 0) {
    throw new UnsupportedError(
      "the model's chat template does not write what is said once and as it is",
      { hint: "give conversations as text (`calibration: FILE.jsonl`)" },
    );
  }
  const { bosToken, startIds, specialIds, eosIds } = tokenizer;
  const start = bosToken !== null && opening.startsWith(bosToken) ? [] : startIds;
  const ids = {
    opening: [...start, ...tokenizer.encode(opening)],
    toAssistant: [...tokenizer.encode(toAssistant)],
    toUser: [...tokenizer.encode(between)],
  };
  const firsts = [ids.toAssistant[0], ids.toUser[0]].filter((id) => specialIds.has(id));
  return { ...ids, ends: new Set([...eosIds, ...firsts]) };
}

/**
 * Makes a plan of one conversation: the model writes what the user says, ends that turn, answers,
 * and so on until the window is full. A turn of the user that takes more than a quarter of the
 * window is ended. The user's side out of the template alone: Magpie, arXiv 2406.08464, section 2.
 */
export function writeChat(
  pieces: ChatPieces,
  window: number,
): (ids: readonly number[]) => NextToken {
  const given = [...pieces.opening];
  const longest = Math.max(8, Math.floor(window / 4));
  let isUser = true;
  let turn = 0;
  return (ids) => {
    const forced = given.shift();
    if (forced !== undefined) return forced;
    const last = ids[ids.length - 1];
    const isOver = turn > 0 && pieces.ends.has(last);
    if (!isOver && !(isUser && turn === longest)) {
      turn++;
      return "drawn";
    }
    const separator = isUser ? pieces.toAssistant : pieces.toUser;
    isUser = !isUser;
    turn = 0;
    given.push(...(isOver && separator[0] === last ? separator.slice(1) : separator));
    return given.shift() ?? "drawn";
  };
}
