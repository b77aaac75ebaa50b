import * as z from "zod";
import { checkPart } from "./components.ts";
import { largestId } from "./vocabulary.ts";

/** What may be said of an added token. */
export const addedTokenFields = {
  content: z.string(),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  /** Whether it is found in the normalized text; default: unless it is special. */
  normalized: z.boolean().optional(),
  special: z.boolean().default(false),
};

const addedToken = z.object({
  ...addedTokenFields,
  id: z.int().nonnegative().max(largestId),
});

/** A token that is found in the text before anything else is done with it. */
export interface AddedToken {
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized?: boolean | undefined;
  readonly special: boolean;
  /** Not added when the text is an added token already. */
  readonly onlyIfNew?: boolean;
}

const definition = z.looseObject({
  added_tokens: z
    .array(addedToken)
    .nullish()
    .transform((tokens) => tokens ?? []),
  normalizer: z.unknown().optional(),
  pre_tokenizer: z.unknown().optional(),
  post_processor: z.unknown().optional(),
  decoder: z.unknown().optional(),
  model: z.unknown().optional(),
});

/** What a `tokenizer.json` has; each component checks its own part. */
export type TokenizerDefinition = z.infer<typeof definition>;

const settings = z.looseObject({
  /** Read when it is needed. */
  chat_template: z.unknown().optional(),
});

/** What fewbit reads of a `tokenizer_config.json`. */
export type TokenizerSettings = z.infer<typeof settings>;

const ids = z.union([z.int(), z.array(z.int())]).nullish();

const modelSettings = z.looseObject({ bos_token_id: ids, eos_token_id: ids });

/** What a `config.json` or `generation_config.json` says of special tokens. */
export type ModelTokenIds = z.infer<typeof modelSettings>;

/** Checks the parsed contents of a `tokenizer.json`. @throws FormatError naming the place */
export function parseDefinition(value: unknown, file = "tokenizer.json"): TokenizerDefinition {
  return checkPart(definition, value, file);
}

/** Checks the parsed contents of a `tokenizer_config.json`. @throws FormatError naming the place */
export function parseSettings(value: unknown, file = "tokenizer_config.json"): TokenizerSettings {
  return checkPart(settings, value, file);
}

/** Checks the special token ids of a model's config. @throws FormatError naming the place */
export function parseModelTokenIds(value: unknown, file = "config.json"): ModelTokenIds {
  return checkPart(modelSettings, value, file);
}
