/**
 * Runs GGUF files in fewbit and in llama.cpp, and prints the perplexity of both by llama.cpp's
 * rule: chunks of 512 tokens that do not overlap, scored on the second half. With an original, also
 * the KL divergence of fewbit's predictions from the original's at the scored places.
 *
 *   npm run against-llama -- a.gguf b.gguf --against ./original
 *   npm run against-llama -- a.gguf --text wiki.test.raw --chunks 8 --no-llama
 *
 * fewbit multiplies exactly, in float32; llama.cpp rounds the inputs of quantized layers to 8 bits.
 */
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { type LanguageModel, load } from "../src/index.ts";
import { compareLogits, logProbability, logitsOf } from "../test/llama-cpp/compare-logits.ts";
import { LlamaCpp } from "../test/llama-cpp/llama-cpp.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    text: { type: "string", default: "../shared/data/text/wikitext-2/wiki.test.raw" },
    chunks: { type: "string", default: "8" },
    against: { type: "string" },
    llama: { type: "boolean", default: true },
  },
});
const chunk = 512;
const scored = chunk / 2;
const chunks = Number(values.chunks);
const text = readFileSync(values.text, "utf8");

/** Ids of each chunk, the first token of each replaced by the start of a text where there is one. */
function chunksOf({ tokenizer }: LanguageModel): number[][] {
  const ids = [...tokenizer.encode(text, { addSpecial: true })];
  return Array.from({ length: chunks }, (_, i) => {
    const found = ids.slice(i * chunk, (i + 1) * chunk);
    if (found.length < chunk) throw new Error(`the text has only ${i} chunks of ${chunk} tokens`);
    return [...tokenizer.startIds, ...found.slice(tokenizer.startIds.length)];
  });
}

/** Logits at the places whose predictions are scored. */
async function scoredLogits(model: LanguageModel, ids: readonly number[]): Promise<Float32Array[]> {
  return (await logitsOf(model, ids.slice(0, -1))).slice(scored);
}

async function readOriginal(path: string): Promise<Float32Array[][]> {
  const model = await load(path);
  const rows: Float32Array[][] = [];
  for (const ids of chunksOf(model)) rows.push(await scoredLogits(model, ids));
  model.release();
  return rows;
}

/** Perplexity of a file, and the mean divergence from the original's rows. */
async function measure(
  path: string,
  original: readonly Float32Array[][] | null,
): Promise<{ perplexity: number; divergence: number | null }> {
  const model = await load(path);
  let [loss, divergence, count] = [0, 0, 0];
  for (const [i, ids] of chunksOf(model).entries()) {
    const rows = await scoredLogits(model, ids);
    rows.forEach((row, at) => (loss -= logProbability(row, ids[scored + at + 1])));
    if (original) divergence += compareLogits(original[i], rows).divergence * rows.length;
    count += rows.length;
  }
  model.release();
  const mean = original ? divergence / count : null;
  return { perplexity: Math.exp(loss / count), divergence: mean };
}

async function llamaPerplexity(path: string): Promise<number> {
  await using llama = await LlamaCpp.open(path, { contextSize: chunk });
  // Awaited here: what is returned as a promise would find the model freed.
  return await llama.perplexity(text, { chunk, chunks });
}

const original = values.against === undefined ? null : await readOriginal(values.against);
console.log(`| file | MB | fewbit | llama.cpp | apart |${original ? " KL (nats) |" : ""}`);
console.log(`|---|---|---|---|---|${original ? "---|" : ""}`);
for (const path of positionals) {
  const { perplexity, divergence } = await measure(path, original);
  const theirs = values.llama ? await llamaPerplexity(path) : null;
  const apart = theirs === null ? "" : `${(100 * (theirs / perplexity - 1)).toFixed(2)} %`;
  const size = (statSync(path).size / 1e6).toFixed(2);
  const cells = [basename(path), size, perplexity.toFixed(3), theirs?.toFixed(3) ?? "", apart];
  if (divergence !== null) cells.push(divergence.toFixed(5));
  console.log(`| ${cells.join(" | ")} |`);
}
process.exit(0);
