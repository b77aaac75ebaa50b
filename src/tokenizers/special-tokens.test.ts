import { expect, test } from "vitest";
import { FormatError, UsageError } from "../util/errors.ts";
import { createTokenizer } from "./hub-tokenizer.ts";

const definition = {
  added_tokens: [{ id: 2, content: "<s>", special: true }],
  model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] },
};
const token = { lstrip: false, rstrip: false, single_word: false, normalized: false };

// Ids as transformers 5.24 gives them.
test("added_tokens_decoder adds tokens that tokenizer.json lacks; they may end a text", () => {
  const settings = {
    eos_token: "<|im_end|>",
    added_tokens_decoder: {
      4: { ...token, content: "<|im_end|>", special: true },
      3: { ...token, content: "<|im_start|>", special: true },
    },
  };
  const tokenizer = createTokenizer({ definition, settings });
  expect([...tokenizer.encode("<|im_start|>ab<|im_end|>")]).toEqual([3, 0, 1, 4]);
  expect(tokenizer.eosIds).toEqual([4]);
  expect(tokenizer.decode([3, 0, 4], { skipSpecial: true })).toBe("a");
});

test("tokens with a role, then extra ones, come behind those of tokenizer.json", () => {
  const settings = {
    bos_token: "<s>",
    pad_token: { ...token, __type: "AddedToken", content: "<pad>" },
    unk_token: "<unk>",
    image_token: "<image>",
    additional_special_tokens: ["<x>", "<y>"],
    add_bos_token: true,
  };
  const tokenizer = createTokenizer({ definition, settings });
  const texts = ["<s>", "<unk>", "<pad>", "<image>", "<x>", "<y>"];
  expect(texts.map((text) => tokenizer.tokenToId(text))).toEqual([2, 3, 4, 5, 6, 7]);
  expect([...tokenizer.encode("a<pad><y>")]).toEqual([0, 4, 7]);
  expect(tokenizer.specialTokens.get("image_token")).toBe("<image>");
});

test("special_tokens_map.json counts where there is no added_tokens_decoder", () => {
  const files = {
    definition,
    specialTokensMap: { eos_token: { ...token, content: "</s>" } },
    addedTokens: { "</s>": 3, "<tool>": 4 },
  };
  const legacy = createTokenizer({ ...files, settings: { eos_token: "<s>" } });
  expect(legacy.eosIds).toEqual([3]);
  expect([...legacy.encode("<tool></s>")]).toEqual([4, 3]);
  expect(legacy.specialIds.has(4)).toBe(false);
  const settings = { eos_token: "<s>", added_tokens_decoder: {} };
  expect(createTokenizer({ ...files, settings }).eosIds).toEqual([2]);
});

test.each([
  [{ added_tokens_decoder: { x: { content: "a" } } }, "added_tokens_decoder"],
  [{ added_tokens_decoder: 5 }, "added_tokens_decoder"],
  [{ eos_token: 5 }, "eos_token"],
  [{ extra_special_tokens: 5 }, "extra_special_tokens"],
])("settings %j are refused at the field", (settings, field) => {
  expect(() => createTokenizer({ definition, settings })).toThrow(FormatError);
  expect(() => createTokenizer({ definition, settings })).toThrow(field);
});

test("an id outside the model's embedding is refused with the token's name, others are not", () => {
  const tokenizer = createTokenizer({ definition, embeddingRows: 2, path: "m/tokenizer.json" });
  expect(tokenizer.vocabularySize).toBe(2);
  expect([...tokenizer.encode("ab")]).toEqual([0, 1]);
  for (const encode of [
    () => tokenizer.encode("a<s>"),
    () => [...tokenizer.encodeLazily("a<s>")],
  ]) {
    expect(encode).toThrow(UsageError);
    expect(encode).toThrow('token 2 ("<s>") of m/tokenizer.json is not in the vocabulary of 2');
  }
});

test("a start token outside the embedding is refused when it is asked for", () => {
  const postProcessor = { type: "BertProcessing", cls: ["<s>", 2], sep: ["<s>", 2] };
  const tokenizer = createTokenizer({
    definition: { ...definition, post_processor: postProcessor },
    embeddingRows: 2,
  });
  expect(() => tokenizer.startIds).toThrow(UsageError);
  expect(() => tokenizer.encode("a", { addSpecial: true })).toThrow(UsageError);
});

test("what V8 can look for in no text is a FormatError, before any text comes", () => {
  const long = "\u5bff".repeat(100_000);
  const tooLong = { ...definition, added_tokens: [{ id: 2, content: long, special: true }] };
  expect(() => createTokenizer({ definition: tooLong })).toThrow(/added_tokens of up to 100000/);
  const split = { type: "Split", pattern: { String: long }, behavior: "Isolated", invert: false };
  expect(() => createTokenizer({ definition: { ...definition, pre_tokenizer: split } })).toThrow(
    /too long a text/,
  );
});
