import { AddedTokenFinder, type FoundToken } from "./added-tokens.ts";
import type { Normalizer, Text } from "./normalizers.ts";
import { watchPatterns } from "./pattern.ts";
import { applyStages, type Stage } from "./pre-tokenization.ts";
import type { TokenModel } from "./token-model.ts";

/** Ids are handed out at least this many at a time: a generator's step costs as much as a piece. */
const batchLength = 256;
/**
 * Where patterns are watched, each batch covers twice the text of the one before, up to this many
 * units, since to watch has a price for each batch.
 */
const longestWatched = 1 << 16;
/** Pieces are remembered with their ids up to this length (UTF-16 units) ... */
const longestRemembered = 64;
/** ... and this many; then the memory starts afresh. */
const mostRemembered = 1 << 17;

/** What an encoder is made of. */
export interface EncoderParts {
  readonly addedTokens: readonly FoundToken[];
  readonly normalizer: Normalizer | null;
  readonly stages: readonly Stage[];
  readonly model: TokenModel;
  /** The file that all this is from, for messages. */
  readonly file: string;
}

/**
 * Encodes text lazily: added tokens, normalizer, pre-tokenizer, model. Each step works piece by
 * piece, so the ids do not depend on how much of the text is asked for, and memory does not grow
 * with it.
 */
export class LazyTextEncoder {
  private readonly found: AddedTokenFinder;
  private readonly foundNormalized: AddedTokenFinder;
  private readonly parts: EncoderParts;
  /** Stages up to the first cut, */
  private readonly before: readonly Stage[];
  /** those up to the last one on each piece, */
  private readonly between: PieceMemory;
  /** and what follows on each piece of that. */
  private readonly after: PieceMemory;
  private readonly watchesStages: boolean;

  constructor(parts: EncoderParts) {
    const { addedTokens, normalizer, stages } = parts;
    this.parts = parts;
    const [normalized, plain] = [true, false].map((wanted) =>
      addedTokens.filter((token) => token.normalized === wanted),
    );
    this.found = new AddedTokenFinder(plain.map((token) => ({ text: token.content, token })));
    this.foundNormalized = new AddedTokenFinder(
      normalized.map((token) => ({ text: normalizedContent(token, normalizer), token })),
    );
    const firstCut = stages.findIndex(({ kind }) => kind === "split");
    const lastCut = stages.findLastIndex(({ kind }) => kind === "split");
    this.before = firstCut < 0 ? stages : stages.slice(0, firstCut + 1);
    const encode = (text: string): readonly number[] => parts.model.encode(text);
    const trailing = firstCut < 0 ? [] : stages.slice(lastCut + 1);
    this.after = new PieceMemory(trailing, ({ text }) => encode(text));
    this.between =
      firstCut === lastCut
        ? this.after
        : new PieceMemory(
            stages.slice(firstCut + 1, lastCut + 1),
            (piece) => this.after.encode(piece),
            this.after.seesPlace,
          );
    this.watchesStages = stages.some((stage) => stage.needsWatch);
  }

  /** Yields the ids of `text` in order, a few at a time, without special tokens around them. */
  *encode(text: string): Generator<readonly number[]> {
    // A half of a surrogate pair is no character: it counts as U+FFFD.
    for (const section of this.found.split(text.isWellFormed() ? text : text.toWellFormed())) {
      if ("token" in section) yield [section.token.id];
      else yield* this.encodeSection(section.text, section.start);
    }
  }

  private *encodeSection(text: string, start: number): Generator<readonly number[]> {
    const lead = start > 0 ? 0 : (text.codePointAt(0) as number) > 0xffff ? 2 : 1;
    const normalized = this.normalize({ text, lead });
    for (const part of this.foundNormalized.split(normalized.text)) {
      if ("token" in part) yield [part.token.id];
      else {
        const left = Math.max(0, Math.min(normalized.lead - part.start, part.text.length));
        yield* this.batches(this.pieces({ text: part.text, lead: left }), part.text.length);
      }
    }
  }

  private normalize(input: Text): Text {
    const { normalizer, file } = this.parts;
    if (!normalizer) return input;
    if (!normalizer.needsWatch) return normalizer.apply(input);
    return watchPatterns(file, input.text.length, () => normalizer.apply(input));
  }

  /** Cuts a section up to the first cut. */
  private *pieces(section: Text): Generator<Text> {
    const pieces = applyStages([section], this.before);
    const isCut = this.before.at(-1)?.kind === "split";
    const splitFreely = isCut ? null : this.parts.model.splitFreely;
    if (splitFreely === null) yield* pieces;
    else {
      // Nothing after this looks at where a piece stands.
      for (const { text } of pieces)
        for (const part of splitFreely(text)) yield { text: part, lead: 0 };
    }
  }

  private *batches(pieces: Generator<Text>, length: number): Generator<readonly number[]> {
    let units = batchLength;
    for (let isLast = false; !isLast; ) {
      const batch: number[] = [];
      const step = (): boolean => this.fill(batch, pieces, units);
      isLast = this.watchesStages ? watchPatterns(this.parts.file, length, step) : step();
      if (batch.length > 0) yield batch;
      if (this.watchesStages) units = Math.min(2 * units, longestWatched);
    }
  }

  /** Adds the ids of the next pieces; returns whether they were the last. */
  private fill(batch: number[], pieces: Generator<Text>, units: number): boolean {
    for (let covered = 0; covered < units || batch.length < batchLength; ) {
      const { done, value: piece } = pieces.next();
      if (done) return true;
      for (const id of this.between.encode(piece)) batch.push(id);
      covered += piece.text.length;
    }
    return false;
  }
}

/** Takes pieces through stages and encodes what comes out; short ones are remembered. */
class PieceMemory {
  private readonly stages: readonly Stage[];
  private readonly encodePart: (part: Text) => readonly number[];
  /** Whether the ids depend on where a piece stands. */
  readonly seesPlace: boolean;
  private readonly remembered = new Map<string, readonly number[]>();

  constructor(
    stages: readonly Stage[],
    encodePart: (part: Text) => readonly number[],
    partsSeePlace = false,
  ) {
    this.stages = stages;
    this.encodePart = encodePart;
    this.seesPlace =
      partsSeePlace || stages.some((stage) => stage.kind === "map" && stage.seesPlace);
  }

  encode(piece: Text): readonly number[] {
    const isAnywhere = piece.lead === 0 || !this.seesPlace;
    const known = isAnywhere ? this.remembered.get(piece.text) : undefined;
    if (known) return known;
    const parts: (readonly number[])[] = [];
    for (const part of applyStages([piece], this.stages)) {
      if (part.text !== "") parts.push(this.encodePart(part));
    }
    const ids = parts.length === 1 ? parts[0] : parts.flat();
    if (isAnywhere && piece.text.length <= longestRemembered) this.remember(piece.text, ids);
    return ids;
  }

  private remember(piece: string, ids: readonly number[]): void {
    if (this.remembered.size >= mostRemembered) this.remembered.clear();
    // A slice keeps the whole text alive in V8; joined characters are a string of their own.
    this.remembered.set([...piece].join(""), ids);
  }
}

/** The text by which an added token is found, and as which it is decoded. */
export function normalizedContent(
  { content, normalized }: FoundToken,
  normalizer: Normalizer | null,
): string {
  return normalized && normalizer ? normalizer.apply({ text: content, lead: 0 }).text : content;
}
