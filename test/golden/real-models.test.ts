import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  createNativeBackend,
  nativeAvailability,
} from "../../src/kernels/native/native-backend.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { generateText } from "../../src/runtime/generate.ts";
import type { LanguageModel } from "../../src/runtime/language-model.ts";
import { load } from "../../src/runtime/load.ts";
import { crossEntropy } from "../../src/tensor/ops.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

/*
 * Real checkpoints against the values that PyTorch gave them. The reference.json files of the
 * TinyStories models were made before the weights were rounded to float16, which moves their logits
 * by up to 0.01: the logits of the stored weights are in last-logits.json
 * (tools/golden/make_models.py).
 */

interface Reference {
  readonly prompt: string;
  readonly prompt_ids: readonly number[];
  readonly greedy_ids: readonly number[];
  readonly greedy_text: string;
  readonly last_logits_f32: readonly number[];
  readonly argmax_per_pos?: readonly number[];
  readonly greedy_mean_nll?: number;
}

const folder = fileURLToPath(new URL("../../../shared/data/models/", import.meta.url));
const absent = existsSync(folder) ? "" : `skipped: ${folder} is not there`;
const native = nativeAvailability();
const noNative = native.available ? "" : `skipped: ${native.reason}`;

const backends = [
  { title: "reference", missing: absent, open: createReferenceBackend },
  { title: "native", missing: absent || noNative, open: createNativeBackend },
];

const storedLogits: Record<string, readonly number[]> = JSON.parse(
  readFileSync(new URL("./last-logits.json", import.meta.url), "utf8"),
);

const models = [
  { name: "babyllama-tok105", logits: storedLogits["babyllama-tok105"], tolerance: 0.02 },
  { name: "stories260K", logits: storedLogits.stories260K, tolerance: 0.02 },
  { name: "stories260K-sharded", logits: storedLogits.stories260K, tolerance: 0.02 },
  { name: "prose-6m", logits: null, tolerance: 1e-3 },
];

function readReference(name: string): Reference {
  return JSON.parse(readFileSync(`${folder}${name}/reference.json`, "utf8"));
}

/** Logits of every position of a text, `[length, vocabulary]`. */
function textLogits(languageModel: LanguageModel, ids: readonly number[]): Tensor<"f32"> {
  const hidden = languageModel.hiddenStates(languageModel.tokens([ids]));
  return languageModel.logits(hidden.reshape([ids.length, languageModel.config.hiddenSize]));
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])));
}

describe.each(backends)("on $title", ({ missing, open }) => {
  describe.skipIf(missing)(missing || "with the shared models", () => {
    describe.each(models)("$name", ({ name, logits: stored, tolerance }) => {
      test("the last logits are those of PyTorch to 1e-3", async () => {
        const reference = readReference(name);
        const languageModel = await load(folder + name, { backend: open() });
        // See the data's README: of the greedy text in the TinyStories models, of the prompt
        // otherwise.
        const ids = reference.argmax_per_pos ? reference.greedy_ids : reference.prompt_ids;
        const all = await textLogits(languageModel, ids).read();
        const vocabulary = languageModel.config.vocabularySize;
        const last = all.subarray(all.length - vocabulary);
        expect(largestDifference(last, stored ?? reference.last_logits_f32)).toBeLessThan(1e-3);
        expect(largestDifference(last, reference.last_logits_f32)).toBeLessThan(tolerance);
        for (const [position, token] of reference.argmax_per_pos?.entries() ?? []) {
          const row = all.subarray(position * vocabulary, (position + 1) * vocabulary);
          expect(row.indexOf(Math.max(...row))).toBe(token);
        }
      });

      test("the greedy text is that of PyTorch", async () => {
        const reference = readReference(name);
        const languageModel = await load(folder + name, { backend: open() });
        const maxTokens = reference.greedy_ids.length - reference.prompt_ids.length;
        const { tokens, text } = await generateText(languageModel, {
          prompt: reference.prompt,
          maxTokens,
          ignoreEos: true,
          prefillChunk: 7,
        });
        expect([...reference.prompt_ids, ...tokens]).toEqual(reference.greedy_ids);
        expect(reference.greedy_text.endsWith(text)).toBe(true);
        expect(text.length).toBeGreaterThan(maxTokens / 2);
      });
    });

    test("prose-6m: the mean loss of the greedy text is that of PyTorch to 1e-5", async () => {
      const { greedy_ids: ids, greedy_mean_nll: expected } = readReference("prose-6m");
      const backend = open();
      const languageModel = await load(`${folder}prose-6m`, { backend });
      const targets = Tensor.from(backend, "i32", [ids.length - 1], Int32Array.from(ids.slice(1)));
      const losses = crossEntropy(textLogits(languageModel, ids.slice(0, -1)), targets);
      const values = await losses.read();
      const mean = values.reduce((sum, loss) => sum + loss, 0) / values.length;
      expect(mean).toBeCloseTo(expected ?? 0, 5);
    });
  });
});
