import type { Prng } from "../../src/util/prng.ts";
import { compileCharsmap } from "./charsmap.ts";
import { choose, type Json } from "./subject.ts";

type Part = { readonly [key: string]: Json };

const chance = (random: Prng): boolean => random.below(2) === 0;

/** Regular expressions of public tokenizers, and ones that use what Oniguruma has of its own. */
const expressions: readonly string[] = [
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "[一-龥ぁ-ゟ゠-ヿ]+",
  "[\\r\\n]",
  "\\s?[A-Za-zµÀ-ÖØ-öø-ƺ]+",
  "\\p{N}{1,3}",
  "\\d{1,3}(?=(?:\\d{3})*\\b)",
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "\\s+",
  "\\s",
  " ",
  "(?<=\\d)(?=\\D)",
  "^",
  "$",
  "\\b",
  "\\B",
  "\\w+",
  "\\W",
  "[\\w]",
  "[^\\w\\s]",
  "\\h+",
  "[[:alpha:]]+",
  "[[:^space:]]+",
  "[[:punct:][:digit:]]",
  "[a-z&&[^aeiou]]+",
  "[^\\p{Han}&&\\p{L}]",
  "\\p{^L}",
  "\\P{Latin}",
  "\\p{Han}|\\p{hiragana}",
  "(?>a|ab)c?",
  "a++|b*+c",
  "(?x: a \\ b # c\n)",
  "(?m:.)",
  ".",
  "\\R",
  "\\A.|.\\z|.\\Z",
  "(?i)the|CAT",
  "(?i:[a-z]+)",
  "x(?i)a|b",
  "(?i:k|é|σ)",
  "[]a]",
  "a{,2}",
  "a{2}+",
  "(?:a|b)+?",
  "[\\x{1F600}-\\x{1F64F}]",
  "\\N+",
  "\\u00e9|\\x41",
  "(?<n>a)b",
  "(?<!a|bc)d",
  "a*",
  "",
  "(?=b)",
  "\\p{Emoji}",
  "[a-c-e]",
  "\\/|\\-|\\.",
  "[[a-c]x]",
];

function pattern(random: Prng): Part {
  if (random.below(3) > 0) return { Regex: choose(random, expressions) };
  return { String: choose(random, [" ", "a", "ab", "▁", ".", "  ", "é", "😀", "\n", "the", "$&"]) };
}

/** Matches of nothing: what the library's normalizer puts there, it may write twice. */
const empty = ["(?<=\\d)(?=\\D)", "^", "$", "\\b", "\\B", "a{,2}", "a*", "", "(?=b)"];

function fullPattern(random: Prng): Part {
  const drawn = pattern(random);
  return empty.includes(drawn.Regex as string) ? fullPattern(random) : drawn;
}

const replacements = new Map(
  [
    ["\t", " "],
    ["\n", " "],
    ["\r", " "],
    ["ﬁ", "fi"],
    ["Ａ", "A"],
    ["①", "1"],
    ["e\u0301", "é"],
    ["\u200b", ""],
    ["ｶ", "カ"],
    ["ｶﾞ", "ガ"],
    ["か\u3099", "が"],
    ["½", "1/2"],
    ["\u00a0", " "],
    ["", ""],
  ].filter(([from]) => from !== "") as [string, string][],
);

const normalizers: readonly ((random: Prng, depth: number) => Part)[] = [
  (random) => ({
    type: "BertNormalizer",
    clean_text: chance(random),
    handle_chinese_chars: chance(random),
    strip_accents: choose(random, [null, true, false]),
    lowercase: chance(random),
  }),
  (random) => ({ type: choose(random, ["NFC", "NFD", "NFKC", "NFKD"]) }),
  (random) => ({ type: choose(random, ["Lowercase", "StripAccents", "Nmt"]) }),
  (random) => ({ type: "Strip", strip_left: chance(random), strip_right: chance(random) }),
  () => ({ type: "Precompiled", precompiled_charsmap: compileCharsmap(replacements) }),
  (random) => ({
    type: "Replace",
    pattern: fullPattern(random),
    content: choose(random, ["▁", "", " ", "x", "$&", "ab"]),
  }),
  (random) => ({ type: "Prepend", prepend: choose(random, ["▁", " ", "ab"]) }),
  () => ({ type: "ByteLevel" }),
  (random, depth) => ({ type: "Sequence", normalizers: list(random, depth, normalizer) }),
];

const behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];

