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

const schemes = ["w1", "w1.58", "w2g64", "w3", "w4g64-sym", "w8"];
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
});
