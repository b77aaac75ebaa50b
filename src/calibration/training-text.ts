import type { ChatMessage } from "../tokenizers/chat-template.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { FormatError, UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import { chatExample, type TrainingExample } from "./chat-example.ts";
import { type CalibrationFile, type CalibrationOptions, loadCalibration } from "./dataset.ts";
import { readDocuments } from "./read-documents.ts";
import { expectWindow } from "./windows.ts";

/** Windows of text to train on, all of the same length. */
export interface TrainingText {
  readonly windows: readonly Int32Array[];
  /** What each token is to predict, −1 for nothing; null: always the next one. */
  readonly targets: readonly Int32Array[] | null;
  /** One line for the user when there is less than asked for; null otherwise. */
  readonly notice: string | null;
}

/**
 * Reads text to train on. Plain text is cut into windows as `loadCalibration` does it. Of files of
 * chat conversations (JSON with `messages`) each conversation is a window of its own, written
 * by the model's template; only what the assistant says is to be predicted. What is longer than a
 * window is cut off.
 * @throws UsageError when there is too little, or plain text and conversations are mixed
 * @throws FormatError when a file is missing or malformed; UnsupportedError without a chat template
 */
export async function loadTrainingText(
  files: readonly CalibrationFile[],
  tokenizer: Tokenizer,
  options: CalibrationOptions,
): Promise<TrainingText> {
  const conversations: (readonly ChatMessage[])[] = [];
  let chats = 0;
  for (const file of files) {
    const found = await readConversations(file);
    conversations.push(...(found ?? []));
    if (found) chats++;
  }
  if (chats === 0) return { ...(await loadCalibration(files, tokenizer, options)), targets: null };
  if (chats === files.length) return chatWindows(conversations, tokenizer, options);
  throw new UsageError("conversations and plain text cannot be mixed for training", {
    hint: "train on one after the other",
  });
}

/** Reads a file of conversations; null if it is text. @throws FormatError when text follows them */
async function readConversations({
  path,
  field,
}: CalibrationFile): Promise<(readonly ChatMessage[])[] | null> {
  const conversations: (readonly ChatMessage[])[] = [];
  for (const document of await readDocuments(path, "joined", { text: field })) {
    if ("messages" in document) conversations.push(document.messages);
    else if (conversations.length === 0) return null;
    else throw new FormatError(`${document.where}: expected chat "messages", got text`);
  }
  return conversations;
}

/** A window for each conversation of which something to predict is left. */
function chatWindows(
  conversations: readonly (readonly ChatMessage[])[],
  tokenizer: Tokenizer,
  { samples, window, order = "first", seed = 0, allowFewer, template }: CalibrationOptions,
): TrainingText {
  expectWindow(window, 2);
  const drawn = order === "first" ? conversations : shuffled(conversations, seed);
  const windows: Int32Array[] = [];
  const targets: Int32Array[] = [];
  let passedOver = 0;
  for (const messages of drawn) {
    if (windows.length === samples) break;
    const example = fit(chatExample(tokenizer, messages, template), window);
    if (example.targets.every((target) => target < 0)) {
      passedOver++;
      continue;
    }
    windows.push(example.ids);
    targets.push(example.targets);
  }
  const unfit = passedOver > 0 ? `, ${passedOver} without an answer within ${window} tokens` : "";
  const have = `there are ${conversations.length} conversations${unfit}, ${samples} were asked for`;
  if (windows.length === samples) return { windows, targets, notice: null };
  if (allowFewer && windows.length > 0) return { windows, targets, notice: have };
  throw new UsageError(have, {
    hint: "give more conversations, longer windows, or fewer samples (or `allowFewer`)",
    field: "calibration.samples",
    value: samples,
  });
}

/** Cuts an example off, or fills it up with tokens that predict nothing. */
function fit({ ids, targets }: TrainingExample, length: number): TrainingExample {
  const fitted = { ids: new Int32Array(length), targets: new Int32Array(length).fill(-1) };
  fitted.ids.set(ids.subarray(0, length));
  fitted.targets.set(targets.subarray(0, length));
  return fitted;
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const prng = new Prng(seed);
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = prng.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
