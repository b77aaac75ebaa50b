import { type Document, readDocuments } from "../../calibration/read-documents.ts";
import type { DecoderConfig } from "../../models/decoder-config.ts";
import { createHasher } from "../../platform/node.ts";
import { applyChatTemplate, type ChatMessage } from "../../tokenizers/chat-template.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { FormatError, UsageError } from "../../util/errors.ts";
import type { GenerateChoice, GenerationFigures } from "./generation.ts";
import { promptSet, promptSetId } from "./prompt-set.ts";

const usualTokens = 128;
/** What templates that print the date are told: the same prompt on every day. */
const dayOfPrompts = new Date(Date.UTC(2026, 0, 1));

/** A prompt as a model reads it. */
export interface EncodedPrompt {
  /** As people read it. */
  readonly text: string;
  readonly ids: readonly number[];
  /** Most tokens that may follow. */
  readonly maxTokens: number;
}

/** The prompts of a measurement, and what identifies them. */
export interface OpenedPrompts {
  /** Id of the built-in set; null for those of a file. */
  readonly set: string | null;
  /** SHA-256 of ids and room. */
  readonly sha256: string;
  readonly prompts: readonly EncodedPrompt[];
}

/** What of a model says how prompts are encoded, and how much may follow. */
interface PromptedModel {
  readonly tokenizer: Tokenizer;
  readonly config: Pick<DecoderConfig, "contextLength">;
}

/** A prompt before a model reads it. */
type Prompt = { readonly where: string } & (
  | { readonly text: string }
  | { readonly messages: readonly ChatMessage[] }
  | { readonly question: string }
);

/**
 * Reads the prompts of a choice, and encodes them for a model: texts as `generate` does, messages
 * and questions by the model's chat template. A model without one is given built-in questions as
 * text, with `Answer:` behind them.
 * @throws UsageError when more prompts are asked for than there are, or one leaves no room in the
 * context
 * @throws FormatError when the file is missing or malformed, or has no prompt
 * @throws UnsupportedError for messages when the model has no chat template
 */
export async function openPrompts(
  { tokenizer, config }: PromptedModel,
  { prompts: file, count, maxTokens = usualTokens }: GenerateChoice,
): Promise<OpenedPrompts> {
  const all = file === undefined ? builtIn() : await readPrompts(file);
  expectCount(count, all.length, file);
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1) {
    throw new UsageError(`expected at least 1 token to write, got ${maxTokens}`, {
      field: "generate.maxTokens",
      value: maxTokens,
    });
  }
  const hasher = createHasher("sha256");
  const prompts = all.slice(0, count).map((prompt) => {
    const ids = encode(prompt, tokenizer);
    const room = Math.min(maxTokens, config.contextLength - ids.length);
    if (room < 1) throw tooLong(prompt, ids.length, config.contextLength);
    hasher.update(Int32Array.of(ids.length, room, ...ids));
    return { text: shownText(prompt), ids, maxTokens: room };
  });
  return { set: file === undefined ? promptSetId : null, sha256: hasher.digest(), prompts };
}

/** Returns how many prompts a choice has. @throws FormatError when their file has none */
export async function countPrompts({ prompts: file, count }: GenerateChoice): Promise<number> {
  const all = file === undefined ? promptSet.length : (await readPrompts(file)).length;
  return Math.min(all, count ?? all);
}

/** Settings of a choice as figures have them. */
export function settingsOf({
  maxTokens = usualTokens,
  temperature = 0,
  seed = 0,
}: GenerateChoice): Pick<GenerationFigures, "maxTokens" | "temperature" | "seed"> {
  return { maxTokens, temperature, seed };
}

function builtIn(): Prompt[] {
  return promptSet.map(({ kind, text }, index) => ({
    where: `prompt ${index + 1}`,
    ...(kind === "question" ? { question: text } : { text }),
  }));
}

/** Plain text comes as one document, at the place of the file: its lines are prompts. */
async function readPrompts(path: string): Promise<Prompt[]> {
  const documents = [...(await readDocuments(path, "separate"))];
  const prompts = documents.flatMap((document): Prompt[] => {
    if (!("text" in document) || document.where !== path) return [promptOf(document)];
    const lines = document.text.split(/\r?\n/).filter((line) => line.trim() !== "");
    return lines.map((text) => ({ text, where: path }));
  });
  if (prompts.length > 0) return prompts;
  throw new FormatError(`${path} has no prompt`, {
    hint: "write one a line, or JSON lines with a text or chat messages",
  });
}

/** Conversations are given up to the last message that is not the assistant's. */
function promptOf(document: Document): Prompt {
  if ("text" in document) return document;
  const { messages, where } = document;
  const last = messages.findLastIndex(({ role }) => role !== "assistant");
  if (last >= 0) return { messages: messages.slice(0, last + 1), where };
  throw new FormatError(`${where}: expected a message that the assistant is to answer`, {
    hint: "begin with a message of the user",
  });
}

function encode(prompt: Prompt, tokenizer: Tokenizer): number[] {
  const asText = (text: string): number[] => [...tokenizer.startIds, ...tokenizer.encode(text)];
  if ("text" in prompt) return asText(prompt.text);
  const isQuestion = "question" in prompt;
  if (isQuestion && tokenizer.chatTemplates.names().length === 0) {
    return asText(`Question: ${prompt.question}\nAnswer:`);
  }
  const messages = isQuestion ? [{ role: "user", content: prompt.question }] : prompt.messages;
  return [...tokenizer.encode(applyChatTemplate(tokenizer, messages, { now: dayOfPrompts }))];
}

function shownText(prompt: Prompt): string {
  if ("text" in prompt) return prompt.text;
  return "question" in prompt ? prompt.question : String(prompt.messages.at(-1)?.content ?? "");
}

function expectCount(count: number | undefined, all: number, file: string | undefined): void {
  if (count === undefined) return;
  const fits = Number.isSafeInteger(count) && count >= 1 && count <= all;
  if (fits) return;
  const from = file === undefined ? "built-in prompts" : `prompts of ${file}`;
  throw new UsageError(`expected 1 to ${all} of the ${from}, got ${count}`, {
    hint: "ask for fewer, or give a file with more: `prompts`",
    field: "generate.count",
    value: count,
  });
}

function tooLong(prompt: Prompt, length: number, contextLength: number): UsageError {
  return new UsageError(
    `${prompt.where} has ${length} tokens, which leaves no room in the model's context of ` +
      `${contextLength}`,
    { hint: "give shorter ones: `prompts`", field: "generate.prompts" },
  );
}
