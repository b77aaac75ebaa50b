import * as z from "zod";
import { FormatError } from "../util/errors.ts";
import { parseValue } from "../util/parse-value.ts";

/** A component of `tokenizer.json`: its `type` and whatever options that type has. */
const component = z.looseObject({ type: z.string() });

/** A normalizer, pre-tokenizer, post-processor or decoder as `tokenizer.json` describes it. */
export type Component = z.infer<typeof component>;

const addedToken = z.object({
  id: z.int().nonnegative(),
  content: z.string().min(1),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().optional(),
  special: z.boolean().default(false),
});

/** A token that is found in the text before anything else is done with it. */
export type AddedToken = z.infer<typeof addedToken>;

type Vocabulary = Readonly<Record<string, number>> | readonly (readonly [string, number])[];
type Merges = readonly (string | readonly [string, string])[];

// Written out, because a schema takes a second for the quarter million entries of a large
// vocabulary.
function isVocabulary(value: unknown): value is Vocabulary {
  if (typeof value !== "object" || value === null) return false;
  if (!Array.isArray(value)) {
    return Object.values(value).every((id) => Number.isSafeInteger(id) && (id as number) >= 0);
  }
  return value.every(
    (entry: unknown) =>
      Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "number",
  );
}

function isMerges(value: unknown): value is Merges {
  if (!Array.isArray(value)) return false;
  return value.every((merge: unknown) => {
    if (typeof merge === "string") return merge.includes(" ");
    return Array.isArray(merge) && merge.length === 2 && merge.every((m) => typeof m === "string");
  });
}

const definition = z.looseObject({
  added_tokens: z
    .array(addedToken)
    .nullish()
    .transform((tokens) => tokens ?? []),
  normalizer: component.nullish().transform((value) => value ?? null),
  pre_tokenizer: component.nullish().transform((value) => value ?? null),
  post_processor: component.nullish().transform((value) => value ?? null),
  decoder: component.nullish().transform((value) => value ?? null),
  model: z.looseObject({
    type: z.string().optional(),
    vocab: z.custom<Vocabulary>(isVocabulary, "expected token ids, or tokens with scores"),
    merges: z.custom<Merges>(isMerges, "expected a list of pairs of tokens").optional(),
    fuse_unk: z.boolean().nullish(),
    ignore_merges: z.boolean().nullish(),
    end_of_word_suffix: z.string().nullish(),
    continuing_subword_prefix: z.string().nullish(),
    unk_token: z.string().nullish(),
  }),
});

/** What fewbit reads of a `tokenizer.json`; the rest goes to the library as it is. */
export type TokenizerDefinition = z.infer<typeof definition>;

const tokenName = z
  .union([z.string(), z.object({ content: z.string() }).transform((token) => token.content)])
  .nullish()
  .transform((token) => token ?? null);

const settings = z.looseObject({
  bos_token: tokenName,
  eos_token: tokenName,
  add_bos_token: z.boolean().nullish(),
  add_eos_token: z.boolean().nullish(),
  /** Read when it is needed. */
  chat_template: z.unknown().optional(),
});

/** What fewbit reads of a `tokenizer_config.json`. */
export type TokenizerSettings = z.infer<typeof settings>;

const ids = z.union([z.int(), z.array(z.int())]).nullish();

const modelSettings = z.looseObject({ bos_token_id: ids, eos_token_id: ids });

/** What a `config.json` or `generation_config.json` says of special tokens. */
export type ModelTokenIds = z.infer<typeof modelSettings>;

function check<S extends z.ZodType>(schema: S, value: unknown, file: string): z.output<S> {
  return parseValue(
    schema,
    value,
    ({ text, hint }) => new FormatError(`${file}: ${text}`, { hint }),
  );
}

/** Checks the parsed contents of a `tokenizer.json`. @throws FormatError naming the place */
export function parseDefinition(value: unknown, file = "tokenizer.json"): TokenizerDefinition {
  return check(definition, value, file);
}

/** Checks the parsed contents of a `tokenizer_config.json`. @throws FormatError naming the place */
export function parseSettings(value: unknown, file = "tokenizer_config.json"): TokenizerSettings {
  return check(settings, value, file);
}

/** Checks the special token ids of a model's config. @throws FormatError naming the place */
export function parseModelTokenIds(value: unknown, file = "config.json"): ModelTokenIds {
  return check(modelSettings, value, file);
}
