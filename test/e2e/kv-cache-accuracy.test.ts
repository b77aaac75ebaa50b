import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { load } from "../../src/index.ts";
import type { KvCacheDType } from "../../src/nn/kv-cache.ts";
import type { LanguageModel } from "../../src/runtime/language-model.ts";
import { crossEntropy, klDivergence } from "../../src/tensor/ops.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { absent, evaluationText, type ModelName, shared } from "./shared-models.ts";

/** Tokens a window. */
const length = 512;
const windows = 2;

/*
 * What a rounded key-value cache costs. Each window is run through the cache in passes of 64
 * tokens, so that most keys and values are read back from it.
 */
describe.skipIf(absent)(`a key-value cache in fewer bits${absent}`, () => {
  test.each<[ModelName, KvCacheDType, { divergence: number; perplexity: number }]>([
    ["stories260K", "f16", { divergence: 3e-5, perplexity: 1e-3 }],
    ["stories260K", "i8", { divergence: 1e-2, perplexity: 1e-2 }],
    ["prose-6m", "f16", { divergence: 1e-6, perplexity: 1e-4 }],
    ["prose-6m", "i8", { divergence: 1e-4, perplexity: 1e-3 }],
  ])("of %s in %s changes predictions little", async (name, dtype, most) => {
    const model = await load(shared(`models/${name}`));
    const text = readFileSync(evaluationText(name), "utf8").slice(0, 40_000);
    const ids = Array.from(model.tokenizer.encode(text));
    const sums = { divergence: 0, exact: 0, rounded: 0 };
    for (let w = 0; w < windows; w++) {
      const window = ids.slice(w * length, (w + 1) * length);
      const exact = await logitsThroughCache(model, window, "f32");
      const rounded = await logitsThroughCache(model, window, dtype);
      const targets = Tensor.from(
        model.backend,
        "i32",
        [length],
        Int32Array.from([...window.slice(1), 0]),
      );
      sums.divergence += await mean(klDivergence(exact, rounded).divergence, length);
      sums.exact += await mean(crossEntropy(exact, targets), length - 1);
      sums.rounded += await mean(crossEntropy(rounded, targets), length - 1);
      for (const tensor of [exact, rounded]) tensor.release();
    }
    model.release();
    const divergence = sums.divergence / windows;
    const ratio = Math.exp((sums.rounded - sums.exact) / windows);
    if (process.env.FEWBIT_SHOW_ACCURACY) {
      console.log(`${name} ${dtype}: KL ${divergence}, perplexity × ${ratio}`);
    }
    expect(divergence).toBeGreaterThan(0);
    expect(divergence).toBeLessThan(most.divergence);
    expect(Math.abs(ratio - 1)).toBeLessThan(most.perplexity);
  });
});

async function logitsThroughCache(
  model: LanguageModel,
  ids: readonly number[],
  dtype: KvCacheDType,
): Promise<Tensor<"f32">> {
  const { hiddenSize, vocabularySize } = model.config;
  const cache = model.newCache(length, 1, dtype);
  const rows: Float32Array[] = [];
  for (let start = 0; start < ids.length; start += 64) {
    const part = ids.slice(start, start + 64);
    const hidden = model.hiddenStates(model.tokens([part]), { cache });
    rows.push(await model.logits(hidden.reshape([part.length, hiddenSize])).read());
    hidden.release();
  }
  cache.release();
  const all = new Float32Array(ids.length * vocabularySize);
  rows.forEach((row, i) => all.set(row, i * 64 * vocabularySize));
  return Tensor.from(model.backend, "f32", [ids.length, vocabularySize], all);
}

/** Mean of the first `count` values. */
async function mean(values: Tensor<"f32">, count: number): Promise<number> {
  const array = await values.read();
  return array.subarray(0, count).reduce((sum, x) => sum + x, 0) / count;
}
