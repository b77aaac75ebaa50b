import * as z from "zod";
import { VocabularyModel } from "./token-model.ts";
import { readVocabulary, refuseUnknown, vocabularySchema } from "./vocabulary.ts";

export const wordLevelOptions = z.looseObject({
  vocab: vocabularySchema,
  unk_token: z.string().default("<unk>"),
});

/** A model whose tokens are whole pieces. */
export class WordLevelModel extends VocabularyModel {
  readonly splitFreely = null;
  private readonly unknownToken: string;

  constructor(options: z.output<typeof wordLevelOptions>, place: string) {
    super(readVocabulary(options.vocab, place), place);
    this.unknownToken = options.unk_token;
  }

  encode(piece: string): number[] {
    const { vocabulary, unknownToken } = this;
    const id = vocabulary.get(piece) ?? vocabulary.get(unknownToken);
    return id === undefined ? refuseUnknown(piece, unknownToken, this.place) : [id];
  }
}

export const wordPieceOptions = z.looseObject({
  vocab: vocabularySchema,
  unk_token: z.string().default("[UNK]"),
  continuing_subword_prefix: z.string().default("##"),
  max_input_chars_per_word: z.int().nonnegative().default(100),
});

/**
 * WordPiece (Schuster and Nakajima 2012, as BERT applies it): from the left, always the longest
 * token that fits; a piece that does not come out even is unknown as a whole.
 */
export class WordPieceModel extends VocabularyModel {
  readonly splitFreely = null;
  private readonly options: z.output<typeof wordPieceOptions>;

  constructor(options: z.output<typeof wordPieceOptions>, place: string) {
    super(readVocabulary(options.vocab, place), place);
    this.options = options;
  }

  encode(piece: string): number[] {
    const { unk_token: unknownToken, max_input_chars_per_word: longest } = this.options;
    const characters = [...piece];
    const ids = characters.length > longest ? null : this.longestMatches(characters);
    if (ids) return ids;
    const id = this.vocabulary.get(unknownToken);
    return id === undefined ? refuseUnknown(piece, unknownToken, this.place) : [id];
  }

  private longestMatches(characters: readonly string[]): number[] | null {
    const ids: number[] = [];
    for (let start = 0; start < characters.length; ) {
      const prefix = start > 0 ? this.options.continuing_subword_prefix : "";
      let end = characters.length;
      let id: number | undefined;
      for (; end > start; end--) {
        id = this.vocabulary.get(prefix + characters.slice(start, end).join(""));
        if (id !== undefined) break;
      }
      if (id === undefined) return null;
      ids.push(id);
      start = end;
    }
    return ids;
  }
}
