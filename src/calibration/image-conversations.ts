import { applyChatTemplate } from "../tokenizers/chat-template.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { FormatError } from "../util/errors.ts";
import { sum } from "../util/sums.ts";
import { type Document, readDocuments } from "./read-documents.ts";

/** Rows of embeddings that belong together. */
export interface RowRange {
  readonly first: number;
  readonly count: number;
}

/** Embeddings of images, `[tokens, hiddenSize]` each, whose rows are numbered through. */
export interface ImageRows {
  /** The file that holds them, for errors. */
  readonly path: string;
  /** Where the rows of each image stand, by its name. */
  readonly ranges: ReadonlyMap<string, RowRange>;
}

/** What stands for images among the tokens of conversations. */
export interface ImageTokens {
  /** Id of the token at whose places the embeddings stand. */
  readonly token: number;
  readonly rows: ImageRows;
}

/** How conversations become ids. */
interface ConversationOptions {
  readonly tokenizer: Tokenizer;
  readonly images: ImageTokens;
  /** Field of a JSON document that holds text; default `text`. */
  readonly field?: string | undefined;
  /** Which of the model's chat templates writes messages; default the usual one. */
  readonly template?: string | undefined;
}

/** Id that stands for a row of embeddings in a window: its number n as −1 − n. */
export function idOfRow(row: number): number {
  return -1 - row;
}

/** The row of embeddings that an id stands for; null for a token. */
export function rowOfId(id: number): number | null {
  return id < 0 ? -1 - id : null;
}

/**
 * Reads a file of conversations that name their images, as ids of each, with start tokens in front;
 * `idOfRow` stands for each row of an image. A conversation has one image token for each of its
 * images, which becomes as many as the image has rows, or as many as all rows already.
 * @returns null when no document of the file names an image
 * @throws FormatError when there are more or fewer image tokens, or an image has no embeddings
 */
export async function readImageConversations(
  path: string,
  options: ConversationOptions,
): Promise<{ readonly ids: readonly number[][]; readonly seen: ReadonlySet<string> } | null> {
  const fields = { text: options.field, withImages: true };
  const documents = [...(await readDocuments(path, "joined", fields))];
  const seen = new Set(documents.flatMap(({ images }) => images));
  if (seen.size === 0) return null;
  return { ids: documents.map((document) => idsOf(document, options)), seen };
}

function idsOf(document: Document, options: ConversationOptions): number[] {
  const { tokenizer, images: known } = options;
  const text = textOf(document, options);
  const { bosToken, startIds } = tokenizer;
  const bringsStart = bosToken !== null && text.startsWith(bosToken);
  const ids = [...(bringsStart ? [] : startIds), ...tokenizer.encode(text)];
  const ranges = document.images.map((name) => rangeOf(name, document, known.rows));
  const places = ids.filter((id) => id === known.token).length;
  const rows = ranges.map(({ first, count }) =>
    Array.from({ length: count }, (_, i) => idOfRow(first + i)),
  );
  if (places === rows.length) return placed(ids, known.token, rows);
  const single = rows.flat().map((row) => [row]);
  if (places === single.length) return placed(ids, known.token, single);
  throw otherCount(document, places, ranges, options);
}

/** Puts runs of ids, in order, in the places of a token. */
function placed(ids: readonly number[], token: number, runs: readonly number[][]): number[] {
  let next = 0;
  return ids.flatMap((id) => (id === token ? runs[next++] : [id]));
}

function textOf(document: Document, { tokenizer, template }: ConversationOptions): string {
  if ("text" in document) return document.text;
  const how = { addGenerationPrompt: false, ...(template !== undefined && { template }) };
  return applyChatTemplate(tokenizer, document.messages, how);
}

function rangeOf(name: string, { where }: Document, { ranges, path }: ImageRows): RowRange {
  const found = ranges.get(name);
  if (found) return found;
  throw new FormatError(`${where}, "images": ${path} has no tensor ${JSON.stringify(name)}`, {
    hint: "the embeddings of an image stand in a tensor of the name that conversations give it",
  });
}

function otherCount(
  { where, images }: Document,
  places: number,
  ranges: readonly RowRange[],
  { tokenizer, images: { token } }: ConversationOptions,
): FormatError {
  const name = JSON.stringify(tokenizer.idToToken(token) ?? token);
  const rows = sum(ranges.map(({ count }) => count));
  return new FormatError(
    `${where}: ${places} of its tokens are the image token ${name}, and its ${images.length} ` +
      `images have ${rows} rows`,
    {
      hint: `write ${name} once for each image, or as often as all its images have rows`,
    },
  );
}
