import { byteCharacters } from "../../src/tokenizers/byte-characters.ts";
import type { Prng } from "../../src/util/prng.ts";
import { awkwardText } from "./awkward-texts.ts";
import { choose, type Json } from "./subject.ts";

type Part = { readonly [key: string]: Json };

const chance = (random: Prng): boolean => random.below(2) === 0;
const byteTokens = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
);

/** Characters of some texts, some left out, with marks that models put before and behind them. */
function letters(random: Prng): string[] {
  const texts = Array.from({ length: 8 }, () => awkwardText(random)).join("");
  const kept = [...new Set([..."▁abcdet hlowrdTCA'.12", ...texts])];
  const some = kept.filter(() => random.below(5) > 0);
  return chance(random) ? [...new Set([...some, ...byteCharacters()])] : some;
}

function numbered(tokens: readonly string[], random: Prng): Part {
  const vocab: Record<string, number> = {};
  let id = 0;
  for (const token of new Set(tokens)) {
    // A hole now and then.
    if (random.below(60) === 0) id += 1 + random.below(3);
    vocab[token] = id++;
  }
  return vocab;
}

function bpe(random: Prng): Part {
  const prefix = random.below(6) === 0 ? "##" : "";
  const suffix = random.below(6) === 0 ? "</w>" : "";
  const characters = letters(random);
  const tokens = [
    "<unk>",
    "<s>",
    "</s>",
    ...(chance(random) ? byteTokens.slice(random.below(2)) : []),
  ];
  tokens.push(...characters);
  if (prefix) tokens.push(...characters.map((one) => prefix + one));
  if (suffix) tokens.push(...characters.map((one) => one + suffix));
  if (prefix && suffix) tokens.push(...characters.map((one) => prefix + one + suffix));
  const parts = tokens
    .slice(3)
    .filter((token) => !token.startsWith("<0x") || random.below(90) === 0);
  const merges: [string, string][] = [];
  const common = parts.slice(0, 12);
  for (let i = 0; i < 60; i++) {
    const left = choose(random, chance(random) ? common : parts);
    const right = choose(random, chance(random) ? common : parts);
    if (prefix && !right.startsWith(prefix)) continue;
    const merged = left + right.slice(prefix.length);
    merges.push([left, right]);
    parts.push(merged);
    if (i < 20) common.push(merged);
  }
  return {
    type: "BPE",
    dropout: null,
    unk_token: choose(random, ["<unk>", "<unk>", null]),
    continuing_subword_prefix: prefix || null,
    end_of_word_suffix: suffix || null,
    fuse_unk: chance(random),
    byte_fallback: chance(random),
    ignore_merges: random.below(4) === 0,
    vocab: numbered([...tokens, ...merges.map(([a, b]) => a + b.slice(prefix.length))], random),
    merges:
      merges.some((pair) => pair.join("").includes(" ")) || chance(random)
        ? merges
        : merges.map((pair) => pair.join(" ")),
  };
}

/** Tokens of one to four characters, with runs that occur in the texts among them. */
function words(random: Prng): string[] {
  const characters = letters(random);
  const found = Array.from({ length: 40 }, () => {
    const text = [...awkwardText(random)];
    const start = random.below(text.length + 1);
    return text.slice(start, start + 1 + random.below(5)).join("");
  });
  const drawn = Array.from({ length: 30 }, () =>
    Array.from({ length: 1 + random.below(4) }, () => choose(random, characters)).join(""),
  );
  return [...characters, ...found, ...drawn, "▁the", "the", "cat"].filter((one) => one !== "");
}

function unigram(random: Prng): Part {
  const bytes = chance(random) ? byteTokens.slice(random.below(8) === 0 ? 1 : 0) : [];
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...new Set(words(random))];
  return {
    type: "Unigram",
    unk_id: random.below(8) === 0 ? null : 0,
    byte_fallback: chance(random),
    vocab: tokens.map((token) => [token, -random.below(40) / 4 - token.length / 8]),
  };
}

function wordPiece(random: Prng): Part {
  const some = words(random);
  const tokens = [...some, ...some.filter(() => chance(random)).map((one) => `##${one}`)];
  return {
    type: "WordPiece",
    unk_token: choose(random, ["<unk>", "<unk>", "[UNK]"]),
    continuing_subword_prefix: "##",
    max_input_chars_per_word: choose(random, [100, 4]),
    vocab: numbered(["<unk>", "<s>", "</s>", ...tokens], random),
  };
}

function wordLevel(random: Prng): Part {
  const vocab = numbered(["<unk>", "<s>", "</s>", ...words(random)], random);
  return { type: "WordLevel", unk_token: choose(random, ["<unk>", "<unk>", "[UNK]"]), vocab };
}

/** Draws a model with a small vocabulary, in which `<unk>`, `<s>` and `</s>` come first. */
export function tokenModel(random: Prng): Part {
  return choose(random, [bpe, bpe, unigram, wordPiece, wordLevel])(random);
}
