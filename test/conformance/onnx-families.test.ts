import { afterEach, describe, expect, test } from "vitest";
import { exportCheckpoint, load } from "../../src/index.ts";
import { temporaryFolder } from "../e2e/shared-models.ts";
import { OnnxModel } from "../fixtures/onnx-session.ts";
import { modelCaseNames, readModelCase } from "../golden/model-cases.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";

/*
 * Every golden model, run by onnxruntime-web from what it is exported as: whole, token by token over
 * its cache, and with padding in front. No family is named here but those that are refused.
 */

const inFolder = temporaryFolder();
let checkpoint: TinyCheckpoint | null = null;
afterEach(async () => {
  await checkpoint?.remove();
  checkpoint = null;
});

/** Golden models that the graph does not express, by what their refusal names. */
const refused: Readonly<Record<string, string>> = {
  "gemma-biases": "`headDim` 10",
  "mistral-window": "`headDim` 12",
  "qwen3-biases-window": "`headDim` 10",
  "mobilellm-with-shared-layers": "`blockRuns` 2",
  mixtral: "`experts`",
  "mixtral-window": "`experts`",
  olmoe: "`experts`",
  "olmoe-normalized": "`experts`",
  "qwen2-moe": "`experts`",
  "qwen2-moe-steps": "`experts`",
  "qwen3-moe-every": "`experts`",
  "qwen3-moe-steps": "`experts`",
  "gemma3-images": "reads images",
  llava: "reads images",
  "llava-mistral": "reads images",
  "llava-next": "reads images",
  "qwen2-vl": "reads images",
  "qwen2-vl-text-config": "reads images",
  "qwen2-vl-yarn": "reads images",
  "qwen2-5-vl": "reads images",
};

/** Largest difference of logits that is allowed, as a share of the largest logit. */
const tolerance = 2e-5;

async function logitsOf(path: string, ids: readonly number[]): Promise<Float32Array> {
  const model = await load(path);
  const hidden = model.hiddenStates(model.tokens([ids]));
  const logits = model.logits(hidden.reshape([ids.length, model.config.hiddenSize]));
  const read = await logits.read();
  model.release();
  return Float32Array.from(read);
}

function largestDifference(found: Float32Array, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const worst = found.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i])), 0);
  return worst / largest;
}

describe("onnxruntime-web computes what fewbit does", () => {
  test.each(modelCaseNames.filter((name) => !Object.hasOwn(refused, name)))("%s", async (name) => {
    checkpoint = await writeTinyCheckpoint({ modelCase: name });
    const out = inFolder(name);
    await exportCheckpoint(checkpoint.path, { format: "onnx", out, verify: true });
    const [ids] = readModelCase(name).ids;
    const expected = await logitsOf(checkpoint.path, ids);
    const model = await OnnxModel.open(out);
    const whole = await model.run(ids);
    expect(largestDifference(whole.logits, expected)).toBeLessThan(tolerance);

    const padding = [0, 0];
    const padded = await model.run([...padding, ...ids], undefined, [
      ...padding,
      ...ids.map(() => 1),
    ]);
    const width = expected.length / ids.length;
    const counted = padded.logits.subarray(padding.length * width);
    expect(largestDifference(counted, expected)).toBeLessThan(tolerance);

    // LongRoPE has other frequencies beyond its context: what is cached was rotated by the former.
    if (!name.endsWith("-beyond")) {
      const half = Math.ceil(ids.length / 2);
      const first = await model.run(ids.slice(0, half));
      const second = await model.run(ids.slice(half, -1), first.cache);
      const last = await model.run(ids.slice(-1), second.cache);
      expect(largestDifference(last.logits, expected.slice(-width))).toBeLessThan(4 * tolerance);
    }
    await model.release();
  });

  test.each(Object.entries(refused))("%s is refused by name: %s", async (name, named) => {
    checkpoint = await writeTinyCheckpoint({ modelCase: name });
    const asked = { format: "onnx", out: inFolder("refused") } as const;
    await expect(exportCheckpoint(checkpoint.path, asked)).rejects.toThrow(named);
  });
});
