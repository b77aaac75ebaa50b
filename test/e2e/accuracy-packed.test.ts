import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { exportCheckpoint, type LanguageModel, load } from "../../src/index.ts";
import {
  absent,
  perplexityOf,
  quantizeLikeReference,
  shared,
  temporaryFolder,
} from "./shared-models.ts";

const schemes = ["w1", "w1.58", "w2g64", "w3", "w4g64-sym", "w4g64-nf4", "w8"];
const inFolder = temporaryFolder();

/** Logits of every position, `[length, vocabulary]`. */
async function logitsOf(model: LanguageModel, ids: readonly number[]): Promise<Float32Array> {
  const hidden = model.hiddenStates(model.tokens([ids]));
  return model.logits(hidden.reshape([ids.length, model.config.hiddenSize])).read();
}

describe.skipIf(absent)(`packed weights are the weights that were measured${absent}`, () => {
  describe.each(schemes)("%s", (scheme) => {
    test("perplexity equals that of the decoded checkpoint to 1e-3, logits to 1e-4", async () => {
      const packed = await quantizeLikeReference("stories260K", {
        method: "rtn",
        scheme,
        out: inFolder(scheme),
      });
      const plain = inFolder(`${scheme}-plain`);
      await exportCheckpoint(packed, { format: "hf", dtype: "f32", out: plain });

      const [a, b] = await Promise.all(
        [packed, plain].map((path) => perplexityOf(path, "stories260K", 64)),
      );
      expect(Math.abs(a / b - 1)).toBeLessThan(1e-3);

      const reference = shared("models/stories260K/reference.json");
      const ids: number[] = JSON.parse(readFileSync(reference, "utf8")).greedy_ids;
      const models = await Promise.all([load(packed), load(plain)]);
      const [x, y] = await Promise.all(models.map((model) => logitsOf(model, ids)));
      const largest = y.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      const difference = x.reduce((most, value, i) => Math.max(most, Math.abs(value - y[i])), 0);
      expect(difference).toBeLessThan(1e-4 * largest);
      for (const model of models) model.release();
    });
  });

  test.each([
    ["stories260K", "w4g32", "rtn"],
    ["stories260K", "w4g32-nf4", "rtn"],
    ["stories260K", "w2g32", "gptq"],
    ["prose-6m", "w4g64", "rtn"],
    ["prose-6m", "w2g64", "rtn"],
  ] as const)(
    "%s %s: inputs of 8 bits cost less than half a percent of perplexity",
    async (model, scheme, method) => {
      const out = inFolder(`${model}-${scheme}`);
      await quantizeLikeReference(model, { method, scheme, out });
      const windows = model === "prose-6m" ? 4 : 64;
      const exact = await perplexityOf(out, model, windows);
      const fast = await perplexityOf(out, model, windows, "fast");
      if (process.env.FEWBIT_SHOW_ACCURACY) {
        process.stderr.write(`${model} ${scheme} ${method}: fast / exact ${fast / exact}\n`);
      }
      expect(Math.abs(fast / exact - 1)).toBeLessThan(0.005);
    },
  );
});
