import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { preTokenizers } from "../src/tokenizers/gguf/pre-tokenizers.ts";
import { ggufBytes } from "../test/fixtures/gguf-bytes.ts";
import {
  bytePairMetadata,
  drawTexts,
  hashIds,
  learnVocabulary,
} from "../test/fixtures/gguf-vocabularies.ts";
import { describeLlama, findLlamaAddon } from "../test/llama-cpp/llama-addon.ts";
import { LlamaVocabulary } from "../test/llama-cpp/llama-vocabulary.ts";

/*
 * Writes test/golden/gguf-tokenizers.json: hashes of the ids that llama.cpp gives random texts, under
 * each of its pre-tokenizers.
 *
 * Usage: node tools/gguf-tokenizer-answers.ts
 */

const [texts, seed] = [300, 99];
const binaries = findLlamaAddon();
if (!binaries) throw new Error("llama.cpp is not installed for this machine");
const folder = mkdtempSync(join(tmpdir(), "fewbit-vocabularies-"));
const path = join(folder, "vocabulary.gguf");
const bpe = await learnVocabulary();
const drawn = drawTexts(texts, seed);
const hashes: Record<string, string> = {};
try {
  for (const [name, { spelling }] of preTokenizers) {
    if (spelling !== "bytes") continue;
    writeFileSync(path, ggufBytes({ metadata: bytePairMetadata(bpe, name) }));
    const llama = await LlamaVocabulary.open(path);
    hashes[name] = hashIds(drawn.map((text) => llama.encode(text)));
    await llama[Symbol.asyncDispose]();
  }
} finally {
  rmSync(folder, { recursive: true });
}
const answers = { source: describeLlama(binaries), texts, seed, hashes };
writeFileSync(
  new URL("../test/golden/gguf-tokenizers.json", import.meta.url),
  `${JSON.stringify(answers, null, 2)}\n`,
);
