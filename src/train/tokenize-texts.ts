import { type DocumentMode, readDocuments } from "../calibration/read-documents.ts";
import { Turns } from "../platform/node.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { FormatError, UsageError } from "../util/errors.ts";

/**
 * Reads the texts of a file, with an empty line between documents that are joined.
 * @throws FormatError when it is missing, not UTF-8, empty, or has anything but text
 */
export async function readTexts(path: string, mode: DocumentMode): Promise<string[]> {
  const texts: string[] = [];
  for (const document of await readDocuments(path, mode)) {
    if ("text" in document) texts.push(document.text);
    else throw new FormatError(`${document.where}: expected text, got chat "messages"`);
  }
  const found = mode === "joined" ? [texts.join("\n\n")] : texts;
  const filled = found.filter((text) => text.trim() !== "");
  if (filled.length > 0) return filled;
  throw new FormatError(`${path} has no text`);
}

/**
 * Turns texts into one run of token ids: separate ones each between the start tokens and the end
 * token, joined ones as calibration and evaluation read them, with the start tokens in front.
 * @throws CancelledError when `signal` is aborted
 */
export async function tokenize(
  texts: readonly string[],
  tokenizer: Tokenizer,
  mode: DocumentMode,
  signal?: AbortSignal,
): Promise<Int32Array> {
  const turns = new Turns();
  const endIds = mode === "separate" ? tokenizer.eosIds.slice(0, 1) : [];
  for (const id of endIds) {
    if (id < tokenizer.vocabularySize) continue;
    throw new UsageError(
      `token ${id} (${JSON.stringify(tokenizer.idToToken(id))}), which ends a text, is not in the ` +
        `vocabulary of ${tokenizer.vocabularySize} tokens that the model has`,
      { hint: 'join the documents ("joined"), or take a checkpoint whose embedding has it' },
    );
  }
  const ids = new GrowingIds();
  for (const text of texts) {
    ids.add(tokenizer.startIds);
    for (const piece of tokenizer.encodeLazily(text)) {
      ids.add(piece);
      if (turns.due) await turns.give(signal);
    }
    ids.add(endIds);
  }
  return ids.all();
}

/** Ids in an array that grows. */
class GrowingIds {
  private ids = new Int32Array(2 ** 16);
  private length = 0;

  add(more: readonly number[]): void {
    if (this.length + more.length > this.ids.length) {
      const larger = new Int32Array(2 * (this.length + more.length));
      larger.set(this.ids.subarray(0, this.length));
      this.ids = larger;
    }
    this.ids.set(more, this.length);
    this.length += more.length;
  }

  all(): Int32Array {
    return this.ids.slice(0, this.length);
  }
}
