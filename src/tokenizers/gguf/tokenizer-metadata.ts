import { FormatError } from "../../util/errors.ts";
import { quoteText } from "../../util/quote-text.ts";
import { SoundVocabulary } from "../vocabulary.ts";

/** What is read of the metadata of a GGUF file. Getters return null for a key that is not there. */
export interface TokenizerMetadata {
  /** Name of the file in errors. */
  readonly source: string;
  readonly entries: { keys(): Iterable<string> };
  /** @throws FormatError as all getters, for a value of another type */
  string(key: string): string | null;
  boolean(key: string): boolean | null;
  count(key: string): number | null;
  strings(key: string): readonly string[] | null;
  numbers(key: string): ArrayLike<number> | null;
}

/** What a token is, as `tokenizer.ggml.token_type` numbers it. */
export const tokenTypes = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

/** The tokens of a GGUF file. */
export interface GgufVocabulary {
  /** Texts of the tokens, by their ids. */
  readonly tokens: readonly string[];
  /** Types of the tokens (`tokenTypes`), null where the file has none: all are normal. */
  readonly types: ArrayLike<number> | null;
  /** Scores of the tokens, null where the file has none. */
  readonly scores: ArrayLike<number> | null;
  /** Ids of the tokens; those that only fill a hole in the ids are left out. */
  readonly ids: SoundVocabulary;
}

const key = (name: string): string => `tokenizer.ggml.${name}`;

/**
 * Reads the tokens of a GGUF file.
 * @throws FormatError when there are none, a list is too short, or two tokens have one text
 */
export function readVocabulary(metadata: TokenizerMetadata): GgufVocabulary {
  const { source } = metadata;
  const given = metadata.strings(key("tokens"));
  if (given === null || given.length === 0) {
    throw new FormatError(`${source}: the metadata has no \`tokenizer.ggml.tokens\``);
  }
  const tokens = given.includes("") ? given.map((token, id) => token || `[EMPTY_${id}]`) : given;
  const lists = {
    types: metadata.numbers(key("token_type")),
    scores: metadata.numbers(key("scores")),
  };
  for (const [name, list] of Object.entries(lists)) {
    if (list === null || list.length >= tokens.length) continue;
    throw new FormatError(
      `${source}: expected ${name} for ${tokens.length} tokens, \`tokenizer.ggml.` +
        `${name === "types" ? "token_type" : name}\` has ${list.length}`,
    );
  }
  const ids = new SoundVocabulary();
  let holes = 0;
  for (let id = 0; id < tokens.length; id++) {
    if (lists.types?.[id] === tokenTypes.unused && tokens[id] === `[PAD${id}]`) holes++;
    else ids.set(tokens[id], id);
  }
  if (ids.size + holes !== tokens.length) throw twice(source, tokens, ids);
  return { tokens, ...lists, ids };
}

function twice(
  source: string,
  tokens: readonly string[],
  ids: ReadonlyMap<string, number>,
): FormatError {
  const first = tokens.findIndex((token, id) => (ids.get(token) ?? id) !== id);
  const token = tokens[first];
  return new FormatError(
    `${source}: the tokens ${first} and ${ids.get(token)} of \`tokenizer.ggml.tokens\` are both ` +
      quoteText(token, 40),
  );
}