const preTokenizers: readonly ((random: Prng, depth: number) => Part)[] = [
  (random) => ({
    type: choose(random, ["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"]),
  }),
  (random) => ({
    type: "ByteLevel",
    add_prefix_space: chance(random),
    trim_offsets: true,
    use_regex: random.below(4) > 0,
  }),
  (random) => ({ type: "CharDelimiterSplit", delimiter: choose(random, [" ", "a", "-", "😀"]) }),
  metaspace,
  (random) => ({
    type: "Split",
    pattern: pattern(random),
    behavior: choose(random, behaviors),
    invert: chance(random),
  }),
  (random) => ({
    type: "Split",
    pattern: { Regex: choose(random, expressions) },
    behavior: choose(random, behaviors),
    invert: random.below(4) === 0,
  }),
  (random) => ({ type: "Punctuation", behavior: choose(random, behaviors) }),
  (random) => ({ type: "Digits", individual_digits: chance(random) }),
  (random) => ({ type: "FixedLength", length: 1 + random.below(6) }),
  (random, depth) => ({ type: "Sequence", pretokenizers: list(random, depth, preTokenizer) }),
];

function metaspace(random: Prng): Part {
  return {
    type: "Metaspace",
    replacement: choose(random, ["▁", "▁", "_", "😀"]),
    prepend_scheme: choose(random, ["first", "always", "never"]),
    split: chance(random),
  };
}

const decoders: readonly ((random: Prng, depth: number) => Part)[] = [
  () => ({ type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true }),
  (random) => ({ type: choose(random, ["ByteFallback", "Fuse"]) }),
  metaspace,
  (random) => ({ type: "WordPiece", prefix: choose(random, ["##", "a"]), cleanup: chance(random) }),
  (random) => ({ type: "BPEDecoder", suffix: choose(random, ["</w>", "b"]) }),
  (random) => ({
    type: "CTC",
    pad_token: choose(random, ["<s>", "a"]),
    word_delimiter_token: choose(random, ["|", "▁"]),
    cleanup: chance(random),
  }),
  (random) => ({
    type: "Replace",
    pattern: pattern(random),
    content: choose(random, [" ", "", "x"]),
  }),
  (random) => ({
    type: "Strip",
    content: choose(random, [" ", "▁", "a"]),
    start: random.below(3),
    stop: 0,
  }),
  (random, depth) => ({ type: "Sequence", decoders: list(random, depth, decoder) }),
];

function list(random: Prng, depth: number, draw: (random: Prng, depth: number) => Part): Part[] {
  return Array.from({ length: 1 + random.below(3) }, () => draw(random, depth + 1));
}

const drawFrom =
  (all: readonly ((random: Prng, depth: number) => Part)[]) =>
  (random: Prng, depth = 0): Part => {
    // The last one is the sequence; not too deep.
    const some = depth > 1 ? all.slice(0, -1) : all;
    return choose(random, some)(random, depth);
  };

export const normalizer = drawFrom(normalizers);
export const preTokenizer = drawFrom(preTokenizers);
export const decoder = drawFrom(decoders);

/** What stands around a text; `ids` are those of `<s>` and `</s>`. */
export function postProcessor(random: Prng, ids: readonly [number, number], depth = 0): Part {
  const [first, last] = ids;
  const special = (id: string): Part => ({ SpecialToken: { id, type_id: 0 } });
  const text = (id: string): Part => ({ Sequence: { id, type_id: 0 } });
  const kind = random.below(depth === 0 ? 5 : 4);
  if (kind === 0)
    return {
      type: "ByteLevel",
      add_prefix_space: true,
      trim_offsets: chance(random),
      use_regex: true,
    };
  const around: Part = { sep: ["</s>", last], cls: ["<s>", first] };
  if (kind === 1) return { type: "BertProcessing", ...around };
  if (kind === 2) {
    return { type: "RobertaProcessing", ...around, trim_offsets: true, add_prefix_space: true };
  }
  if (kind === 4)
    return {
      type: "Sequence",
      processors: [postProcessor(random, ids, 1), postProcessor(random, ids, 1)],
    };
  const before = chance(random) ? [special("<s>")] : [];
  const after = random.below(3) === 0 ? [special("</s>")] : [];
  return {
    type: "TemplateProcessing",
    single: [...before, text("A"), ...after],
    pair: [...before, text("A"), ...after, text("B")],
    special_tokens: {
      "<s>": { id: "<s>", ids: [first], tokens: ["<s>"] },
      "</s>": { id: "</s>", ids: [last], tokens: ["</s>"] },
    },
  };
}
