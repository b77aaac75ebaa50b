import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { Component } from "../../src/tokenizers/components.ts";
import { createTokenizer } from "../../src/tokenizers/hub-tokenizer.ts";
import { DirectoryFiles } from "../../src/formats/directory-files.ts";
import { loadTokenizer } from "../../src/tokenizers/load-tokenizer.ts";
import { applyStages, preTokenizationStages } from "../../src/tokenizers/pre-tokenization.ts";
import type { Tokenizer } from "../../src/tokenizers/tokenizer.ts";

interface Encoding {
  ids: number[];
  decoded: string;
}

interface Golden {
  texts: string[];
  tokenizers: Record<string, Encoding[]>;
  unigram: { definition: object; encodings: Encoding[] };
  preTokenizers: { texts: string[]; cases: { config: Component; pieces: string[][] }[] };
}

const golden: Golden = JSON.parse(
  readFileSync(new URL("../golden/tokenizers.json", import.meta.url), "utf8"),
);
const data = new URL("../../../shared/data/", import.meta.url);
const hasData = existsSync(data);
const reason = "the shared data folder (../shared/data) is not there";
const read = (path: string): string => readFileSync(new URL(path, data), "utf8");
const models = ["stories260K", "stories260K-sharded", "babyllama-tok105", "prose-6m"];

function gpt2(): Tokenizer {
  const merges = read("tokenizers/gpt2/merges.no-header.txt").split("\n").filter(Boolean);
  const vocab = JSON.parse(read("tokenizers/gpt2/vocab.json"));
  return createTokenizer({
    definition: {
      added_tokens: [{ id: 50256, content: "<|endoftext|>", special: true }],
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
      decoder: { type: "ByteLevel" },
      model: { type: "BPE", vocab, merges },
    },
  });
}

async function open(name: string): Promise<Tokenizer> {
  return name === "gpt2"
    ? gpt2()
    : loadTokenizer(new DirectoryFiles(fileURLToPath(new URL(name, data))));
}

function cut(config: Component, text: string): string[] {
  const start = text === "" ? [] : [{ text, lead: [...text][0].length }];
  return Array.from(applyStages(start, preTokenizationStages(config)), (piece) => piece.text);
}

describe("pre-tokenizers cut and rewrite as the Rust library does", () => {
  for (const { config, pieces } of golden.preTokenizers.cases) {
    test(JSON.stringify(config), () => {
      const got = golden.preTokenizers.texts.map((text) => cut(config, text));
      expect(got).toEqual(pieces);
    });
  }
});

test("a unigram tokenizer gives the Rust library's ids and texts", () => {
  const tokenizer = createTokenizer({ definition: golden.unigram.definition });
  golden.texts.forEach((text, i) => {
    const ids = tokenizer.encode(text);
    expect([...ids], text).toEqual(golden.unigram.encodings[i].ids);
    expect(tokenizer.decode(ids), text).toBe(golden.unigram.encodings[i].decoded);
  });
});

describe.skipIf(!hasData)(`real tokenizers${hasData ? "" : ` (skipped: ${reason})`}`, () => {
  test.each(Object.keys(golden.tokenizers))(
    "%s: the Rust library's ids and texts",
    async (name) => {
      const tokenizer = await open(name);
      golden.texts.forEach((text, i) => {
        const { ids, decoded } = golden.tokenizers[name][i];
        expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids);
        expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded);
      });
    },
  );

  test.each([
    ["gpt2", "gpt-2"],
    ["tokenizers/phi3", "phi-3"],
  ])("%s: the ids published with llama.cpp, and back to the text", async (name, file) => {
    const tokenizer = await open(name);
    const texts = read(`vectors/tokenizers/ggml-vocab-${file}.gguf.inp`).split(
      "\n__ggml_vocab_test__\n",
    );
    const lines = read(`vectors/tokenizers/ggml-vocab-${file}.gguf.out`).split("\n");
    expect(texts.length).toBeGreaterThan(40);
    texts.forEach((text, i) => {
      const ids = tokenizer.encode(text);
      expect([...ids].join(" "), JSON.stringify(text)).toBe(lines[i].trim());
      expect(tokenizer.decode(ids)).toBe(text);
    });
  });

  test.each(models)("%s: the prompt's ids and the greedy text of the reference", async (model) => {
    const tokenizer = await open(`models/${model}`);
    const reference = JSON.parse(read(`models/${model}/reference.json`));
    const ids = tokenizer.encode(reference.prompt, { addSpecial: true });
    expect([...ids]).toEqual(reference.prompt_ids);
    expect([...tokenizer.startIds]).toEqual([tokenizer.bosId]);
    const text = tokenizer.decode(reference.greedy_ids, { skipSpecial: true });
    expect(text.endsWith(reference.greedy_text)).toBe(true);
  });

  test.each(models)("%s: encode ∘ decode is the identity on generated ids", async (model) => {
    const tokenizer = await open(`models/${model}`);
    const { greedy_text: text } = JSON.parse(read(`models/${model}/reference.json`));
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });
});
