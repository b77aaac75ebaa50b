import * as z from "zod";
import { BpeModel, bpeOptions } from "./bpe-model.ts";
import {
  type ComponentFamily,
  type ComponentMaker,
  component,
  makeComponent,
} from "./components.ts";
import type { TokenModel } from "./token-model.ts";
import { UnigramModel, unigramOptions } from "./unigram-model.ts";
import {
  WordLevelModel,
  WordPieceModel,
  wordLevelOptions,
  wordPieceOptions,
} from "./word-models.ts";

const family: ComponentFamily<TokenModel> = new Map<string, ComponentMaker<TokenModel>>([
  ["BPE", component(bpeOptions, (options, place) => new BpeModel(options, place))],
  ["Unigram", component(unigramOptions, (options, place) => new UnigramModel(options, place))],
  [
    "WordPiece",
    component(wordPieceOptions, (options, place) => new WordPieceModel(options, place)),
  ],
  [
    "WordLevel",
    component(wordLevelOptions, (options, place) => new WordLevelModel(options, place)),
  ],
]);

const untyped = z.looseObject({ type: z.string().nullish() });

/**
 * Makes the model of `tokenizer.json`. Files of early versions do not name its type.
 * @throws UnsupportedError for an unknown type
 * @throws FormatError for a vocabulary or options that are wrong
 */
export function makeModel(config: unknown, place: string): TokenModel {
  const found = untyped.safeParse(config);
  if (!found.success || typeof found.data.type === "string") {
    return makeComponent(family, "model", config, place);
  }
  return makeComponent(family, "model", { ...found.data, type: typeOf(found.data) }, place);
}

function typeOf(config: Readonly<Record<string, unknown>>): string {
  if (Array.isArray(config.vocab)) return "Unigram";
  if (config.merges !== undefined) return "BPE";
  return config.continuing_subword_prefix === undefined ? "WordLevel" : "WordPiece";
}
