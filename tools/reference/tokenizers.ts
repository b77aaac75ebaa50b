import { isDeepStrictEqual } from "node:util";
import { createTokenizer } from "../../src/tokenizers/hub-tokenizer.ts";
import { makeNormalizer } from "../../src/tokenizers/normalizers.ts";
import type { Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import { FewbitError } from "../../src/util/errors.ts";
import type { Prng } from "../../src/util/prng.ts";
import { awkwardText } from "./awkward-texts.ts";
import { type Json, type Subject } from "./subject.ts";
import { tokenModel } from "./token-models.ts";
import { decoder, normalizer, postProcessor, preTokenizer } from "./tokenizer-parts.ts";

interface Case {
  readonly definition: { readonly [key: string]: Json };
  readonly texts: readonly string[];
  readonly ids: readonly number[];
}

const refused: Json = { refused: true };
const textsPerCase = 8;

type AddedToken = { readonly content: string; readonly normalized: boolean } & {
  readonly [key: string]: Json;
};

function addedToken(content: string, id: number, random: Prng): AddedToken {
  const flag = (): boolean => random.below(4) === 0;
  const isSpecial = random.below(2) === 0;
  return {
    id,
    content,
    single_word: flag(),
    lstrip: flag(),
    rstrip: flag(),
    normalized: isSpecial ? flag() : !flag(),
    special: isSpecial,
  };
}

/**
 * Leaves out tokens that are normalized to nothing or to what another one is: which of them the
 * library finds is left to chance.
 */
function distinct(tokens: readonly AddedToken[], config: Json): AddedToken[] {
  const found = new Set<string>();
  const made = config === null ? null : makeNormalizer(config, "normalizer");
  return tokens.filter(({ content, normalized }) => {
    const text = made && normalized ? made.apply({ text: content, lead: 0 }).text : content;
    const isNew = text !== "" && !found.has(text);
    found.add(text);
    return isNew;
  });
}

function makeCase(_index: number, random: Prng): Json {
  const model = tokenModel(random);
  const vocab = model.vocab as { readonly [token: string]: number };
  const idOf = (token: string, index: number): number =>
    Array.isArray(model.vocab) ? index : vocab[token];
  const sometimes = <T>(draw: (random: Prng) => T): T | null =>
    random.below(4) === 0 ? null : draw(random);
  const added = ["<s>", "</s>", "[MASK]", "tok", "ab", "<sp>", "é", "The", "▁", " ", "cat"];
  const tokens = added.filter((_, i) => i < 2 || random.below(4) === 0);
  const normalizerConfig = sometimes(normalizer);
  const definition: Case["definition"] = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: distinct(
      tokens.map((content, i) => addedToken(content, i, random)),
      normalizerConfig,
    ),
    normalizer: normalizerConfig,
    pre_tokenizer: sometimes(preTokenizer),
    post_processor: sometimes((draw) => postProcessor(draw, [idOf("<s>", 1), idOf("</s>", 2)])),
    decoder: sometimes(decoder),
    model,
  };
  const texts = Array.from({ length: textsPerCase }, () => awkwardText(random));
  return { definition, texts, ids: Array.from({ length: 12 }, () => random.below(400)) };
}

function attempt(work: () => Json): Json {
  try {
    return work();
  } catch (error) {
    if (error instanceof FewbitError) return refused;
    throw error;
  }
}

function decoded(tokenizer: Tokenizer, ids: ArrayLike<number>): Json[] {
  return [false, true].map((skipSpecial) => attempt(() => tokenizer.decode(ids, { skipSpecial })));
}

/** Ids of a text without and with special tokens, and the texts that they give. */
function answerText(tokenizer: Tokenizer, text: string): Json {
  return attempt(() => {
    const around = tokenizer.encode(text, { addSpecial: true });
    return [[...tokenizer.encode(text)], [...around], ...decoded(tokenizer, around)];
  });
}

/** What a tokenizer makes of texts and of ids. */
export function answerTexts(
  tokenizer: Tokenizer,
  texts: readonly string[],
  ids: readonly number[],
): Json {
  return [texts.map((text) => answerText(tokenizer, text)), decoded(tokenizer, ids)];
}

function answer(input: Json): Json {
  const { definition, texts, ids } = input as unknown as Case;
  return answerTexts(createTokenizer({ definition }), texts, ids);
}

const isNoAnswer = (theirs: Json): boolean =>
  typeof theirs === "object" && theirs !== null && "panicked" in theirs;

/** Where the library panics, any answer will do; where it has none for any text, refusing the file. */
function agree(ours: Json, theirs: Json): boolean {
  if (isNoAnswer(theirs)) return true;
  if (Array.isArray(ours) && Array.isArray(theirs) && ours.length === theirs.length) {
    return ours.every((one, i) => agree(one, theirs[i]));
  }
  if (isDeepStrictEqual(ours, refused) && Array.isArray(theirs)) {
    const [texts] = theirs as readonly (readonly Json[])[];
    return texts.every((text) => isNoAnswer(text) || isDeepStrictEqual(text, refused));
  }
  return isDeepStrictEqual(ours, theirs);
}

function describe(input: Json): string {
  const { definition } = input as unknown as Case;
  const { model, ...rest } = definition;
  const { vocab: _, merges: __, ...options } = model as { readonly [key: string]: Json };
  return JSON.stringify({ ...rest, model: options });
}

/** Tokenizers of components drawn at random, with small vocabularies, on awkward texts. */
export const tokenizers: Subject = {
  name: "tokenizers",
  packages: ["tokenizers"],
  goldenCases: 48,
  makeCase,
  answer,
  agree,
  describe,
};
