import { expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { createTokenizer } from "./hub-tokenizer.ts";

const definition = {
  added_tokens: [
    { id: 2, content: "<s>", special: true },
    { id: 3, content: "</s>", special: true },
  ],
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "<s>", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "</s>", type_id: 0 } },
    ],
    pair: [],
    special_tokens: { "<s>": { ids: [2] }, "</s>": { ids: [3] } },
  },
  model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] },
};
const plain = { ...definition, post_processor: null };
const names = { bos_token: "<s>", eos_token: { content: "</s>" } };

test("the post-processor says what stands around a text", () => {
  const tokenizer = createTokenizer({ definition, settings: names });
  expect([...tokenizer.encode("ab")]).toEqual([0, 1]);
  expect([...tokenizer.encode("ab", { addSpecial: true })]).toEqual([2, 0, 1, 3]);
  expect(tokenizer.startIds).toEqual([2]);
});

test.each([true, false])("add_bos_token and add_eos_token count for nothing: %s", (value) => {
  const settings = { ...names, add_bos_token: value, add_eos_token: value };
  const around = createTokenizer({ definition, settings });
  expect([...around.encode("a", { addSpecial: true })]).toEqual([2, 0, 3]);
  expect(around.startIds).toEqual([2]);
  const bare = createTokenizer({ definition: plain, settings });
  expect([...bare.encode("a", { addSpecial: true })]).toEqual([0]);
});

test("a model that names a BOS but does not put it in front has no start ids", () => {
  const tokenizer = createTokenizer({ definition: plain, settings: names });
  expect(tokenizer.bosId).toBe(2);
  expect(tokenizer.startIds).toEqual([]);
});

test("ends of text come from the tokenizer and from the model's settings", () => {
  const modelTokenIds = [{ eos_token_id: [1, 3] }, { eos_token_id: 0, bos_token_id: 2 }];
  const tokenizer = createTokenizer({ definition, settings: names, modelTokenIds });
  expect(tokenizer.eosIds).toEqual([3, 1]);
  const bare = createTokenizer({ definition, modelTokenIds });
  expect(bare.eosIds).toEqual([1, 3]);
  expect(bare.bosId).toBe(2);
});

test("chat_template.jinja goes before the settings; of several templates the default is taken", () => {
  const several = [
    { name: "tool_use", template: "T" },
    { name: "default", template: "D" },
  ];
  const settings = { ...names, chat_template: several };
  expect(createTokenizer({ definition, settings }).chatTemplates.choose()).toBe("D");
  const chatTemplates = { files: new Map([["default", "J"]]) };
  const withFile = createTokenizer({ definition, settings, chatTemplates });
  expect(withFile.chatTemplates.choose()).toBe("J");
});

test("ids without a token are left out when decoding, special ones on demand", () => {
  const tokenizer = createTokenizer({ definition, settings: names });
  expect(tokenizer.decode([2, 0, 99, 1], { skipSpecial: true })).toBe("a b");
  expect(tokenizer.decode([])).toBe("");
  expect(tokenizer.vocabularySize).toBe(4);
});

test.each([
  [{}, FormatError],
  [{ model: { type: "BPE", vocab: { a: -1 }, merges: [] } }, FormatError],
  [{ model: { type: "BPE", vocab: { a: 0 }, merges: [["a"]] } }, FormatError],
  [{ ...definition, pre_tokenizer: { type: "Astrology" } }, UnsupportedError],
  [{ ...definition, normalizer: { type: "Astrology" } }, UnsupportedError],
  [{ ...definition, added_tokens: [] }, FormatError],
  [{ ...definition, added_tokens: [{ id: 2 ** 31, content: "x" }] }, FormatError],
  [{ model: { type: "BPE", vocab: { a: 2 ** 32 - 2 }, merges: [] } }, FormatError],
  [{ model: { type: "BPE", vocab: { a: 1, b: 1 }, merges: [] } }, FormatError],
  [{ model: { type: "BPE", vocab: { a: 1 }, merges: [["a", "a"]] } }, FormatError],
  [{ ...definition, pre_tokenizer: { type: "toString" } }, UnsupportedError],
  [{ ...definition, pre_tokenizer: { type: "__proto__" } }, UnsupportedError],
  [{ ...definition, pre_tokenizer: { type: "Sequence", pretokenizers: 5 } }, FormatError],
  [{ ...plain, post_processor: { type: "TemplateProcessing", single: 5 } }, FormatError],
  [
    {
      ...definition,
      pre_tokenizer: { type: "Split", pattern: { String: "z" }, behavior: "constructor" },
    },
    FormatError,
  ],
])("definition %# is refused in words", (broken, kind) => {
  expect(() => createTokenizer({ definition: broken })).toThrow(kind);
});
