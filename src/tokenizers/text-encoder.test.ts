import { expect, test } from "vitest";
import { createTokenizer } from "./hub-tokenizer.ts";
import { BpeModel, bpeOptions } from "./bpe-model.ts";

/** A tokenizer with byte-pair merges over the whole text, as SentencePiece conversions have. */
function wholeTextDefinition(merges: string[], extra: object = {}) {
  const letters = ["<unk>", "▁", "a", "b", "c", "d"];
  const tokens = [...letters, ...merges.map((merge) => merge.replace(" ", ""))];
  return {
    added_tokens: [{ id: 0, content: "<unk>", special: true }],
    normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" },
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: {
      type: "BPE",
      unk_token: "<unk>",
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
      ...extra,
    },
  };
}

/** A model over the characters of its merges. */
function bpe(merges: string[], extra: object = {}): BpeModel {
  const parts = merges.flatMap((merge) => [...merge.split(" "), merge.replace(" ", "")]);
  const letters = [..."<unk>abcd▁"];
  const tokens = [...new Set(["<unk>", ...letters, ...parts])];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  return new BpeModel(bpeOptions.parse({ vocab, merges, unk_token: "<unk>", ...extra }), "model");
}

test("a text is cut only where no merge can join", () => {
  const { splitFreely } = bpe(["▁ a", "a b", "ab c", "▁ ▁"]);
  expect([...(splitFreely?.("▁▁abc▁ad▁") ?? [])]).toEqual(["▁▁abc", "▁a", "d", "▁"]);
});

test("models that look at whole words are not cut", () => {
  expect(bpe(["a b"], { ignore_merges: true }).splitFreely).toBeNull();
  expect(bpe([], { end_of_word_suffix: "</w>" }).splitFreely).toBeNull();
  expect(bpe([], { continuing_subword_prefix: "##" }).splitFreely).toBeNull();
});

test("where tokens stand for bytes or for unknown text, merging them forbids to cut", () => {
  const merges = ["<0xC3> <0xA9>"];
  const tokens = ["<0xC3>", "<0xA9>", "<0xC3><0xA9>"];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  expect(bpe(merges, { vocab, byte_fallback: true }).splitFreely).toBeNull();
  expect(bpe(merges, { vocab, byte_fallback: true }).encode("é")).toEqual([2]);
});

test("cutting at merge boundaries changes no id: every text of four letters up to length 6", () => {
  const definition = wholeTextDefinition([
    "a b",
    "▁ a",
    "ab a",
    "b c",
    "▁a b",
    "c c",
    "cc ▁",
    "a a",
  ]);
  const tokenizer = createTokenizer({ definition });
  const whole = new BpeModel(bpeOptions.parse(definition.model), "model");
  const alphabet = [" ", "a", "b", "c"];
  for (let length = 1; length <= 6; length++) {
    for (let n = 0; n < 4 ** length; n++) {
      const text = Array.from({ length }, (_, i) => alphabet[Math.floor(n / 4 ** i) % 4]).join("");
      const expected = whole.encode(text.replaceAll(" ", "▁"));
      expect([...tokenizer.encode(text)], text).toEqual(expected);
    }
  }
});

test("a run of unknown characters stays one token where the model fuses them", () => {
  const fused = createTokenizer({ definition: wholeTextDefinition(["a b"], { fuse_unk: true }) });
  const apart = createTokenizer({ definition: wholeTextDefinition(["a b"]) });
  expect([...fused.encode("ab??d?!a")]).toEqual([6, 0, 5, 0, 2]);
  expect([...apart.encode("ab??d?!a")]).toEqual([6, 0, 0, 5, 0, 0, 2]);
});

test("added tokens: the leftmost and longest wins, spaces beside them go where the token says so", () => {
  const added = [
    { id: 6, content: "<x>", special: true },
    { id: 7, content: "<x>a", special: true },
    { id: 8, content: "[r]", rstrip: true, special: true },
    { id: 9, content: "[l]", lstrip: true, special: true },
    { id: 10, content: "dad", single_word: true, special: true },
  ];
  const definition = { ...wholeTextDefinition([]), added_tokens: added };
  const tokenizer = createTokenizer({ definition });
  expect([...tokenizer.encode("<x>a<x>b")]).toEqual([7, 6, 3]);
  expect([...tokenizer.encode("a [r]  b [l] c")]).toEqual([2, 1, 8, 3, 9, 1, 4]);
  expect([...tokenizer.encode("dad ddad")]).toEqual([10, 1, 5, 5, 2, 5]);
});

test("lazy pieces together are the whole encoding", () => {
  const tokenizer = createTokenizer({ definition: wholeTextDefinition(["a b", "▁ a"]) });
  const text = "ab abc d".repeat(500);
  expect([...tokenizer.encodeLazily(text)].flat()).toEqual([...tokenizer.encode(text)]);
});
