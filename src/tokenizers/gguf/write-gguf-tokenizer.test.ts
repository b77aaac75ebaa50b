import { expect, test } from "vitest";
import { GgufMetadata, type GgufValue } from "../../formats/gguf/gguf-metadata.ts";
import { UnsupportedError, UsageError } from "../../util/errors.ts";
import { byteCharacters } from "../byte-characters.ts";
import { createTokenizer, type TokenizerFiles } from "../hub-tokenizer.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { readGgufTokenizer } from "./read-gguf-tokenizer.ts";
import { describeTokenizer, type WrittenTokenizer } from "./write-gguf-tokenizer.ts";

const alphabet = byteCharacters();
const words = ["ab", "Ġa", "12", "a\u0120"];
const vocab = Object.fromEntries([...alphabet, ...words].map((token, id) => [token, id]));
const byteLevel = { type: "ByteLevel", add_prefix_space: false };
const special = { special: true, normalized: false };
const definition = {
  added_tokens: [
    { id: 260, content: "<s>", ...special },
    { id: 261, content: "</s>", ...special },
    { id: 262, content: "<|turn|>" },
    { id: 263, content: "  " },
  ],
  pre_tokenizer: byteLevel,
  decoder: { type: "ByteLevel" },
  model: { type: "BPE", vocab, merges: ["a b", ["Ġ", "a"], ["1", "2"]] },
};
interface Changes {
  readonly [part: string]: unknown;
}
const rows = 270;

function write(
  changes: Changes = {},
  rest: Partial<TokenizerFiles> = {},
  pre: string | null = null,
): WrittenTokenizer {
  const settings = { bos_token: "<s>", eos_token: "</s>" };
  const all = { settings, ...rest, definition: { ...definition, ...changes } };
  return describeTokenizer(all, { vocabularySize: rows, pre });
}

function valueOf({ entries }: WrittenTokenizer, name: string): unknown {
  const value = entries.get(name.startsWith("tokenizer.") ? name : `tokenizer.ggml.${name}`);
  if (value === undefined) return undefined;
  return value.type === "array" ? Array.from(value.values as Iterable<unknown>) : value.value;
}

const readBack = (entries: ReadonlyMap<string, GgufValue>): Tokenizer => {
  const { definition: read, settings } = readGgufTokenizer(new GgufMetadata("a.gguf", entries));
  return createTokenizer({ definition: read, settings });
};

test("tokens stand at their ids, holes up to the embedding's rows are unused", () => {
  const written = write();
  const tokens = valueOf(written, "tokens") as string[];
  const types = valueOf(written, "token_type") as number[];
  expect(tokens).toHaveLength(rows);
  expect(tokens.slice(256, 264)).toEqual([...words, "<s>", "</s>", "<|turn|>", "  "]);
  expect(tokens.slice(264)).toEqual([264, 265, 266, 267, 268, 269].map((id) => `[PAD${id}]`));
  // What looks like a control token is one; others are user-defined.
  expect(types.slice(256)).toEqual([1, 1, 1, 1, 3, 3, 3, 4, 5, 5, 5, 5, 5, 5]);
  expect(valueOf(written, "model")).toBe("gpt2");
});

test("merges are pairs with a space between, one within a token becomes U+0120", () => {
  const merges = ["a b", ["a", "\u0120"]];
  expect(valueOf(write({ model: { ...definition.model, merges } }), "merges")).toEqual([
    "a b",
    "a Ġ",
  ]);
});

test("what is written gives the same ids when it is read", () => {
  const tokenizer = readBack(write().entries);
  const original = createTokenizer({ definition });
  for (const text of ["ab a12 <s>é\u0000", "a  b12", "<|turn|>ab"]) {
    expect([...tokenizer.encode(text)]).toEqual([...original.encode(text)]);
  }
});

