import { rm } from "node:fs/promises";
import { afterAll, describe, expect, test } from "vitest";
import { growTree } from "../../src/evaluation/token-tree.ts";
import { quantize } from "../../src/index.ts";
import type { KvCacheDType } from "../../src/nn/kv-cache.ts";
import { kvRoundings } from "../../src/quant/activation-grid.ts";
import { generateText } from "../../src/runtime/generate.ts";
import type { LanguageModel } from "../../src/runtime/language-model.ts";
import { load } from "../../src/runtime/load.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { crossEntropy } from "../../src/tensor/ops.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { subjects } from "./subjects.ts";

/*
 * What a checkpoint says of its keys and values holds wherever they are used: in whole windows, in
 * trees of texts, and in caches of real integers.
 */

const ids = [1, 10, 20, 30, 40, 50, 7, 8, 9, 11, 12, 13, 30, 31, 32, 33, 2, 5, 6, 44];
const checkpoints: TinyCheckpoint[] = [];
afterAll(() => Promise.all(checkpoints.map(({ remove }) => remove())));

/** A checkpoint of a golden model, quantized by RTN with rounded keys and values. */
async function quantized(modelCase: string, kvCache: "i8" | "i4"): Promise<string> {
  const checkpoint = await writeTinyCheckpoint({ modelCase });
  checkpoints.push(checkpoint);
  const out = `${checkpoint.path}-${kvCache}`;
  checkpoints.push({ path: out, remove: () => rm(out, { recursive: true }) });
  await quantize(checkpoint.path, { method: "rtn", scheme: "w4", kvCache, out });
  return out;
}

/** Mean cross-entropy of the next token. */
async function lossOf(model: LanguageModel, hidden: Tensor): Promise<number> {
  const logits = model.logits(hidden.reshape([ids.length, model.config.hiddenSize]));
  const rows = logits.slice(0, ids.length - 1);
  const targets = Tensor.from(
    model.backend,
    "i32",
    [ids.length - 1],
    Int32Array.from(ids.slice(1)),
  );
  const losses = await crossEntropy(rows as Tensor<"f32">, targets).read();
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

const lossOfWindow = (model: LanguageModel): Promise<number> =>
  lossOf(model, model.hiddenStates(model.tokens([ids])));

/** The same, of tokens that are read one by one through a cache. */
async function lossByTokens(model: LanguageModel, dtype?: KvCacheDType): Promise<number> {
  const cache = model.newCache(ids.length, 1, dtype);
  const states: Float32Array[] = [];
  for (const id of ids) {
    states.push(
      await (model.hiddenStates(model.tokens([[id]]), { cache }) as Tensor<"f32">).read(),
    );
  }
  cache.release();
  const { hiddenSize } = model.config;
  const all = Float32Array.from(states.flatMap((state) => [...state]));
  return lossOf(model, Tensor.from(model.backend, "f32", [1, ids.length, hiddenSize], all));
}

describe.each(subjects)("$title", ({ missing, open }) => {
  if (missing) {
    test.skip(`skipped: ${missing}`, () => undefined);
    return;
  }
  const backend = open();

  describe.each(["llama-one-key-head", "gemma2"])("%s", (modelCase) => {
    test.each(kvRoundings)(
      "with keys and values of %s: the loss of a window is that of decoding token by token",
      async (kvCache) => {
        const path = await quantized(modelCase, kvCache);
        const model = await load(path, { backend });
        const plain = await load(path, { backend, kvCache: null });
        const [window, decoded] = [await lossOfWindow(model), await lossByTokens(model)];
        expect(decoded).toBeCloseTo(window, 5);
        expect(await lossByTokens(model, "f32")).toBeCloseTo(await lossOfWindow(plain), 5);
        expect(Math.abs(window - (await lossOfWindow(plain)))).toBeGreaterThan(2e-5);
        const { stats } = await generateText(model, { prompt: ids, maxTokens: 2 });
        expect(stats.kvCache).toBe(kvCache);
        for (const each of [model, plain]) each.release();
      },
    );
  });

  test("texts of a tree have their keys and values rounded, too", async () => {
    const model = await load(await quantized("llama-one-key-head", "i4"), { backend });
    const tree = growTree(backend, [Int32Array.from(ids)]);
    const hidden = model.hiddenStates(model.tokens([[...tree.ids]]), { tree });
    expect(await lossOf(model, hidden)).toBeCloseTo(await lossOfWindow(model), 5);
    model.release();
  });
});
