import type { ChatMessage } from "../tokenizers/chat-template.ts";
import { FormatError } from "../util/errors.ts";

/** Fields of a message or a conversation that stand for text which no template is given here. */
const toolFields = ["tool_calls", "function_call", "tools", "functions"];

/** What messages may hold besides text. */
interface MessageParts {
  /** Whether a content may be a list of parts: texts, and places of images. */
  readonly withImages?: boolean;
}

/**
 * Reads the messages of a conversation: role and content, and whatever else is a text, since
 * templates know more fields. What stands for text but is none is refused, so that neither "null"
 * nor the name of an object gets into what is learned or measured.
 * @param conversation an object with a list of `messages`
 * @throws FormatError that names place and field
 */
export function readMessages(
  conversation: Readonly<Record<string, unknown>>,
  where: string,
  parts: MessageParts = {},
): ChatMessage[] {
  const { messages } = conversation;
  if (!Array.isArray(messages) || messages.length === 0) {
    throw unlike(where, "messages", "at least one message", messages);
  }
  expectNoTools(conversation, where, "");
  return messages.map((message: unknown, index) =>
    readMessage(message, where, `messages[${index}]`, parts),
  );
}

function readMessage(
  message: unknown,
  where: string,
  path: string,
  { withImages = false }: MessageParts,
): ChatMessage {
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw unlike(where, path, "a message with role and content", message);
  }
  const fields: Readonly<Record<string, unknown>> = { ...message };
  expectNoTools(fields, where, `${path}.`);
  const { role, content } = fields;
  if (typeof role !== "string") throw unlike(where, `${path}.role`, "a text", role);
  const isParts = withImages && Array.isArray(content);
  if (isParts) expectParts(content, where, `${path}.content`);
  else if (typeof content !== "string") {
    const hint = Array.isArray(content)
      ? "write its parts as one text; images are read where calibration has their embeddings"
      : undefined;
    throw unlike(where, `${path}.content`, "a text", content, hint);
  }
  const others = Object.entries(fields).filter(([, value]) => typeof value === "string");
  return { ...Object.fromEntries(others), role, content };
}

/** @throws FormatError where a part is neither a text nor the place of an image */
function expectParts(parts: readonly unknown[], where: string, path: string): void {
  for (const [index, part] of parts.entries()) {
    const { type, text }: { type?: unknown; text?: unknown } = Object(part);
    if (type === "image" || (type === "text" && typeof text === "string")) continue;
    const expected = '{ type: "text", text } or { type: "image" }';
    throw unlike(where, `${path}[${index}]`, expected, type ?? part);
  }
}

/** @throws FormatError where there are calls of tools, or their definitions */
function expectNoTools(
  fields: Readonly<Record<string, unknown>>,
  where: string,
  path: string,
): void {
  for (const name of toolFields) {
    const { [name]: value = null } = fields;
    if (value === null || (Array.isArray(value) && value.length === 0)) continue;
    const hint = "write what the model is to read or say as `content`, or leave this line out";
    throw unlike(where, path + name, "no calls or definitions of tools", value, hint);
  }
}

/** The error for a field of a document that is not as it should be. */
export function unlike(
  where: string,
  field: string,
  expected: string,
  found: unknown,
  hint?: string,
): FormatError {
  return new FormatError(`${where}, "${field}": expected ${expected}, got ${nameOf(found)}`, {
    hint,
  });
}

/** What a value of JSON is called in errors. */
export function nameOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "string" ? "a text" : String(value);
}
