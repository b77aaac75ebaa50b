import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openGgufFile } from "../../src/formats/gguf/gguf-file.ts";
import { GgufMetadata } from "../../src/formats/gguf/gguf-metadata.ts";
import { preTokenizers } from "../../src/tokenizers/gguf/pre-tokenizers.ts";
import { readGgufTokenizer } from "../../src/tokenizers/gguf/read-gguf-tokenizer.ts";
import { describeTokenizer } from "../../src/tokenizers/gguf/write-gguf-tokenizer.ts";
import { createTokenizer, type TokenizerFiles } from "../../src/tokenizers/hub-tokenizer.ts";
import type { Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import type { Bpe } from "../../src/tokenizers/train-bpe.ts";
import { Prng } from "../../src/util/prng.ts";
import { absent, shared } from "../e2e/shared-models.ts";
import { ggufBytes, meta } from "../fixtures/gguf-bytes.ts";
import {
  bytePairMetadata,
  drawRepetitions,
  drawTexts,
  drawWords,
  hashIds,
  learnVocabulary,
  type Metadata,
  sentencePieceMetadata,
  textPairMetadata,
} from "../fixtures/gguf-vocabularies.ts";
import { llamaAbsent } from "../llama-cpp/llama-addon.ts";
import { LlamaVocabulary } from "../llama-cpp/llama-vocabulary.ts";

/*
 * Tokenizers from the metadata of GGUF files against llama.cpp: by hashes of its ids, which
 * tools/gguf-tokenizer-answers.ts stores, and against llama.cpp itself where it is installed.
 */

interface Golden {
  readonly texts: number;
  readonly seed: number;
  readonly hashes: Readonly<Record<string, string>>;
}

const golden: Golden = JSON.parse(
  readFileSync(new URL("../golden/gguf-tokenizers.json", import.meta.url), "utf8"),
);
const inBytes = [...preTokenizers].filter(([, { spelling }]) => spelling === "bytes");
const inText = [...preTokenizers].filter(([, { spelling }]) => spelling === "text");
/** One name of each of those that differ. */
const different = [
  ...new Map(inBytes.map(([name, { splits }]) => [splits.join("\n"), name])).values(),
];

let bpe: Bpe;
beforeAll(async () => {
  bpe = await learnVocabulary();
});

function open(metadata: GgufMetadata): Tokenizer {
  const { definition, settings, tokenIds } = readGgufTokenizer(metadata);
  const modelTokenIds = [tokenIds as { bos_token_id?: number; eos_token_id?: number[] }];
  return createTokenizer({ definition, settings, modelTokenIds });
}

const read = (metadata: Metadata): Tokenizer =>
  open(new GgufMetadata("a.gguf", new Map(Object.entries(metadata))));

describe("each pre-tokenizer gives the ids that llama.cpp gives", () => {
  const hashes = new Map<object, string>();
  test.each(inBytes)("%s", (name, preTokenizer) => {
    // Several names may stand for one pre-tokenizer.
    const hash = hashes.get(preTokenizer) ?? hashOf(name);
    hashes.set(preTokenizer, hash);
    expect(hash).toBe(golden.hashes[name]);
  });

  function hashOf(name: string): string {
    const tokenizer = read(bytePairMetadata(bpe, name));
    return hashIds(drawTexts(golden.texts, golden.seed).map((text) => tokenizer.encode(text)));
  }
});

describe.skipIf(llamaAbsent !== "")(`against llama.cpp itself${llamaAbsent}`, () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "fewbit-vocabularies-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function openBoth(metadata: Metadata): Promise<[LlamaVocabulary, Tokenizer]> {
    const path = join(folder, "vocabulary.gguf");
    writeFileSync(path, ggufBytes({ metadata }));
    return [await LlamaVocabulary.open(path), read(metadata)];
  }

  /** Texts that come out as other ids than in llama.cpp, or as another text. */
  function differing(llama: LlamaVocabulary, ours: Tokenizer, texts: readonly string[]): string[] {
    return texts.filter((text) => {
      const ids = ours.encode(text);
      if (llama.encode(text).join() !== ids.join()) return true;
      return ids.some((id) => llama.decode([id]) !== cleaned(ours.decode([id])));
    });
  }

  test.each(different)("%s: ids of random texts", async (name) => {
    const [llama, ours] = await openBoth(bytePairMetadata(bpe, name));
    const texts = drawTexts(150, 1);
    const other = texts.filter((text) => llama.encode(text).join() !== ours.encode(text).join());
    expect(other).toEqual([]);
    expect(ours.startIds).toEqual(llama.startIds);
    await llama[Symbol.asyncDispose]();
  });

  test.each(inText.map(([name]) => name))("%s: ids and texts", async (name) => {
    const [llama, ours] = await openBoth(textPairMetadata(name));
    const random = new Prng(2);
    const texts = Array.from({ length: 500 }, () => drawWords(random));
    expect(differing(llama, ours, texts)).toEqual([]);
    expect(ours.startIds).toEqual(llama.startIds);
    await llama[Symbol.asyncDispose]();
  });

  test.each([true, false])(
    "SentencePiece with equal scores; space in front: %s",
    async (prefix) => {
      const extra = { "tokenizer.ggml.add_space_prefix": meta.bool(prefix) };
      const [llama, ours] = await openBoth(sentencePieceMetadata(extra));
      const random = new Prng(4);
      const texts = Array.from({ length: 500 }, () => drawRepetitions(random));
      const other = texts.filter((text) => {
        const ids = ours.encode(text);
        return (
          llama.encode(text).join() !== ids.join() || llama.decode([...ids]) !== ours.decode(ids)
        );
      });
      expect(other).toEqual([]);
      expect(ours.startIds).toEqual([1]);
      await llama[Symbol.asyncDispose]();
    },
  );
});

