import { readText } from "../platform/node.ts";
import type { ChatMessage } from "../tokenizers/chat-template.ts";
import { FormatError } from "../util/errors.ts";
import { type JsonRecord, parseJsonRecords } from "../util/json-records.ts";
import { nameOf, readMessages, unlike } from "./read-messages.ts";

/** A document of a file: text or a chat conversation, and where it stands, for errors. */
export type Document = {
  readonly where: string;
  /** Names of the images that it shows, in order; empty unless they were asked for. */
  readonly images: readonly string[];
} & ({ readonly text: string } | { readonly messages: readonly ChatMessage[] });

/**
 * How documents of a text file become texts. `separate`: each is one. `joined`: they are one text,
 * with an empty line in place of each separator.
 */
export type DocumentMode = "separate" | "joined";

/** What is read of the documents of a JSON file. */
export interface DocumentFields {
  /** The field that holds text; default `text`. */
  readonly text?: string | undefined;
  /** Whether `images` names images, and messages may have parts that stand for them. */
  readonly withImages?: boolean;
}

/** Makes the `<|doc|>` lines between the documents of a text empty lines. */
export function joinDocuments(text: string): string {
  return text.replace(/^<\|doc\|>(?=\r?$)/gm, "");
}

function splitDocuments(text: string): string[] {
  return text.split(/^<\|doc\|>(?:\r?\n|$)/m);
}

/**
 * Reads the documents of a file: the one reader of all text that is learned from or measured on.
 * JSON (`.jsonl`, `.ndjson`, `.json`, and whatever begins with such a document) has one a line, or
 * an item of one array: a string, an object with text in a field, or one with chat
 * `messages`; lines are parsed as they are asked for. In any other file `<|doc|>` lines stand
 * between documents.
 * @throws FormatError when the file is missing, not UTF-8, or a document is not what it should be:
 * file, line and field
 */
export async function readDocuments(
  path: string,
  mode: DocumentMode,
  fields: DocumentFields = {},
): Promise<Iterable<Document>> {
  const content = await readText(path);
  if (/\.(jsonl|ndjson|json)$/i.test(path)) return documentsOf(content, path, fields, namedHint);
  if (beginsAsJson(content, fields.text ?? "text")) {
    return documentsOf(content, path, fields, foundHint);
  }
  const texts = mode === "joined" ? [joinDocuments(content)] : splitDocuments(content);
  return texts.map((text) => ({ text, where: path, images: [] }));
}

const namedHint =
  "JSON has one document a line, or all in one array; plain text goes into a .txt file";
const foundHint =
  "the file begins as JSON lines do, so that each line is a document; let plain text begin with " +
  "another line";

/** Tells whether the first thing in a text is a JSON document. */
function beginsAsJson(content: string, field: string): boolean {
  try {
    for (const { value } of parseJsonRecords(content, "", "")) {
      const entries = entriesOf(value);
      return Object.hasOwn(entries, field) || Array.isArray(entries["messages"]);
    }
  } catch {
    // Not JSON.
  }
  return false;
}

function* documentsOf(
  content: string,
  path: string,
  fields: DocumentFields,
  hint: string,
): Generator<Document> {
  for (const record of parseJsonRecords(content, path, hint)) yield documentOf(record, fields);
}

function documentOf(
  { value, where }: JsonRecord,
  { text: field = "text", withImages = false }: DocumentFields,
): Document {
  if (typeof value === "string") return { text: value, where, images: [] };
  const entries = entriesOf(value);
  const { [field]: text, messages } = entries;
  const images = withImages ? readImageNames(entries, where) : [];
  if (typeof text === "string") return { text, where, images };
  if (Array.isArray(messages)) {
    return { messages: readMessages(entries, where, { withImages }), where, images };
  }
  if (text !== undefined) throw unlike(where, field, "a text", text);
  if (messages !== undefined) throw unlike(where, "messages", "a list of messages", messages);
  const found = Object.keys(entries).join(", ") || nameOf(value);
  throw new FormatError(
    `${where}: expected a JSON string, the field "${field}" with text, or chat "messages", ` +
      `got ${found}`,
  );
}

/** @throws FormatError where `images` is no list of names */
function readImageNames(
  { images = null }: Readonly<Record<string, unknown>>,
  where: string,
): readonly string[] {
  if (images === null) return [];
  if (!Array.isArray(images)) throw unlike(where, "images", "a list of names of images", images);
  return images.map((name: unknown, index) => {
    if (typeof name === "string") return name;
    throw unlike(where, `images[${index}]`, "the name of an image", name);
  });
}

function entriesOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
