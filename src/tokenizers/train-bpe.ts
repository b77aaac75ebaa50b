import { Turns } from "../platform/node.ts";
import { UsageError } from "../util/errors.ts";
import { byteCharacters } from "./byte-characters.ts";
import type { Component } from "./components.ts";
import { PairQueue } from "./pair-queue.ts";
import { applyStages, preTokenizationStages, type Stage } from "./pre-tokenization.ts";

/** What is learned, and where that stops. */
export interface BpeTraining {
  /** Tokens in all: special ones, the 256 bytes, and what merges make. */
  readonly vocabularySize: number;
  /** Tokens with the first ids, in this order; they are not learned from the text. */
  readonly specialTokens: readonly string[];
  /** Pairs that are seen less often are not merged. Default 2. */
  readonly minFrequency?: number;
  /** How a text is cut before anything is counted; merges never cross a cut. */
  readonly preTokenizer: Component;
  readonly signal?: AbortSignal | undefined;
}

/** A trained byte-pair encoding. */
export interface Bpe {
  /** Tokens by id. Bytes are written as the characters that GPT-2 stands for them. */
  readonly vocabulary: readonly string[];
  /** Pairs of tokens in the order in which they are merged. */
  readonly merges: readonly (readonly [left: string, right: string])[];
}

/** A piece of text that occurs `count` times, as the ids of its parts. */
interface Word {
  symbols: number[];
  readonly count: number;
}

/**
 * Learns a byte-level byte-pair encoding from texts: the pair of neighbours that occurs most often
 * becomes a token, again and again (Sennrich et al., arXiv 1508.07909; on bytes: Radford et al.
 * 2019). Of pairs that occur alike the one of smaller ids is merged first. After the special tokens
 * come the bytes, by the code point of their character.
 * @throws UsageError when the vocabulary has no room for the special tokens and the bytes, or one
 * comes twice
 * @throws CancelledError when `signal` is aborted
 */
export async function trainBpe(texts: Iterable<string>, training: BpeTraining): Promise<Bpe> {
  const { vocabularySize, specialTokens, minFrequency = 2, signal } = training;
  const alphabet = byteCharacters();
  const vocabulary = [...specialTokens, ...alphabet];
  const ids = new Map(vocabulary.map((token, id) => [token, id]));
  expectRoom(vocabularySize, vocabulary, ids);
  const turns = new Turns();
  const stages = preTokenizationStages(training.preTokenizer);
  const words = spellWords(await countPieces(texts, stages, turns, signal), stages, ids);
  const queue = new PairQueue();
  for (const [index, word] of words.entries()) queue.addWord(index, word.symbols, word.count);

  const merges: [string, string][] = [];
  while (vocabulary.length < vocabularySize) {
    const best = queue.takeBest();
    if (!best || best.count < minFrequency) break;
    const { left, right } = best;
    const token = vocabulary[left] + vocabulary[right];
    const id = ids.get(token) ?? vocabulary.length;
    if (id === vocabulary.length) {
      vocabulary.push(token);
      ids.set(token, id);
    }
    merges.push([vocabulary[left], vocabulary[right]]);
    for (const index of best.words) mergeInWord(queue, words[index], index, best, id);
    if (turns.due) await turns.give(signal);
  }
  return { vocabulary, merges };
}

function expectRoom(
  vocabularySize: number,
  vocabulary: readonly string[],
  ids: ReadonlyMap<string, number>,
): void {
  if (!Number.isSafeInteger(vocabularySize) || vocabularySize < vocabulary.length) {
    throw new UsageError(
      `expected a vocabulary of at least ${vocabulary.length} tokens (256 bytes and ` +
        `${vocabulary.length - 256} special tokens), got ${vocabularySize}`,
    );
  }
  if (ids.size === vocabulary.length && !ids.has("")) return;
  const twice = vocabulary.find((token, id) => token === "" || ids.get(token) !== id);
  throw new UsageError(`the special token "${twice}" is empty, comes twice, or stands for a byte`);
}

/** What only rewrites a piece comes after what cuts, and is done once for each different piece. */
function cutsOf(stages: readonly Stage[]): number {
  return stages.findIndex(({ kind }) => kind === "map");
}

/** Cuts texts and counts the pieces. */
async function countPieces(
  texts: Iterable<string>,
  stages: readonly Stage[],
  turns: Turns,
  signal: AbortSignal | undefined,
): Promise<Map<string, { count: number }>> {
  const cuts = stages.slice(0, cutsOf(stages));
  const counts = new Map<string, { count: number }>();
  for (const text of texts) {
    for (const piece of textsOf([text], cuts)) {
      const found = counts.get(piece);
      if (found) found.count++;
      else counts.set(piece, { count: 1 });
      if (turns.due) await turns.give(signal);
    }
  }
  return counts;
}

/** Spells pieces in bytes. */
function spellWords(
  counts: ReadonlyMap<string, { readonly count: number }>,
  stages: readonly Stage[],
  ids: ReadonlyMap<string, number>,
): Word[] {
  const words: Word[] = [];
  for (const [piece, { count }] of counts) {
    for (const spelled of textsOf([piece], stages.slice(cutsOf(stages)))) {
      const symbols = Array.from(spelled, (character) => ids.get(character) as number);
      words.push({ symbols, count });
    }
  }
  return words;
}

function* textsOf(texts: Iterable<string>, stages: readonly Stage[]): Generator<string> {
  for (const text of texts) {
    for (const piece of applyStages([{ text, lead: 0 }], stages)) yield piece.text;
  }
}

/** Merges a pair wherever it stands in a word, from the left; keeps all counts of pairs right. */
function mergeInWord(
  queue: PairQueue,
  word: Word,
  index: number,
  { left, right }: { readonly left: number; readonly right: number },
  merged: number,
): void {
  const { symbols, count } = word;
  const after: number[] = [];
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) {
      after.push(merged);
      i++;
    } else after.push(symbols[i]);
  }
  if (after.length === symbols.length) return;
  queue.removeWord(symbols, count);
  queue.addWord(index, after, count);
  word.symbols = after;
}
