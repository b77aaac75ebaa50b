import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filesOf } from "../../test/e2e/killed-runs.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../test/golden/tiny-checkpoint.ts";
import { CancelledError, type LanguageModel, load, quantize } from "../index.ts";
import { klDivergence } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ActivationCache } from "./activations.ts";
import type { BlockJob } from "./block-job.ts";
import { outputGradients } from "./output-gradients.ts";

let folder = "";
let tiny: TinyCheckpoint;
let loaded: LanguageModel;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-gradients-"));
  tiny = await writeTinyCheckpoint({
    modelCase: "llama",
    config: { num_hidden_layers: 3 },
    fitting: true,
  });
  loaded = await load(tiny.path, { backend: "reference" });
});
afterAll(async () => {
  loaded.release();
  await tiny.remove();
  rmSync(folder, { recursive: true });
});

const windows = [Int32Array.of(5, 9, 12, 7, 20, 11), Int32Array.of(8, 8, 30, 6, 17, 10)];
const [count, length] = [windows.length, windows[0].length];

describe.each([0, 1, 2])("gradients by the outputs of block %i of 3", (index) => {
  test.each([false, true])("are differences of the divergence; on the disk: %s", async (onDisk) => {
    const { model, blocks } = loaded;
    const { backend, hiddenSize } = model;
    const forward = (block: (typeof blocks)[number], hidden: Tensor<"f32">): Tensor<"f32"> =>
      model.forwardBlock(block, hidden, { position: 0 }) as Tensor<"f32">;
    const logitsOf = (output: Tensor<"f32">): Tensor<"f32"> => {
      let hidden = output;
      for (const block of blocks.slice(index + 1)) hidden = forward(block, hidden);
      return model.logits(hidden.reshape([count * length, hiddenSize]));
    };
    const original = await ActivationCache.embed(backend, model, windows);
    for (const block of blocks.slice(0, index + 1)) await original.advance(model, block);
    // What comes to the block is off, as it is behind quantized blocks.
    const quantized = (await ActivationCache.embed(backend, model, windows)) as ActivationCache;
    for (const block of blocks.slice(0, index)) await quantized.advance(model, block);
    const shifted = await quantized.map(
      (hidden) => {
        const values = (hidden.storage as Float32Array).map((x, i) => x + 0.3 * Math.sin(7 * i));
        return Tensor.from(backend, "f32", hidden.shape, values);
      },
      { path: null },
    );
    const place = onDisk ? join(folder, `disk-${index}`) : null;
    const job = { index, model, streams: { folder: place }, report: () => {} };
    const streams = { quantized: shifted, original };
    const found = await outputGradients(blocks[index], job as unknown as BlockJob, streams);
    const gradients = await (await found.take([0, 1])).read();
    const output = await forward(blocks[index], await shifted.take([0, 1])).read();
    const expected = logitsOf(await original.take([0, 1]));
    const divergenceOf = async (values: Float32Array): Promise<number> => {
      const shape = [count, length, hiddenSize];
      const logits = logitsOf(Tensor.from(backend, "f32", shape, values.slice()));
      const { divergence } = klDivergence(expected, logits);
      return (await divergence.read()).reduce((sum, x) => sum + x, 0);
    };
    const largest = gradients.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expect(largest).toBeGreaterThan(0);
    for (const at of [0, 3, hiddenSize + 5, 4 * hiddenSize + 2, 8 * hiddenSize + 1]) {
      const step = 0.02;
      const [more, less] = await Promise.all(
        [step, -step].map((move) => divergenceOf(output.map((x, i) => (i === at ? x + move : x)))),
      );
      expect(Math.abs((more - less) / (2 * step) - gradients[at])).toBeLessThan(0.03 * largest);
    }
    await found.release();
    if (place) expect(readdirSync(place)).toEqual([]);
  });
});

test("BRECQ by gradients of the outputs: the same bytes from the disk, and when it is resumed", async () => {
  const text = join(folder, "text.txt");
  writeFileSync(text, "One day a cat sat on a mat, and the dog ran to the old barn. ".repeat(10));
  const recipe = {
    method: "brecq",
    scheme: "w2g8",
    calibration: text,
    samples: 4,
    window: 24,
    options: { iters: 4, loss: "fisher" },
    threads: 1,
  } as const;
  const whole = join(folder, "whole");
  const { record } = await quantize(tiny.path, { ...recipe, out: whole });
  expect(record.blocks.map(({ figures }) => figures.steps)).toEqual([4, 4, 4]);
  const onDisk = join(folder, "on-disk");
  await quantize(tiny.path, { ...recipe, cacheOnDisk: true, out: onDisk });
  expect(weightsOf(onDisk)).toEqual(weightsOf(whole));
  const out = join(folder, "resumed");
  const controller = new AbortController();
  const first = quantize(tiny.path, { ...recipe, out, signal: controller.signal });
  for await (const event of first.events) if (event.type === "block") controller.abort();
  await expect(first).rejects.toThrow(CancelledError);
  await quantize(tiny.path, { ...recipe, out });
  expect(filesOf(out)).toEqual(filesOf(whole));
  expect(readdirSync(dirname(out)).filter((name) => name.startsWith("."))).toEqual([]);
  const plain = join(folder, "plain");
  await quantize(tiny.path, { ...recipe, options: { iters: 4, loss: "squared" }, out: plain });
  expect(existsSync(plain)).toBe(true);
  expect(weightsOf(plain)).not.toEqual(weightsOf(whole));
});

/** Hashes of the weights that a run wrote, by file. */
function weightsOf(directory: string): [string, string][] {
  return Object.entries(filesOf(directory)).filter(([name]) => name.endsWith(".safetensors"));
}
