import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createTokenizer } from "./hub-tokenizer.ts";
import { library } from "./library.ts";
import { MergeBoundaries } from "./merge-boundaries.ts";

const data = new URL("../../../shared/data/", import.meta.url);
const hasData = existsSync(data);
const read = (path: string): string => readFileSync(new URL(path, data), "utf8");

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

test("a text is cut only where no merge can join", () => {
  const merges = ["▁ a", "a b", "ab c", "▁ ▁"];
  const boundaries = MergeBoundaries.of({ vocab: {}, merges });
  expect([...(boundaries?.split("▁▁abc▁ad▁") ?? [])]).toEqual(["▁▁abc", "▁a", "d", "▁"]);
});

test("models that look at whole words are not cut", () => {
  const model = { vocab: {}, merges: ["a b"] };
  expect(MergeBoundaries.of({ ...model, ignore_merges: true })).toBeNull();
  expect(MergeBoundaries.of({ ...model, end_of_word_suffix: "</w>" })).toBeNull();
  expect(MergeBoundaries.of({ vocab: [["a", 0]] })).toBeNull();
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
  const whole = new library.Tokenizer(definition, {}).model;
  const alphabet = [" ", "a", "b", "c"];
  for (let length = 1; length <= 6; length++) {
    for (let n = 0; n < 4 ** length; n++) {
      const text = Array.from({ length }, (_, i) => alphabet[Math.floor(n / 4 ** i) % 4]).join("");
      const expected = whole([text.replaceAll(" ", "▁")]).map((t) => whole.tokens_to_ids.get(t));
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
    { id: 10, content: "<x>", special: true },
    { id: 11, content: "<x>a", special: true },
    { id: 12, content: "[r]", rstrip: true, special: true },
    { id: 13, content: "[l]", lstrip: true, special: true },
    { id: 14, content: "dad", single_word: true, special: true },
  ];
  const definition = { ...wholeTextDefinition([]), added_tokens: added };
  const tokenizer = createTokenizer({ definition });
  expect([...tokenizer.encode("<x>a<x>b")]).toEqual([11, 10, 3]);
  expect([...tokenizer.encode("a [r]  b [l] c")]).toEqual([2, 1, 12, 3, 13, 1, 4]);
  expect([...tokenizer.encode("dad ddad")]).toEqual([14, 1, 5, 5, 2, 5]);
});

test("lazy pieces together are the whole encoding", () => {
  const tokenizer = createTokenizer({ definition: wholeTextDefinition(["a b", "▁ a"]) });
  const text = "ab abc d".repeat(500);
  expect([...tokenizer.encodeLazily(text)].flat()).toEqual([...tokenizer.encode(text)]);
});

const title = `on real text${hasData ? "" : " (skipped: ../shared/data is not there)"}`;
describe.skipIf(!hasData)(title, () => {
  test.each([
    ["prose-6m", "prose/valid.txt", 300_000],
    ["stories260K", "tinystories-eval.txt", 60_000],
  ])("%s: ids are those of the tokenizer library on the uncut text", (model, file, length) => {
    const definition = JSON.parse(read(`models/${model}/tokenizer.json`));
    const text = read(`text/${file}`).slice(0, length);
    const { normalizer, model: whole } = new library.Tokenizer(
      { ...definition, pre_tokenizer: null },
      {},
    );
    const pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
    const bytes = new library.ByteLevelPreTokenizer({ add_prefix_space: false, use_regex: false });
    const pieces =
      model === "prose-6m"
        ? (text.match(pattern) ?? []).flatMap((p) => bytes.pre_tokenize(p, { section_index: 0 }))
        : [normalizer?.(text) ?? text];
    const expected = whole(pieces).map((token) => whole.tokens_to_ids.get(token) as number);
    expect(createTokenizer({ definition }).encode(text)).toEqual(Int32Array.from(expected));
  });
});
