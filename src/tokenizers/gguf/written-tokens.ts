import { UnsupportedError } from "../../util/errors.ts";
import { quoteText } from "../../util/quote-text.ts";
import type { FoundToken } from "../added-tokens.ts";
import type { TokenModel } from "../token-model.ts";
import { tokenTypes } from "./tokenizer-metadata.ts";

/** The tokens of a file to be written. */
export interface WrittenTokens {
  readonly tokens: readonly string[];
  readonly types: Int32Array;
  readonly notices: readonly string[];
}

/** Looks like a control token, whether it is marked as one or not (llama.cpp, `conversion/base.py`). */
const looksSpecial = (token: string): boolean =>
  ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].includes(token) ||
  /^<[|｜].*[|｜]>$|^<unused.*>$/su.test(token);

/**
 * Lists the tokens by their ids, one for each row of the model's embedding: an id that no token has
 * becomes `[PAD…]`. Control tokens are those that are marked or look so, others that are found in a
 * text before it is cut are user-defined. `isText`: whether tokens are spelled as text, with tokens for
 * bytes.
 * @throws UnsupportedError when two tokens would have one text, or one of the model's has no row
 */
export function listTokens(
  model: TokenModel,
  added: ReadonlyMap<number, FoundToken>,
  { rows, isText, unknown }: { rows: number; isText: boolean; unknown: string | null },
): WrittenTokens {
  const tokens = new Array<string>(rows);
  const types = new Int32Array(rows).fill(tokenTypes.unused);
  const notices: string[] = [];
  for (const [token, id] of model.entries()) {
    if (id >= rows && !added.has(id)) throw withoutRow(token, id, rows);
    tokens[id] = token;
    types[id] = isText && /^<0x[0-9A-F]{2}>$/.test(token) ? tokenTypes.byte : tokenTypes.normal;
    if (isText && token === unknown) types[id] = tokenTypes.unknown;
  }
  let beyond = 0;
  let spaced = 0;
  for (const token of added.values()) {
    const { id, content, special, lstrip, rstrip, single_word: single } = token;
    if (id >= rows) beyond++;
    const isControl = special || looksSpecial(content);
    // What is found after spaces have become U+2581 is found in llama.cpp before they do.
    tokens[id] = isText && token.normalized ? content.replaceAll("\u2581", " ") : content;
    if (types[id] !== tokenTypes.unknown) {
      types[id] = isControl ? tokenTypes.control : tokenTypes.userDefined;
    }
    if (lstrip || rstrip || single) spaced++;
  }
  tokens.length = rows;
  for (let id = 0; id < rows; id++) tokens[id] ??= `[PAD${id}]`;
  expectDifferent(tokens);
  if (beyond > 0) {
    notices.push(`${beyond} added tokens have no row in the embedding and are left out`);
  }
  if (spaced > 0) {
    notices.push(
      `${spaced} added tokens take the spaces around them, or stand only between words; GGUF files do ` +
        "not say so, and llama.cpp finds them everywhere, without the spaces",
    );
  }
  return { tokens, types, notices };
}

function withoutRow(token: string, id: number, rows: number): UnsupportedError {
  return new UnsupportedError(
    `the token ${id} (${quoteText(token, 40)}) has no row in the embedding of ${rows}`,
    { hint: "take a checkpoint whose embedding has a row for each token of its vocabulary" },
  );
}

function expectDifferent(tokens: readonly string[]): void {
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    const other = ids.get(token);
    if (other !== undefined) {
      throw new UnsupportedError(
        `the tokens ${other} and ${id} would both be ${quoteText(token, 40)} in a GGUF file, which ` +
          "llama.cpp does not load",
      );
    }
    ids.set(token, id);
  }
}