test.each([
  [byteLevel, "gpt-2"],
  [
    { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, byteLevel] },
    "smollm",
  ],
  [
    {
      type: "Sequence",
      pretokenizers: [
        {
          type: "Split",
          pattern: {
            Regex:
              "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+" +
              "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
          },
          behavior: "Isolated",
        },
        { ...byteLevel, use_regex: false },
      ],
    },
    "qwen2",
  ],
])("a pre-tokenizer of unknown hash is found by its patterns: %j", (pre_tokenizer, name) => {
  const found = valueOf(write({ pre_tokenizer }), "pre");
  // Names of one pre-tokenizer are as good as each other.
  expect(name === "smollm" ? ["smollm", "starcoder"] : [name, "stablelm2"]).toContain(found);
});

const strange = {
  type: "Sequence",
  pretokenizers: [
    { type: "Split", pattern: { Regex: "a|[^a]+" }, behavior: "Isolated" },
    { ...byteLevel, use_regex: false },
  ],
};

test("an unknown pre-tokenizer is refused with its hash, unless it is named", () => {
  const refused = expect.objectContaining({
    message: expect.stringMatching(/hash [0-9a-f]{64}/),
    hint: expect.stringContaining("`pre: llama-bpe`"),
  });
  expect(() => write({ pre_tokenizer: strange })).toThrow(UnsupportedError);
  expect(() => write({ pre_tokenizer: strange })).toThrow(refused);
  const named = write({ pre_tokenizer: strange }, {}, "gpt-2");
  expect(valueOf(named, "pre")).toBe("gpt-2");
  expect(named.notices).toEqual([expect.stringMatching(/encodes text otherwise/)]);
  expect(() => write({}, {}, "gpt2")).toThrow(UsageError);
});

test("a difference that no name shows is found by reading back", () => {
  expect(() => write({ normalizer: { type: "Lowercase" } })).toThrow(/encodes text otherwise/);
  const composed = write({ normalizer: { type: "NFC" } });
  expect(composed.notices).toEqual([expect.stringMatching(/composes accents/)]);
});

const template = (before: string[], after: string[]) => ({
  type: "TemplateProcessing",
  single: [
    ...before.map((id) => ({ SpecialToken: { id, type_id: 0 } })),
    { Sequence: { id: "A", type_id: 0 } },
    ...after.map((id) => ({ SpecialToken: { id, type_id: 0 } })),
  ],
  special_tokens: { "<s>": { ids: [260] }, "</s>": { ids: [261] }, "<|turn|>": { ids: [262] } },
});

test.each([
  [[], [], false, false],
  [["<s>"], [], true, false],
  [["<s>"], ["</s>"], true, true],
])("the post-processor says what stands around a text: %j, %j", (before, after, bos, eos) => {
  const written = write({ post_processor: template(before, after) });
  expect(valueOf(written, "add_bos_token")).toBe(bos);
  expect(valueOf(written, "add_eos_token")).toBe(eos);
  expect(valueOf(written, "bos_token_id")).toBe(260);
  expect(written.notices).toEqual([]);
});

test("tokenizer_config.json has the last word on that, with a notice", () => {
  const settings = { bos_token: "<s>", eos_token: "</s>", add_bos_token: true };
  const written = write({}, { settings });
  expect(valueOf(written, "add_bos_token")).toBe(true);
  expect(written.notices).toEqual([expect.stringMatching(/`add_bos_token` .* does not put/)]);
});

test("another end token in the template makes the old one the end of a turn", () => {
  const written = write({ post_processor: template([], ["<|turn|>"]) });
  expect(valueOf(written, "eos_token_id")).toBe(262);
  expect(valueOf(written, "eot_token_id")).toBe(261);
});

test("further ends of a text are eot and eom, unless llama.cpp knows their names", () => {
  const modelTokenIds = [{ eos_token_id: [261, 262, 263, 97] }];
  const written = write({}, { modelTokenIds });
  expect(valueOf(written, "eos_token_id")).toBe(261);
  expect(valueOf(written, "eot_token_id")).toBe(262);
  expect(valueOf(written, "eom_token_id")).toBe(263);
  expect(written.notices).toEqual([expect.stringMatching(/does not end a text at/)]);
});

test("ids of the model's settings count where the tokenizer names no token", () => {
  const modelTokenIds = [{ pad_token_id: 262 }, { pad_token_id: 5, unk_token_id: 1000 }];
  const written = write({}, { modelTokenIds });
  expect(valueOf(written, "padding_token_id")).toBe(262);
  expect(valueOf(written, "unknown_token_id")).toBeUndefined();
});