/** llama.cpp takes a space from in front of these when it decodes; a token alone may have one. */
const cleaned = (text: string): string => text.replace(/ ([?!.,])/g, "$1");

const missing = absent || llamaAbsent;
describe.skipIf(missing !== "")(`SmolLM2's own file${missing}`, () => {
  test("gives the ids and texts of llama.cpp; bytes without a token come to nothing", async () => {
    const path = shared("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
    const llama = await LlamaVocabulary.open(path);
    const file = await openGgufFile(path);
    const ours = open(file.metadata);
    await file.close();
    for (const text of [...drawTexts(600, 5), "a\u0000b", "th\u0004e", "12 345\u00f1"]) {
      const ids = ours.encode(text);
      expect([...ids]).toEqual(llama.encode(text));
      expect(ours.decode(ids)).toBe(llama.decode([...ids]));
    }
    expect(ours.startIds).toEqual([]);
    expect(ours.eosIds.every((id) => llama.ends(id))).toBe(true);
    expect(ours.specialIds.size).toBe(17);
    await llama[Symbol.asyncDispose]();
  });
});

const data = (path: string): string => readFileSync(shared(path), "utf8");

/** Tokenizers of the shared data: their files, and rows of an embedding for them. */
const written: Readonly<Record<string, () => readonly [TokenizerFiles, rows: number]>> = {
  "gpt-2": () => {
    const model = {
      type: "BPE",
      vocab: JSON.parse(data("tokenizers/gpt2/vocab.json")),
      merges: data("tokenizers/gpt2/merges.no-header.txt").split("\n").filter(Boolean),
    };
    const definition = {
      added_tokens: [{ id: 50256, content: "<|endoftext|>", special: true }],
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
      decoder: { type: "ByteLevel" },
      model,
    };
    return [{ definition, settings: { eos_token: "<|endoftext|>" } }, 50304];
  },
  "phi-3": () => [
    {
      definition: JSON.parse(data("tokenizers/phi3/tokenizer.json")),
      settings: { bos_token: "<s>", eos_token: "<|endoftext|>", unk_token: "<unk>" },
    },
    32064,
  ],
  olmo: () => [
    {
      definition: JSON.parse(data("tokenizers/gpt-neox-20b/tokenizer.json")),
      settings: { eos_token: "<|endoftext|>" },
    },
    50432,
  ],
  smollm: () => [
    {
      definition: JSON.parse(data("models/smollm2-135m-instruct/tokenizer.json")),
      settings: JSON.parse(data("models/smollm2-135m-instruct/tokenizer_config.json")),
    },
    49152,
  ],
};

describe.skipIf(missing !== "")(`tokenizers as fewbit writes them${missing}`, () => {
  test.each(Object.keys(written))("%s: llama.cpp gives the ids of the original", async (name) => {
    const [files, rows] = written[name]();
    const { entries } = describeTokenizer(files, { vocabularySize: rows });
    const original = createTokenizer(files);
    const folder = mkdtempSync(join(tmpdir(), "fewbit-vocabularies-"));
    const path = join(folder, "vocabulary.gguf");
    const architecture = { "general.architecture": meta.string("llama") };
    writeFileSync(
      path,
      ggufBytes({ metadata: { ...architecture, ...Object.fromEntries(entries) } }),
    );
    const llama = await LlamaVocabulary.open(path);
    const back = open(new GgufMetadata("a.gguf", entries));
    if (name !== "phi-3") expect(entries.get("tokenizer.ggml.pre")).toEqual(meta.string(name));
    // llama.cpp composes no accents; GPT-NeoX's tokenizer does.
    for (const text of drawTexts(300, 8).map((drawn) => drawn.normalize("NFC"))) {
      const ids = [...original.encode(text)];
      expect(llama.encode(text)).toEqual(ids);
      expect([...back.encode(text)]).toEqual(ids);
    }
    for (const [text, ids] of vectorsOf(name)) {
      expect(llama.encode(text, { special: false }).join(" "), text).toBe(ids);
      expect(back.encode(text).join(" "), text).toBe(ids);
      expect(back.decode(back.encode(text))).toBe(text);
    }
    expect(back.startIds).toEqual(llama.startIds);
    expect(back.startIds).toEqual(original.startIds);
    await llama[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  /** Texts and ids that are published with llama.cpp. */
  function vectorsOf(name: string): (readonly [text: string, ids: string])[] {
    if (name !== "gpt-2" && name !== "phi-3") return [];
    const file = `vectors/tokenizers/ggml-vocab-${name}.gguf`;
    const texts = data(`${file}.inp`).split("\n__ggml_vocab_test__\n");
    const lines = data(`${file}.out`).split("\n");
    expect(texts.length).toBeGreaterThan(40);
    return texts.map((text, i) => [text, lines[i].trim()]);
  }
});
