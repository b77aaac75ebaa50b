import * as z from "zod";
import { FormatError } from "../util/errors.ts";
import type { TokenModel } from "./token-model.ts";
import { byteTokens, refuseUnknown } from "./vocabulary.ts";

type Scored = readonly (readonly [token: string, score: number])[];

// Checked by hand, see vocabulary.ts.
function isScored(value: unknown): value is Scored {
  return (
    Array.isArray(value) &&
    value.every(
      (entry: unknown) =>
        Array.isArray(entry) &&
        entry.length === 2 &&
        typeof entry[0] === "string" &&
        Number.isFinite(entry[1]),
    )
  );
}

export const unigramOptions = z.looseObject({
  vocab: z.custom<Scored>(isScored, "expected a list of tokens with scores"),
  unk_id: z.int().nonnegative().nullish(),
  byte_fallback: z.boolean().default(false),
});

/** An unknown character costs this much more than the worst token. */
const unknownPenalty = 10;

/** A place in the piece: the best way there. */
interface Best {
  score: number;
  /** Where its last token began; −1 when nothing leads here yet. */
  start: number;
  /** Index of its last token. */
  index: number;
}

/** Unigram (Kudo, arXiv 1804.10959): the tokens whose scores (log-probabilities) add up highest. */
export class UnigramModel implements TokenModel {
  readonly splitFreely = null;
  private readonly vocabulary: Scored;
  /** Index of each token; of one that comes twice, the last. */
  private readonly indices = new Map<string, number>();
  /** Units of the longest token by its first unit. */
  private readonly longest = new Map<number, number>();
  private readonly unknownIndex: number | null;
  private readonly unknownScore: number;
  private readonly byteFallback: boolean;
  private readonly place: string;

  constructor(options: z.output<typeof unigramOptions>, place: string) {
    this.vocabulary = options.vocab;
    let worst = Number.POSITIVE_INFINITY;
    for (const [index, [token, score]] of this.vocabulary.entries()) {
      this.indices.set(token, index);
      worst = Math.min(worst, score);
      const first = token.charCodeAt(0);
      this.longest.set(first, Math.max(this.longest.get(first) ?? 0, token.length));
    }
    this.unknownScore = worst - unknownPenalty;
    this.unknownIndex = options.unk_id ?? null;
    this.byteFallback = options.byte_fallback;
    this.place = place;
    if (this.unknownIndex !== null && this.unknownIndex >= this.vocabulary.length) {
      throw new FormatError(
        `${place}.unk_id: expected the index of one of ${this.vocabulary.length} tokens, got ` +
          `${this.unknownIndex}`,
      );
    }
  }

  get size(): number {
    return this.vocabulary.length;
  }

  *entries(): Iterable<readonly [string, number]> {
    for (const [index, [token]] of this.vocabulary.entries()) yield [token, index];
  }

  tokenToId(token: string): number | undefined {
    return this.indices.get(token);
  }

  encode(piece: string): number[] {
    const ids: number[] = [];
    for (const part of this.bestParts(piece)) {
      const id = this.indices.get(part);
      if (id !== undefined) ids.push(id);
      else {
        const bytes = this.byteFallback ? byteTokens(part, (token) => this.tokenToId(token)) : null;
        if (bytes) ids.push(...bytes);
        else ids.push(this.unknownIndex ?? refuseUnknown(part, null, this.place));
      }
    }
    return ids;
  }

  /** The parts of the best way through the piece; unknown ones in a row are one part. */
  private bestParts(piece: string): string[] {
    const best = this.bestWays(piece);
    const parts: string[] = [];
    let unknown = "";
    const endUnknown = (): void => {
      if (unknown !== "") parts.push(unknown);
      unknown = "";
    };
    for (let end = piece.length; end > 0; ) {
      const { start, index } = best[end];
      const part = piece.slice(start, end);
      if (index === this.unknownIndex) unknown = part + unknown;
      else {
        endUnknown();
        parts.push(part);
      }
      end = start;
    }
    endUnknown();
    return parts.reverse();
  }

  private bestWays(piece: string): readonly Best[] {
    const best = Array.from(
      { length: piece.length + 1 },
      (): Best => ({ score: 0, start: -1, index: 0 }),
    );
    for (let start = 0; start < piece.length; ) {
      const { score } = best[start];
      const width = (piece.codePointAt(start) as number) > 0xffff ? 2 : 1;
      const longest = this.longest.get(piece.charCodeAt(start)) ?? 0;
      let hasCharacter = false;
      for (let end = start + 1; end <= Math.min(start + longest, piece.length); end++) {
        const index = this.indices.get(piece.slice(start, end));
        if (index === undefined) continue;
        improve(best[end], score + this.vocabulary[index][1], start, index);
        if (end === start + width) hasCharacter = true;
      }
      if (!hasCharacter) {
        const index = this.unknownIndex ?? refuseUnknown(piece, null, this.place);
        improve(best[start + width], score + this.unknownScore, start, index);
      }
      start += width;
    }
    return best;
  }
}

function improve(best: Best, score: number, start: number, index: number): void {
  if (best.start >= 0 && score <= best.score) return;
  best.score = score;
  best.start = start;
  best.index = index;
}
