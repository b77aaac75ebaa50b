import * as z from "zod";
import { FormatError } from "../util/errors.ts";

/** Largest token id: ids are kept in 32 bits with a sign. */
export const largestId = 2 ** 31 - 1;

/** Refuses an id that is no whole number from 0 to `largestId`. @throws FormatError */
export function expectId(id: unknown, token: string, place: string): number {
  if (Number.isInteger(id) && (id as number) >= 0 && (id as number) <= largestId) {
    return id as number;
  }
  const got = typeof id === "number" ? String(id) : JSON.stringify(id);
  throw new FormatError(
    `${place}: expected an id from 0 to ${largestId} for the token ${JSON.stringify(token)}, ` +
      `got ${got}`,
  );
}

/**
 * A vocabulary of which its maker knows that no two tokens have one id: it is not checked again, since
 * that takes longer than to make it. Written as JSON it is an object.
 */
export class SoundVocabulary extends Map<string, number> {
  toJSON(): object {
    return Object.fromEntries(this);
  }
}

// Checked by hand: a schema takes a second for the quarter million entries of a large vocabulary.
/** Tokens with ids; `readVocabulary` checks them. */
export const vocabularySchema = z.custom<SoundVocabulary | Readonly<Record<string, unknown>>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "expected an object of token ids",
);

/** Checks a vocabulary. @throws FormatError for ids that are none, or that two tokens have */
export function readVocabulary(
  vocabulary: SoundVocabulary | Readonly<Record<string, unknown>>,
  place: string,
): ReadonlyMap<string, number> {
  if (vocabulary instanceof SoundVocabulary) return vocabulary;
  const ids = new Map<string, number>();
  const tokens = new Map<number, string>();
  for (const token of Object.keys(vocabulary)) {
    const id = expectId(vocabulary[token], token, `${place}.vocab`);
    const other = tokens.get(id);
    if (other !== undefined) {
      const both = [other, token].map((one) => JSON.stringify(one)).join(" and ");
      throw new FormatError(`${place}.vocab: the tokens ${both} have one id, ${id}`);
    }
    tokens.set(id, token);
    ids.set(token, id);
  }
  return ids;
}

/** Refuses a piece for which the model has no token. */
export function refuseUnknown(piece: string, unknownToken: string | null, place: string): never {
  const what =
    unknownToken === null
      ? "names no token for unknown text"
      : `has no token ${JSON.stringify(unknownToken)}, which stands for unknown text`;
  throw new FormatError(
    `${place}: the tokenizer's vocabulary has nothing for ${JSON.stringify(piece.slice(0, 40))}, ` +
      `and ${what}`,
  );
}

const encoder = new TextEncoder();

/** Ids of the tokens `<0x00>` to `<0xFF>` for the bytes of a text; null unless all are there. */
export function byteTokens(
  text: string,
  tokenToId: (token: string) => number | undefined,
): number[] | null {
  const ids: number[] = [];
  for (const byte of encoder.encode(text)) {
    const id = tokenToId(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
    if (id === undefined) return null;
    ids.push(id);
  }
  return ids;
}
