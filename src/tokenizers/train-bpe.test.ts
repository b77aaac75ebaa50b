import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CancelledError, UsageError } from "../util/errors.ts";
import { byteCharacters } from "./byte-characters.ts";
import { trainByteLevelTokenizer, writeTokenizer } from "./byte-level-tokenizer.ts";
import { createTokenizer } from "./hub-tokenizer.ts";
import { DirectoryFiles } from "../formats/directory-files.ts";
import { loadTokenizer } from "./load-tokenizer.ts";
import { trainBpe } from "./train-bpe.ts";

interface Golden {
  readonly text: string;
  readonly cases: readonly {
    readonly digits: "runs" | "single";
    readonly vocabularySize: number;
    readonly minFrequency: number;
    readonly merges: readonly string[];
    readonly tokens: number;
    readonly encoded: readonly { text: string; ids: number[]; idsWithStart: number[] }[];
  }[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/bpe.json", import.meta.url), "utf8"),
) as Golden;
const byteLevel = { type: "ByteLevel", add_prefix_space: false };
const learn = (text: string, vocabularySize: number, minFrequency = 1) =>
  trainBpe([text], { vocabularySize, specialTokens: [], minFrequency, preTokenizer: byteLevel });

describe("learning merges", () => {
  test.each(golden.cases)(
    "as the tokenizers library does: digits in $digits, $vocabularySize tokens",
    async ({ digits, vocabularySize, minFrequency, merges, tokens, encoded }) => {
      const files = await trainByteLevelTokenizer([golden.text], {
        vocabularySize,
        minFrequency,
        digits,
      });
      const { model } = files.definition as { model: { vocab: object; merges: string[] } };
      expect(model.merges).toEqual(merges);
      expect(Object.keys(model.vocab)).toHaveLength(tokens);
      const tokenizer = createTokenizer(files);
      for (const { text, ids, idsWithStart } of encoded) {
        expect([...tokenizer.encode(text)]).toEqual(ids);
        expect([...tokenizer.encode(text, { addSpecial: true })]).toEqual(idsWithStart);
      }
    },
  );

  test("the pair that occurs most often comes first, of equal ones that of smaller ids", async () => {
    const { merges, vocabulary } = await learn("xy xy xy ab", 256 + 4);
    expect(merges.map((pair) => pair.join(""))).toEqual(["xy", "Ġxy", "ab", "Ġab"]);
    expect(vocabulary.slice(256)).toEqual(["xy", "Ġxy", "ab", "Ġab"]);
  });

  test("runs of one byte are merged from the left", async () => {
    const { merges } = await learn("aaaaa", 256 + 3);
    expect(merges).toEqual([
      ["a", "a"],
      ["aa", "a"],
      ["aa", "aaa"],
    ]);
  });

  test("several texts count as one, but no piece goes from one into the next", async () => {
    const options = { specialTokens: [], preTokenizer: byteLevel, vocabularySize: 300 };
    expect(await trainBpe(["ab ab", "cd"], options)).toEqual(
      await trainBpe(["cd", "ab ab"], options),
    );
    expect((await trainBpe(["a", "b", "a", "b"], options)).merges).toEqual([]);
  });

  test("it stops when no pair is left", async () => {
    expect((await learn("one", 1000)).vocabulary).toHaveLength(258);
    expect((await learn("", 1000)).merges).toEqual([]);
  });
});

test("every byte has a character of its own", () => {
  expect(new Set(byteCharacters()).size).toBe(256);
});

test.each([
  ["too small", { vocabularySize: 257 }, /at least 258 tokens/],
  ["a special token twice", { vocabularySize: 300, eosToken: "<s>" }, /comes twice/],
  ["a special token that is a byte", { vocabularySize: 300, eosToken: "a" }, /stands for a byte/],
])("%s is refused", async (_, options, message) => {
  const training = trainByteLevelTokenizer(["text"], options);
  await expect(training).rejects.toThrow(UsageError);
  await expect(training).rejects.toThrow(message);
});

test("learning from a long text can be cancelled", async () => {
  const text = Array.from({ length: 2e5 }, (_, i) => `w${i}`).join(" ");
  const options = { vocabularySize: 5000, signal: AbortSignal.abort() };
  await expect(trainByteLevelTokenizer([text], options)).rejects.toThrow(CancelledError);
});

test("what is written loads, and gives every text back", async () => {
  const directory = await mkdtemp(join(tmpdir(), "fewbit-bpe-"));
  try {
    const files = await trainByteLevelTokenizer([golden.text], {
      vocabularySize: 400,
      specialTokens: ["<|user|>"],
    });
    await writeTokenizer(directory, files);
    await writeFile(join(directory, "config.json"), "{}");
    const tokenizer = await loadTokenizer(new DirectoryFiles(directory));
    expect(tokenizer.vocabularySize).toBe(400);
    expect(tokenizer.bosId).toBe(0);
    expect(tokenizer.eosIds).toEqual([1]);
    expect(tokenizer.startIds).toEqual([0]);
    expect([...tokenizer.encode("<|user|>")]).toEqual([2]);
    const text = "Füße 日本 🦙\r\n\u0000 \ufeff  kalo";
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  } finally {
    await rm(directory, { recursive: true });
  }
});
