import { joinDocuments } from "../calibration/token-stream.ts";
import { readText, Turns } from "../platform/node.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { FormatError } from "../util/errors.ts";

/**
 * How documents become one run of tokens. `separate`: each between the start tokens and the end
 * token. `joined`: those of a file are one text, as calibration and evaluation read it, with the
 * start tokens at its very start.
 */
export type DocumentMode = "separate" | "joined";

/**
 * Reads the texts of a file: `.jsonl` has a document a line, in the field `text` or as a string; in
 * any other file `<|doc|>` lines part the documents.
 * @throws FormatError when it is missing, not UTF-8, empty, or a line is not what it should be
 */
export async function readTexts(path: string, mode: DocumentMode): Promise<string[]> {
  const content = await readText(path);
  const found = /\.(jsonl|ndjson)$/i.test(path)
    ? documentsOfLines(parseLines(content, path), mode)
    : documentsOfText(content, mode);
  const filled = found.filter((text) => text.trim() !== "");
  if (filled.length > 0) return filled;
  throw new FormatError(`${path} has no text`);
}

function documentsOfLines(lines: string[], mode: DocumentMode): string[] {
  return mode === "separate" ? lines : [lines.join("\n\n")];
}

function documentsOfText(text: string, mode: DocumentMode): string[] {
  return mode === "separate" ? text.split(/^<\|doc\|>\r?\n?/m) : [joinDocuments(text)];
}

/** Turns texts into one run of token ids. @throws CancelledError when `signal` is aborted */
export async function tokenize(
  texts: readonly string[],
  tokenizer: Tokenizer,
  mode: DocumentMode,
  signal?: AbortSignal,
): Promise<Int32Array> {
  const turns = new Turns();
  const endIds = mode === "separate" ? tokenizer.eosIds.slice(0, 1) : [];
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

function parseLines(content: string, path: string): string[] {
  const texts: string[] = [];
  for (const [index, line] of content.split("\n").entries()) {
    if (line.trim() === "") continue;
    const text = textOf(line);
    if (text === null) {
      throw new FormatError(
        `${path}, line ${index + 1}: expected a JSON string, or an object with the field "text"`,
      );
    }
    texts.push(text);
  }
  return texts;
}

function textOf(line: string): string | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "string") return value;
    const { text } = (value ?? {}) as { readonly text?: unknown };
    return typeof text === "string" ? text : null;
  } catch {
    return null;
  }
}
