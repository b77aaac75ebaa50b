import { readText } from "../platform/node.ts";
import { applyChatTemplate, type ChatMessage } from "../tokenizers/chat-template.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { FormatError } from "../util/errors.ts";
import { joinDocuments } from "./token-stream.ts";

/** The text of a calibration file, and what stands in front of it. */
export interface CalibrationText {
  readonly text: string;
  /** False when the text brings its start token itself, as chat templates write it. */
  readonly needsStart: boolean;
}

type Line = { readonly text: string } | { readonly messages: readonly ChatMessage[] };

/**
 * Reads a calibration file as one text. `.jsonl` files have a document a line, either in the field
 * `field` (or the line is a string itself), or as chat `messages`, which the model's template
 * writes out; the documents are separated by an empty line. Any other file is text, in which
 * `<|doc|>` lines between documents become empty lines.
 * @throws FormatError when the file is missing, not UTF-8, or a line is not what it should be
 * @throws UnsupportedError for chat messages when the model has no chat template
 */
export async function readCalibrationText(
  path: string,
  tokenizer: Tokenizer,
  field = "text",
): Promise<CalibrationText> {
  const content = await readText(path);
  if (!isJsonLines(path)) return { text: joinDocuments(content), needsStart: true };
  const documents: string[] = [];
  let chats = 0;
  for (const [index, line] of content.split("\n").entries()) {
    if (line.trim() === "") continue;
    const document = parseLine(line, field, `${path}, line ${index + 1}`);
    if ("messages" in document) {
      chats++;
      documents.push(
        applyChatTemplate(tokenizer, document.messages, { addGenerationPrompt: false }),
      );
    } else documents.push(document.text);
  }
  const [first = ""] = documents;
  const bringsStart =
    chats > 0 && tokenizer.bosToken !== null && first.startsWith(tokenizer.bosToken);
  const separator = chats === documents.length ? "" : "\n\n";
  return { text: documents.join(separator), needsStart: !bringsStart };
}

/**
 * Reads a `.jsonl` file of chat conversations, a `messages` field a line; null when it is plain
 * text or its first document is.
 * @throws FormatError as `readCalibrationText`, and when plain documents follow conversations
 */
export async function readConversations(
  path: string,
): Promise<readonly (readonly ChatMessage[])[] | null> {
  if (!isJsonLines(path)) return null;
  const conversations: (readonly ChatMessage[])[] = [];
  for (const [index, line] of (await readText(path)).split("\n").entries()) {
    if (line.trim() === "") continue;
    const document = parseLine(line, "text", `${path}, line ${index + 1}`);
    if ("messages" in document) conversations.push(document.messages);
    else if (conversations.length === 0) return null;
    else throw new FormatError(`${path}, line ${index + 1}: expected chat "messages", got text`);
  }
  return conversations;
}

function isJsonLines(path: string): boolean {
  return /\.(jsonl|ndjson)$/i.test(path);
}

function parseLine(line: string, field: string, where: string): Line {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new FormatError(`${where}: not JSON`, {
      hint: "a .jsonl file has one JSON document a line; plain text goes into a .txt file",
      cause,
    });
  }
  if (typeof value === "string") return { text: value };
  if (typeof value === "object" && value !== null) {
    const entries: Readonly<Record<string, unknown>> = { ...value };
    const text = entries[field];
    if (typeof text === "string") return { text };
    if (isConversation(entries.messages)) return { messages: entries.messages };
  }
  const found = typeof value === "object" && value !== null ? Object.keys(value).join(", ") : line;
  throw new FormatError(
    `${where}: expected the field "${field}" with text, or chat "messages", got ${found || "nothing"}`,
  );
}

function isConversation(value: unknown): value is ChatMessage[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (message: Partial<ChatMessage> | null) =>
        typeof message?.role === "string" && typeof message.content === "string",
    )
  );
}
