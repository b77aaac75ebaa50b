import type { ChatTemplates } from "./chat-template-source.ts";
import type { TokenSpelling } from "./token-spelling.ts";

/** Text to token ids and back, for one model. */
export interface Tokenizer {
  /**
   * One more than the largest token id that the model takes. Its embedding may have more rows; where
   * it has less, a text with another token is refused (UsageError) wherever it is encoded.
   */
  readonly vocabularySize: number;
  /** Id of the token that opens a text; null when the model has none. */
  readonly bosId: number | null;
  /** Ids that end a text: from the tokenizer and from the model's generation settings. */
  readonly eosIds: readonly number[];
  /** Ids that the model expects in front of a text: mostly the BOS, empty for models without. */
  readonly startIds: readonly number[];
  /** Ids of tokens that are marked as special: no text of their own. */
  readonly specialIds: ReadonlySet<number>;
  /** How the names of tokens spell text. */
  readonly spelling: TokenSpelling;
  /** The model's own chat templates (Jinja). */
  readonly chatTemplates: ChatTemplates;
  /** Text of each token with a role, by its name in the settings: `pad_token`, `image_token`. */
  readonly specialTokens: ReadonlyMap<string, string>;
  /** Text of the BOS and EOS tokens, for templates; null when there are none. */
  readonly bosToken: string | null;
  readonly eosToken: string | null;
  /** Encodes a text; with `addSpecial` start and end tokens are put around it (default: not). */
  encode(text: string, options?: EncodeOptions): Int32Array;
  /** Encodes a text piece by piece, without special tokens: together they are `encode(text)`. */
  encodeLazily(text: string): Iterable<readonly number[]>;
  /** Decodes ids. Ids outside the vocabulary are left out; spaces are never tidied up. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** Returns the id of a token by its exact name in the vocabulary, or null. */
  tokenToId(token: string): number | null;
  /** Returns a token's name in the vocabulary, or null. */
  idToToken(id: number): string | null;
}

/** How a text is encoded. */
export interface EncodeOptions {
  /** Put the model's start and end tokens around the text. Default false. */
  readonly addSpecial?: boolean;
}

/** How ids are decoded. */
export interface DecodeOptions {
  /** Leave out tokens that are marked as special, such as BOS and EOS. Default false. */
  readonly skipSpecial?: boolean;
}
