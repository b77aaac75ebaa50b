import type { LanguageModel } from "../language-model.ts";
import { mostLikely } from "../token-weights.ts";
import { BlockPool } from "./block-pool.ts";
import { PagedText } from "./paged-text.ts";
import { type PagedModel, runRows } from "./run-rows.ts";

/** Longest and shortest ends of a text that are looked for in it. */
const [longestEnd, shortestEnd] = [4, 2];

/**
 * Guesses up to `count` tokens behind `ids` by what followed the last few of them before: the
 * longest end that comes earlier, at the place nearest to the end. None where nothing is found.
 * Source: prompt lookup decoding (Saxena, 2023).
 */
export function lookUpGuesses(ids: readonly number[], count: number): number[] {
  for (let length = longestEnd; length >= shortestEnd; length--) {
    const end = ids.length - length;
    for (let at = end - 1; at >= 0; at--) {
      let same = 0;
      while (same < length && ids[at + same] === ids[end + same]) same++;
      if (same === length) return ids.slice(at + length, at + length + count);
    }
  }
  return [];
}

/** A text to guess behind. */
export interface GuessRequest {
  /** Names the text between calls. */
  readonly owner: object;
  readonly ids: readonly number[];
  /** Tokens to guess. */
  readonly count: number;
}

/** Guesses tokens with a smaller model, whose keys and values it keeps. */
export class DraftModel {
  private readonly paged: PagedModel;
  private readonly pool: BlockPool;
  private readonly texts = new Map<object, PagedText>();
  private readonly chunk: number;

  /** `tokens`: keys and values that there is room for; `chunk`: most prompt tokens a call. */
  constructor(
    model: LanguageModel,
    { tokens, blockSize, chunk }: Readonly<Record<"tokens" | "blockSize" | "chunk", number>>,
  ) {
    const blocks = Math.floor(tokens / blockSize);
    const slots = blocks * blockSize;
    const cache = model.newCache(slots, 1, model.kvCacheOr("f16"), slots);
    this.paged = { model, cache, blockSize, products: "fast" };
    this.pool = new BlockPool(blocks, blockSize);
    this.chunk = chunk;
  }

  get cacheBytes(): number {
    return this.paged.cache.sizeBytes;
  }

  /** Guesses the most likely tokens of each text, one after the other. */
  async guess(requests: readonly GuessRequest[]): Promise<number[][]> {
    const guesses = requests.map((): number[] => []);
    const texts = requests.map(({ owner, ids }) => this.textOf(owner, ids));
    const most = Math.max(0, ...requests.map(({ count }) => count));
    for (let i = 0; i < most; i++) {
      const active = [...requests.keys()].filter(
        (r) => guesses[r].length === i && i < requests[r].count && this.hasRoom(texts[r]),
      );
      if (active.length === 0) break;
      const rows = active.map((r) => {
        const count = Math.min(texts[r].pending, this.chunk);
        const isLast = count === texts[r].pending;
        return { text: texts[r], count, logits: isLast ? [count - 1] : [] };
      });
      const results = await runRows(this.paged, rows);
      for (const [place, r] of active.entries()) {
        texts[r].advance(rows[place].count);
        const [logits] = results[place].logits;
        if (!logits) continue;
        const token = mostLikely(logits);
        guesses[r].push(token);
        texts[r].ids.push(token);
      }
    }
    return guesses;
  }

  /** Forgets a text. */
  forget(owner: object): void {
    this.texts.get(owner)?.drop();
    this.texts.delete(owner);
  }

  release(): void {
    this.paged.cache.release();
  }

  private hasRoom(text: PagedText): boolean {
    const { contextLength } = this.paged.model.config;
    if (text.ids.length > contextLength) return false;
    return text.reserve(Math.min(text.pending, this.chunk));
  }

  /** The text of an owner, of which the part stays that is still true. */
  private textOf(owner: object, ids: readonly number[]): PagedText {
    const text = this.texts.get(owner) ?? new PagedText(this.pool, []);
    this.texts.set(owner, text);
    let same = 0;
    while (same < text.ids.length && same < ids.length && text.ids[same] === ids[same]) same++;
    text.computed = Math.min(text.computed, same, ids.length - 1);
    text.ids.splice(0, text.ids.length, ...ids);
    return text;
  }
}