test("chat templates keep their names", () => {
  const chatTemplates = {
    files: new Map([
      ["default", "D"],
      ["tool_use", "T"],
    ]),
  };
  const written = write({}, { chatTemplates });
  expect(valueOf(written, "tokenizer.chat_template")).toBe("D");
  expect(valueOf(written, "tokenizer.chat_template.tool_use")).toBe("T");
  expect(valueOf(written, "tokenizer.chat_templates")).toEqual(["tool_use"]);
});

const bytes = Array.from(
  { length: 256 },
  (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`,
);
const pieceVocab = Object.fromEntries(
  ["<unk>", "<s>", "</s>", ...bytes, "▁", "a", "b", "ab", "▁ab"].map((token, id) => [token, id]),
);
const sentencePiece = (merges: string[], changes: object = {}) => ({
  added_tokens: ["<unk>", "<s>", "</s>"].map((content, id) => ({ id, content, ...special })),
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "Prepend", prepend: "▁" },
      { type: "Replace", pattern: { String: " " }, content: "▁" },
    ],
  },
  pre_tokenizer: null,
  decoder: { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }] },
  model: {
    type: "BPE",
    vocab: pieceVocab,
    merges,
    unk_token: "<unk>",
    fuse_unk: true,
    byte_fallback: true,
  },
  ...changes,
});

test("merges of SentencePiece become scores, the first the highest", () => {
  const written = write(sentencePiece(["a b", "▁ ab"]));
  expect(valueOf(written, "model")).toBe("llama");
  expect(valueOf(written, "add_space_prefix")).toBe(true);
  const scores = valueOf(written, "scores") as number[];
  expect(scores.slice(259, 264)).toEqual([-2, -3, -4, 0, -1]);
  expect(scores[264]).toBe(-10000);
  const types = valueOf(written, "token_type") as number[];
  expect([types[0], types[1], types[3], types[259], types[264]]).toEqual([2, 3, 6, 1, 5]);
  expect([...readBack(written.entries).encode("abb")]).toEqual([263, 261]);
});

test("what is found in text with U+2581 for spaces is written with spaces", () => {
  const { added_tokens } = sentencePiece([]);
  const found = { id: 264, content: "▁▁", normalized: true };
  const literal = { id: 265, content: "▁▁▁", normalized: false };
  const parts = sentencePiece(["a b", "▁ ab"], {
    added_tokens: [...added_tokens, found, literal],
    normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" },
  });
  expect((valueOf(write(parts), "tokens") as string[]).slice(264, 266)).toEqual(["  ", "▁▁▁"]);
});

test("merges that no scores give are refused", () => {
  expect(() => write(sentencePiece(["a b"]))).toThrow(/has 1 merges, .* in 2 ways/);
  const twice = { ...pieceVocab, "▁a": 264 };
  const model = { ...sentencePiece([]).model, vocab: twice };
  expect(() =>
    write({
      ...sentencePiece([]),
      model: { ...model, merges: ["▁ a", "a b", "▁ ab", "▁a b"] },
    }),
  ).not.toThrow();
  const apart = ["▁ a", "▁a b", "a b", "▁ ab"];
  expect(() => write({ ...sentencePiece([]), model: { ...model, merges: apart } })).toThrow(
    /stand apart/,
  );
});

test.each([
  [
    "a unigram model",
    { model: { type: "Unigram", vocab: [["a", 0]], unk_id: 0 } },
    /of the type Unigram/,
  ],
  [
    "suffixes",
    { model: { ...definition.model, end_of_word_suffix: "</w>" } },
    /prefixes or suffixes/,
  ],
  [
    "tokens without rows",
    { model: { ...definition.model, vocab: { ...vocab, zz: 300 } } },
    /300 .* no row/,
  ],
  ["two tokens of one text", { added_tokens: [{ id: 260, content: "[PAD265]" }] }, /both be/],
])("%s are refused", (_, changes, message) => {
  expect(() => write(changes)).toThrow(UnsupportedError);
  expect(() => write(changes)).toThrow(message);
});
