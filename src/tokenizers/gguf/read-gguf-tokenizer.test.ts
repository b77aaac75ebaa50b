import { expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../util/errors.ts";
import { createTokenizer } from "../hub-tokenizer.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { type GgufTokenizer, readGgufTokenizer } from "./read-gguf-tokenizer.ts";
import type { TokenizerMetadata } from "./tokenizer-metadata.ts";

const key = (name: string): string =>
  name.startsWith("tokenizer.") ? name : `tokenizer.ggml.${name}`;

function metadata(values: Readonly<Record<string, unknown>>): TokenizerMetadata {
  const entries = new Map(Object.entries(values).map(([name, value]) => [key(name), value]));
  const get = (name: string): never => (entries.get(name) ?? null) as never;
  return {
    source: "a.gguf",
    entries,
    string: get,
    boolean: get,
    count: get,
    strings: get,
    numbers: get,
  };
}

const bytePairs = {
  model: "gpt2",
  pre: "gpt-2",
  tokens: ["<|endoftext|>", "a", "b", "ab", "1", "Ġ", "Ġa", "12", "2", "<x>"],
  token_type: [3, 1, 1, 1, 1, 1, 1, 1, 1, 4],
  merges: ["a b", "Ġ a", "1 2"],
  bos_token_id: 0,
  eos_token_id: 0,
};
const read = (changes: object = {}): GgufTokenizer =>
  readGgufTokenizer(metadata({ ...bytePairs, ...changes }));
const open = ({ definition, settings, tokenIds }: GgufTokenizer): Tokenizer =>
  createTokenizer({ definition, settings, modelTokenIds: [tokenIds as { eos_token_id: number }] });
const encode = (text: string, changes: object = {}): number[] => [
  ...open(read(changes)).encode(text),
];

test("tokens, merges and types make a byte-pair encoding", () => {
  expect(encode("ab a12<x><|endoftext|>b")).toEqual([3, 6, 7, 9, 0, 2]);
  const tokenizer = open(read());
  expect(tokenizer.decode([3, 6, 7, 9])).toBe("ab a12<x>");
  expect(tokenizer.decode([0, 3], { skipSpecial: true })).toBe("ab");
  expect([...tokenizer.specialIds]).toEqual([0]);
});

test("the name of the pre-tokenizer says where digits are cut", () => {
  expect(encode("12", { pre: "gpt-2" })).toEqual([7]);
  expect(encode("12", { pre: "smollm" })).toEqual([4, 8]);
});

test("without a name the default is taken, with a notice; an unknown one is refused", () => {
  expect(read().notices).toEqual([]);
  for (const pre of [undefined, "", "default"]) {
    expect(read({ pre }).notices).toEqual([expect.stringMatching(/does not say how/)]);
  }
  expect(() => read({ pre: "smolm" })).toThrow(UnsupportedError);
  expect(() => read({ pre: "smolm" })).toThrow(
    expect.objectContaining({ hint: "did you mean smollm?" }),
  );
});

test("nothing is merged across a byte that has no token", () => {
  expect(encode("a\u0000b")).toEqual([1, 2]);
  expect(encode("a\u0000b", { pre: "llama-bpe" })).toEqual([1, 2]);
});

test("of two merges of one pair the first counts", () => {
  const tokens = [...bytePairs.tokens, "aa", "aab"];
  const token_type = [...bytePairs.token_type, 1, 1];
  const merges = ["a b", "a a", "aa b", "a b"];
  expect(encode("aab", { tokens, token_type, merges })).toEqual([1, 3]);
});

test.each([
  [{}, []],
  [{ add_bos_token: true }, [0]],
  [{ pre: "llama-bpe" }, [0]],
  [{ pre: "llama-bpe", add_bos_token: false }, []],
])("a start token is put in front as the file or llama.cpp says: %j", (changes, startIds) => {
  expect(open(read(changes)).startIds).toEqual(startIds);
});

test("a start token that is wanted but not named is not put, with a notice", () => {
  const tokenizer = read({ add_bos_token: true, bos_token_id: undefined });
  expect(tokenizer.notices).toEqual([expect.stringMatching(/`tokenizer.ggml.add_bos_token` asks/)]);
  expect(open(tokenizer).startIds).toEqual([]);
});

test("an end token is put behind where the file says so", () => {
  const tokenizer = open(read({ add_eos_token: true }));
  expect([...tokenizer.encode("a", { addSpecial: true })]).toEqual([1, 0]);
});

test("tokens that end a text are found by their ids, and by their names as in llama.cpp", () => {
  const tokens = ["a", "</s>", "<|im_end|>", "<|eot_id|>", "<|fim_pad|>", "<|end|>", "Ġ"];
  const token_type = [1, 1, 3, 3, 3, 3, 1];
  const given = { tokens, token_type, merges: [], bos_token_id: undefined, eos_token_id: 2 };
  const { tokenIds } = read(given);
  expect(tokenIds).toEqual({ eos_token_id: [2, 1, 3, 4, 5] });
  // A name makes a control token of a normal one.
  expect(open(read(given)).specialIds.has(1)).toBe(true);
  const harmony = [...tokens, "<|return|>", "<|call|>"];
  const harmonyTypes = [...token_type, 3, 3];
  const other = read({ ...given, tokens: harmony, token_type: harmonyTypes });
  expect(other.tokenIds.eos_token_id).toEqual([2, 1, 3, 4, 7, 8]);
});

test("an id that no token has counts for nothing, with a notice", () => {
  const tokenizer = read({ padding_token_id: 99 });
  expect(tokenizer.notices).toEqual([
    expect.stringMatching(/padding_token_id is 99, the file has 10/),
  ]);
  expect(tokenizer.tokenIds).toEqual({ bos_token_id: 0, eos_token_id: 0 });
});

test("holes in the ids are no tokens, and an empty token has a name", () => {
  const tokens = [...bytePairs.tokens, "[PAD10]", "", "[PAD99]"];
  const token_type = [...bytePairs.token_type, 5, 1, 5];
  const tokenizer = open(read({ tokens, token_type }));
  expect(tokenizer.idToToken(10)).toBeNull();
  expect(tokenizer.idToToken(11)).toBe("[EMPTY_11]");
  expect(tokenizer.idToToken(12)).toBe("[PAD99]");
});

test("chat templates have names; the one without is the default", () => {
  const { chatTemplates } = read({
    "tokenizer.chat_template": "D",
    "tokenizer.chat_template.tool_use": "T",
    "tokenizer.chat_templates": ["tool_use"],
  });
  expect([...chatTemplates]).toEqual([
    ["default", "D"],
    ["tool_use", "T"],
  ]);
});

test("the tokenizer as JSON is one of the Hugging Face format", () => {
  const parsed = JSON.parse(JSON.stringify(read()));
  expect(parsed.definition.model.vocab).toMatchObject({ ab: 3, __proto__: {} });
  const tokenizer = createTokenizer(parsed);
  expect([...tokenizer.encode("ab a12<x>")]).toEqual([3, 6, 7, 9]);
  expect(parsed.settings).toMatchObject({ bos_token: "<|endoftext|>", eos_token: "<|endoftext|>" });
});

const bytes = Array.from(
  { length: 256 },
  (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`,
);
const sentencePiece = {
  model: "llama",
  tokens: ["<unk>", "<s>", "</s>", ...bytes, "▁", "a", "aa", "aaa", "▁a", "<|x|>"],
  scores: [0, 0, 0, ...bytes.map(() => 0), -9, -8, -2, -1, -3, -1000],
  token_type: [2, 3, 3, ...bytes.map(() => 6), 1, 1, 1, 1, 1, 4],
};
const pieces = (text: string, changes: object = {}): (string | null)[] => {
  const tokenizer = open(readGgufTokenizer(metadata({ ...sentencePiece, ...changes })));
  return Array.from(tokenizer.encode(text), (id) => tokenizer.idToToken(id));
};

test("SentencePiece merges by the score of what comes out, of several the leftmost", () => {
  expect(pieces("aaaaa")).toEqual(["▁", "aaa", "aa"]);
  expect(pieces("a")).toEqual(["▁a"]);
  expect(pieces("a", { add_space_prefix: false })).toEqual(["a"]);
  expect(pieces("é", { add_space_prefix: false })).toEqual(["<0xC3>", "<0xA9>"]);
});

test("what follows a token that is found in the text gets a space in front, too", () => {
  expect(pieces("a<|x|>a")).toEqual(["▁a", "<|x|>", "▁a"]);
});

test("SentencePiece has the ids of llama where the file says none", () => {
  const tokenizer = readGgufTokenizer(metadata(sentencePiece));
  expect(tokenizer.tokenIds).toEqual({ bos_token_id: 1, eos_token_id: 2 });
  expect(open(tokenizer).startIds).toEqual([1]);
});

test("special tokens take the space behind them only in a model called phi-3", () => {
  const file = metadata(sentencePiece);
  const idsOf = (name: string): number[] => {
    const string = (each: string) => (each === "general.name" ? name : file.string(each));
    return [...open(readGgufTokenizer({ ...file, string })).encode("a<|x|> \n a")];
  };
  expect(idsOf("Phi 3")).toHaveLength(6);
  expect(idsOf("Microsoft Phi-3 mini")).toHaveLength(3);
});

test.each([
  ["no model", { model: undefined }, FormatError, /has no `tokenizer.ggml.model`/],
  ["another kind", { model: "bert" }, UnsupportedError, /kind "bert"/],
  ["no tokens", { tokens: undefined }, FormatError, /has no `tokenizer.ggml.tokens`/],
  ["no merges", { merges: undefined }, FormatError, /has no `tokenizer.ggml.merges`/],
  ["half a merge", { merges: ["a b", "ab"] }, FormatError, /got "ab" \(merge 1\)/],
  ["few types", { token_type: [1] }, FormatError, /`tokenizer.ggml.token_type` has 1/],
  ["few scores", { scores: [1] }, FormatError, /`tokenizer.ggml.scores` has 1/],
  ["two tokens alike", { tokens: ["a", "b", "a"] }, FormatError, /0 and 2 .* are both "a"/],
] as const)("%s is refused", (_, changes, error, message) => {
  expect(() => read(changes)).toThrow(error);
  expect(() => read(changes)).toThrow(message);
});
