/** Turns pieces of text into token ids. */
export interface TokenModel {
  /** Number of entries of the vocabulary; the first id that an added token gets. */
  readonly size: number;
  /** Every token with its id. */
  entries(): Iterable<readonly [token: string, id: number]>;
  tokenToId(token: string): number | undefined;
  /**
   * Ids of a piece that is not empty.
   * @throws FormatError when it has unknown characters and the model no token for them
   */
  encode(piece: string): number[];
  /**
   * For a model that works the same on the parts of a piece: cuts it where nothing that it does
   * crosses. Null for others.
   */
  readonly splitFreely: ((text: string) => Iterable<string>) | null;
}

/** A model whose tokens have the ids of a vocabulary. */
export abstract class VocabularyModel implements TokenModel {
  abstract readonly splitFreely: TokenModel["splitFreely"];
  protected readonly vocabulary: ReadonlyMap<string, number>;
  /** Where the model stands, for messages. */
  protected readonly place: string;

  constructor(vocabulary: ReadonlyMap<string, number>, place: string) {
    this.vocabulary = vocabulary;
    this.place = place;
  }

  get size(): number {
    return this.vocabulary.size;
  }

  entries(): Iterable<readonly [string, number]> {
    return this.vocabulary;
  }

  tokenToId(token: string): number | undefined {
    return this.vocabulary.get(token);
  }

  abstract encode(piece: string): number[];
}
