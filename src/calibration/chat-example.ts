import { applyChatTemplate, type ChatMessage } from "../tokenizers/chat-template.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { UnsupportedError } from "../util/errors.ts";
import { commonLength } from "../util/common-length.ts";

/** A text to learn from, of which only some tokens are to be predicted. */
export interface TrainingExample {
  readonly ids: Int32Array;
  /** For each token the one that follows it; −1 where that is not to be predicted. */
  readonly targets: Int32Array;
}

/** A piece of a conversation as the model's template writes it. */
interface Piece {
  readonly text: string;
  /** Whether the assistant says it. */
  readonly isAnswer: boolean;
}

/**
 * Writes a conversation by the model's chat template, and marks what the assistant says, the token
 * that ends its turn included: only that is to be predicted. Each turn is encoded by itself, as it
 * is when the model is asked.
 * @param template which of the model's templates; default the usual one
 * @throws UnsupportedError when the model has no template, or one that writes earlier messages
 * otherwise when there are more
 */
export function chatExample(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  template?: string,
): TrainingExample {
  const ids: number[] = [];
  const isAnswer: boolean[] = [];
  const add = (more: Iterable<number>, answer: boolean): void => {
    for (const id of more) {
      ids.push(id);
      isAnswer.push(answer);
    }
  };
  const pieces = splitTurns(tokenizer, messages, template);
  const { bosToken } = tokenizer;
  if (bosToken === null || !pieces[0]?.text.startsWith(bosToken)) add(tokenizer.startIds, false);
  for (const piece of pieces) add(tokenizer.encode(piece.text), piece.isAnswer);
  const targets = ids.map((_, at) => (isAnswer[at + 1] ? ids[at + 1] : -1));
  return { ids: Int32Array.from(ids), targets: Int32Array.from(targets) };
}

/** Splits the text of a conversation where the assistant's turns begin and end. */
function splitTurns(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  template?: string,
): Piece[] {
  const chosen = template === undefined ? {} : { template };
  const write = (count: number, addGenerationPrompt: boolean): string =>
    applyChatTemplate(tokenizer, messages.slice(0, count), { addGenerationPrompt, ...chosen });
  const whole = write(messages.length, false);
  const pieces: Piece[] = [];
  let done = 0;
  for (const [index, { role }] of messages.entries()) {
    if (role !== "assistant") continue;
    const before = write(index, true);
    if (!whole.startsWith(before) || before.length < done) {
      throw new UnsupportedError(
        "the model's chat template writes earlier messages otherwise when there are more",
        { hint: "train on conversations with one answer each, or on plain text" },
      );
    }
    const end = commonLength(whole, write(index + 1, false));
    pieces.push({ text: whole.slice(done, before.length), isAnswer: false });
    pieces.push({ text: whole.slice(before.length, end), isAnswer: true });
    done = end;
  }
  pieces.push({ text: whole.slice(done), isAnswer: false });
  return pieces.filter(({ text }) => text !== "");
}
