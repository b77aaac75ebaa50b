import { readText } from "../platform/node.ts";
import type { ChatMessage } from "../tokenizers/chat-template.ts";
import { FormatError } from "../util/errors.ts";
import { type JsonLine, parseJsonLines } from "../util/json-lines.ts";

/** A document of a file: text or a chat conversation, and where it stands, for errors. */
export type Document = { readonly where: string } & (
  | { readonly text: string }
  | { readonly messages: readonly ChatMessage[] }
);

/**
 * How documents of a text file become texts. `separate`: each is one. `joined`: they are one text,
 * with an empty line in place of each separator.
 */
export type DocumentMode = "separate" | "joined";

/** Makes the `<|doc|>` lines between the documents of a text empty lines. */
export function joinDocuments(text: string): string {
  return text.replace(/^<\|doc\|>(?=\r?$)/gm, "");
}

function splitDocuments(text: string): string[] {
  return text.split(/^<\|doc\|>(?:\r?\n|$)/m);
}

/**
 * Reads the documents of a file. A `.jsonl` file has one a line: a string, an object with text in
 * the field `field`, or one with chat `messages`; lines are parsed as they are asked for. In any
 * other file `<|doc|>` lines stand between documents.
 * @throws FormatError when the file is missing, not UTF-8, or a line is not what it should be
 */
export async function readDocuments(
  path: string,
  mode: DocumentMode,
  field = "text",
): Promise<Iterable<Document>> {
  const content = await readText(path);
  if (/\.(jsonl|ndjson)$/i.test(path)) return documentsOfLines(content, path, field);
  const texts = mode === "joined" ? [joinDocuments(content)] : splitDocuments(content);
  return texts.map((text) => ({ text, where: path }));
}

function* documentsOfLines(content: string, path: string, field: string): Generator<Document> {
  const hint = "a .jsonl file has one JSON document a line; plain text goes into a .txt file";
  for (const line of parseJsonLines(content, path, hint)) yield documentOf(line, field);
}

function documentOf({ value, where }: JsonLine, field: string): Document {
  if (typeof value === "string") return { text: value, where };
  const entries: Readonly<Record<string, unknown>> =
    typeof value === "object" && value !== null ? { ...value } : {};
  const { [field]: text, messages } = entries;
  if (typeof text === "string") return { text, where };
  if (isConversation(messages)) return { messages, where };
  const found = typeof value === "object" ? Object.keys(entries).join(", ") : String(value);
  throw new FormatError(
    `${where}: expected a JSON string, the field "${field}" with text, or chat "messages", ` +
      `got ${found || "nothing"}`,
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
