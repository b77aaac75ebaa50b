import { AddedTokenFinder } from "./added-tokens.ts";
import type { LibraryModel, LibraryNormalizer } from "./library.ts";
import { MergeBoundaries } from "./merge-boundaries.ts";
import { preTokenizationStages, type Stage } from "./pre-tokenization.ts";
import type { TokenizerDefinition } from "./tokenizer-definition.ts";

/** Ids are handed out at least this many at a time: a generator's step costs as much as a piece. */
const batchLength = 256;
/** Pieces are remembered with their ids up to this length (UTF-16 units) ... */
const longestRemembered = 64;
/** ... and this many; then the memory starts afresh. */
const mostRemembered = 1 << 17;

/**
 * Encodes text lazily: added tokens, normalizer, pre-tokenizer, model. Each step works piece by
 * piece, so the ids do not depend on how much of the text is asked for, and memory does not grow
 * with it.
 */
export class LazyTextEncoder {
  private readonly found: AddedTokenFinder;
  private readonly foundNormalized: AddedTokenFinder;
  private readonly normalizer: LibraryNormalizer | null;
  private readonly model: LibraryModel;
  /** Rewriting before the first cut, the cut, and what follows on each piece. */
  private readonly before: readonly Stage[];
  private readonly cut: (text: string) => Iterable<string>;
  private readonly after: readonly Stage[];
  private readonly remembered = new Map<string, readonly number[]>();

  constructor(
    definition: TokenizerDefinition,
    normalizer: LibraryNormalizer | null,
    model: LibraryModel,
  ) {
    const isNormalized = (token: { normalized?: boolean | undefined; special: boolean }) =>
      normalizer !== null && (token.normalized ?? !token.special);
    const tokens = definition.added_tokens;
    this.found = new AddedTokenFinder(
      tokens
        .filter((token) => !isNormalized(token))
        .map((token) => ({ text: token.content, token })),
    );
    this.foundNormalized = new AddedTokenFinder(
      tokens
        .filter(isNormalized)
        .map((token) => ({ text: normalizer ? normalizer(token.content) : token.content, token })),
    );
    this.normalizer = normalizer;
    this.model = model;
    const stages = preTokenizationStages(definition.pre_tokenizer);
    const firstCut = stages.findIndex(({ kind }) => kind === "split");
    const boundaries = firstCut < 0 ? MergeBoundaries.of(definition.model) : null;
    const cutStage = stages[firstCut];
    this.before = firstCut < 0 ? stages : stages.slice(0, firstCut);
    this.after = firstCut < 0 ? [] : stages.slice(firstCut + 1);
    if (cutStage?.kind === "split") this.cut = cutStage.split;
    else this.cut = boundaries ? (text) => boundaries.split(text) : (text) => [text];
  }

  /** Yields the ids of `text` in order, a few at a time, without special tokens around them. */
  *encode(text: string): Generator<readonly number[]> {
    for (const section of this.found.split(text)) {
      if ("token" in section) {
        yield [section.token.id];
        continue;
      }
      const normalized = this.normalizer ? this.normalizer(section.text) : section.text;
      for (const part of this.foundNormalized.split(normalized)) {
        if ("token" in part) yield [part.token.id];
        else yield* this.encodeSection(part.text, section.start + part.start === 0);
      }
    }
  }

  private *encodeSection(text: string, atStart: boolean): Generator<readonly number[]> {
    let isFirst = atStart;
    let batch: number[] = [];
    for (const rewritten of applyStages([text], this.before, atStart)) {
      for (const piece of this.cut(rewritten)) {
        for (const id of this.encodePiece(piece, isFirst)) batch.push(id);
        isFirst = false;
        if (batch.length >= batchLength) {
          yield batch;
          batch = [];
        }
      }
    }
    if (batch.length > 0) yield batch;
  }

  private encodePiece(piece: string, atStart: boolean): readonly number[] {
    const known = this.remembered.get(piece);
    if (known && !atStart) return known;
    const pieces = [...applyStages([piece], this.after, atStart)];
    const ids: number[] = [];
    for (const one of pieces) {
      for (const token of this.model([one])) {
        const id = this.model.tokens_to_ids.get(token) ?? this.model.unk_token_id;
        if (id !== undefined) ids.push(id);
      }
    }
    if (!atStart && piece.length <= longestRemembered) this.remember(piece, ids);
    return ids;
  }

  private remember(piece: string, ids: readonly number[]): void {
    if (this.remembered.size >= mostRemembered) this.remembered.clear();
    // A slice keeps the whole text alive in V8; joined characters are a string of their own.
    this.remembered.set([...piece].join(""), ids);
  }
}

function applyStages(
  texts: Iterable<string>,
  stages: readonly Stage[],
  atStart: boolean,
): Iterable<string> {
  let pieces = texts;
  for (const stage of stages) pieces = applyStage(pieces, stage, atStart);
  return pieces;
}

function* applyStage(pieces: Iterable<string>, stage: Stage, atStart: boolean): Generator<string> {
  let isFirst = atStart;
  for (const piece of pieces) {
    if (piece !== "")
      yield* stage.kind === "split" ? stage.split(piece) : stage.map(piece, isFirst);
    isFirst = false;
  }
}
