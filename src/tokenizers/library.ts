/**
 * The parts of `@huggingface/tokenizers` that fewbit uses, typed here: the declarations that the
 * package brings leave out file extensions, so that Node's module resolution finds none of them.
 */
import * as untyped from "@huggingface/tokenizers";

/** Pieces to tokens (BPE, Unigram, WordPiece) and the vocabulary, added tokens included. */
export interface LibraryModel {
  (pieces: string[]): string[];
  readonly tokens_to_ids: Map<string, number>;
  /** Token of each id; holes where the vocabulary has none. */
  readonly vocab: (string | undefined)[];
  readonly unk_token_id?: number;
}

/** Rewrites a text before it is cut. */
export type LibraryNormalizer = (text: string) => string;

/** A pre-tokenizer that rewrites a piece; section 0 is the one at the start of the text. */
export interface LibraryPreTokenizer {
  pre_tokenize(text: string, options: { section_index: number }): string[];
}

/** Turns tokens into text. */
export interface LibraryDecoder {
  decode(tokens: string[]): string;
  /** The parts of a sequence. */
  readonly decoders?: readonly LibraryDecoder[];
  /** Turns bytes into text, in decoders that do. */
  text_decoder?: { decode(bytes: Uint8Array): string };
}

/** A tokenizer as the library builds it from `tokenizer.json`. */
export interface LibraryTokenizer {
  readonly model: LibraryModel;
  readonly normalizer: LibraryNormalizer | null;
  readonly post_processor: {
    post_process(tokens: string[], pair: null, addSpecial: boolean): { tokens: string[] };
  } | null;
  readonly decoder: LibraryDecoder | null;
}

/** A pattern of `tokenizer.json`: a regular expression in Oniguruma's syntax, or a plain string. */
export type LibraryPattern = { readonly Regex: string } | { readonly String: string };

interface Library {
  readonly Tokenizer: new (definition: object, settings: object) => LibraryTokenizer;
  readonly SplitPreTokenizer: new (options: {
    readonly pattern: LibraryPattern;
    readonly invert: boolean;
  }) => { readonly pattern: RegExp | null };
  readonly ByteLevelPreTokenizer: new (options: {
    readonly add_prefix_space: boolean;
    readonly use_regex: boolean;
  }) => LibraryPreTokenizer;
  readonly MetaspacePreTokenizer: new (options: {
    readonly replacement: string;
    readonly prepend_scheme: string;
  }) => LibraryPreTokenizer;
}

/** The tokenizer library. */
export const library: Library = untyped as unknown as Library;
