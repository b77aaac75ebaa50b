import { plainBpe } from "../bpe-definition.ts";
import { byteCharacters } from "../byte-characters.ts";
import type { Component } from "../components.ts";
import type { PreTokenizer } from "./pre-tokenizers.ts";
import type { GgufVocabulary } from "./tokenizer-metadata.ts";

/** The parts of a `tokenizer.json` that depend on the kind of the tokenizer. */
export interface TokenizerParts {
  readonly normalizer: Component | null;
  readonly pre_tokenizer: Component | null;
  readonly decoder: Component;
  readonly model: object;
}

const inSequence = (parts: readonly Component[], field: string): Component =>
  ({ type: "Sequence", [field]: parts }) as const;
const byteLevel = { add_prefix_space: false, trim_offsets: true, use_regex: false };
const spaceMark = "\u2581";
const marksSpaces: Component = {
  type: "Replace",
  pattern: { String: " " },
  content: spaceMark,
};

/** Decodes tokens that are spelled as text, with U+2581 for spaces and tokens for bytes. */
function textDecoder(dropsFirstSpace: boolean): Component {
  const strip = { type: "Strip", content: " ", start: 1, stop: 0 };
  return inSequence(
    [
      { type: "Replace", pattern: { String: spaceMark }, content: " " },
      { type: "ByteFallback" },
      { type: "Fuse" },
      ...(dropsFirstSpace ? [strip] : []),
    ],
    "decoders",
  );
}

/** The model of a byte-pair encoding; `extra` changes what is said here. */
function bpeModel(vocabulary: GgufVocabulary, extra: Readonly<Record<string, unknown>>): object {
  return { ...plainBpe, ...extra, vocab: vocabulary.ids };
}

/** Describes a byte-pair encoding as llama.cpp applies it. `merges`: pairs of tokens, by rank. */
export function bytePairParts(
  vocabulary: GgufVocabulary,
  merges: readonly (readonly [string, string])[],
  pre: PreTokenizer,
): TokenizerParts {
  const splits = pre.splits.map(
    (Regex): Component => ({
      type: "Split",
      pattern: { Regex },
      behavior: "Isolated",
      invert: false,
    }),
  );
  const isText = pre.spelling === "text";
  const model = { byte_fallback: isText, ignore_merges: pre.ignoreMerges, merges };
  if (isText) {
    return {
      normalizer: marksSpaces,
      pre_tokenizer: inSequence(splits, "pretokenizers"),
      decoder: textDecoder(false),
      model: bpeModel(vocabulary, model),
    };
  }
  const stages = [...splits, { type: "ByteLevel", ...byteLevel }, ...withoutMissing(vocabulary)];
  return {
    normalizer: null,
    pre_tokenizer: inSequence(stages, "pretokenizers"),
    decoder: { type: "ByteLevel", ...byteLevel },
    model: bpeModel(vocabulary, model),
  };
}

/**
 * Cuts at bytes that have no token. They come to nothing, but nothing is merged across them either;
 * without this what stands around one would meet.
 */
function withoutMissing({ ids }: GgufVocabulary): Component[] {
  const missing = byteCharacters().filter((character) => !ids.has(character));
  if (missing.length === 0) return [];
  const codes = missing.map((character) => `\\x{${character.charCodeAt(0).toString(16)}}`);
  const pattern = { Regex: `[${codes.join("")}]` };
  return [{ type: "Split", pattern, behavior: "Removed", invert: false }];
}

/**
 * Describes a SentencePiece tokenizer as llama.cpp applies it: neighbours whose texts together are a
 * token merge, that of the highest score first, of several the leftmost; what is no token becomes bytes.
 * Each way to put a token together from two others is a merge of its own here, and all of one token
 * have one rank.
 */
export function sentencePieceParts(
  vocabulary: GgufVocabulary,
  options: { readonly addSpacePrefix: boolean; readonly unknownToken: string | null },
): TokenizerParts {
  const { addSpacePrefix, unknownToken } = options;
  const prefix: Component[] = addSpacePrefix ? [{ type: "Prepend", prepend: spaceMark }] : [];
  const { merges, ranks } = scoredMerges(vocabulary);
  const model = { unk_token: unknownToken, byte_fallback: true };
  return {
    normalizer: inSequence([...prefix, marksSpaces], "normalizers"),
    pre_tokenizer: null,
    decoder: textDecoder(addSpacePrefix),
    model: bpeModel(vocabulary, { ...model, merges, merge_ranks: ranks }),
  };
}

interface ScoredMerges {
  readonly merges: readonly (readonly [string, string])[];
  /** Index of the score of what each merge makes among all scores, the highest first. */
  readonly ranks: readonly number[];
}

function scoredMerges({ ids, scores }: GgufVocabulary): ScoredMerges {
  const scoreOf = (id: number): number => scores?.[id] ?? 0;
  const byScore = [...ids].sort(([, a], [, b]) => scoreOf(b) - scoreOf(a));
  const merges: [string, string][] = [];
  const ranks: number[] = [];
  let rank = 0;
  let score = Number.NaN;
  for (const [token, id] of byScore) {
    const before = merges.length;
    for (let at = 1; at < token.length; at++) {
      const left = token.slice(0, at);
      if (!ids.has(left) || isLowSurrogate(token.charCodeAt(at))) continue;
      const right = token.slice(at);
      if (ids.has(right)) merges.push([left, right]);
    }
    if (merges.length > before && scoreOf(id) !== score) {
      if (before > 0) rank++;
      score = scoreOf(id);
    }
    for (let i = before; i < merges.length; i++) ranks.push(rank);
  }
  return { merges, ranks };
}

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;
