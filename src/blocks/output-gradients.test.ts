import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filesOf } from "../../test/e2e/killed-runs.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../test/golden/tiny-checkpoint.ts";
import { CancelledError, quantize } from "../index.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import type { DecoderBlock } from "../models/decoder-weights.ts";
import { openModel, type OpenedModel } from "../runtime/load.ts";
import { klDivergence } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ActivationCache } from "./activations.ts";
import type { BlockJob } from "./block-job.ts";
import { outputGradients } from "./output-gradients.ts";

const backend = createReferenceBackend();
/** Predictions of a model of small random weights hardly depend on anything. */
const sharpen = (name: string, values: Float32Array): void => {
  const factor = /embed_tokens|lm_head/.test(name) ? 30 : 4;
  if (values.length > 64) for (let i = 0; i < values.length; i++) values[i] *= factor;
};

let folder = "";
let tiny: TinyCheckpoint;
let opened: OpenedModel;
let blocks: DecoderBlock[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-gradients-"));
  const config = { num_hidden_layers: 3 };
  tiny = await writeTinyCheckpoint({ modelCase: "llama", config, fitting: true, edit: sharpen });
  opened = await openModel(tiny.path, { backend, precision: "float32" });
  blocks = await Promise.all([0, 1, 2].map((index) => opened.model.loadBlock(index)));
});
afterAll(async () => {
  await opened.checkpoint.close();
  await tiny.remove();
  rmSync(folder, { recursive: true });
});

const windows = [Int32Array.of(5, 9, 12, 7, 20, 11), Int32Array.of(8, 8, 30, 6, 17, 10)];
const [count, length] = [windows.length, windows[0].length];

describe.each([0, 1, 2])("gradients by the outputs of block %i of 3", (index) => {
  test.each([false, true])("are differences of the divergence; on the disk: %s", async (onDisk) => {
    const { model } = opened;
    const { hiddenSize } = model;
    await model.loadEmbeddingAndHead();
    const forward = (block: DecoderBlock, hidden: Tensor<"f32">): Tensor<"f32"> =>
      model.forwardBlock(block, hidden, { position: 0 }) as Tensor<"f32">;
    const logitsOf = (output: Tensor<"f32">): Tensor<"f32"> => {
      let hidden = output;
      for (const block of blocks.slice(index + 1)) hidden = forward(block, hidden);
      return model.logits(hidden.reshape([count * length, hiddenSize]));
    };
    const original = await ActivationCache.embed(backend, model, windows);
    for (const block of blocks.slice(0, index + 1)) await original.advance(model, block);
    // What comes to the block is off, as it is behind quantized blocks.
    const quantized = await ActivationCache.embed(backend, model, windows);
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
    await model.loadEmbeddingAndHead();
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
  const squared = { iters: 4, loss: "squared" } as const;
  const other = await quantize(tiny.path, { ...recipe, options: squared, out: plain });
  const before = [record, other.record].map(({ blocks: [{ figures }] }) => figures.lossBefore);
  // Errors are multiplied by 1 and more.
  expect(before[0]).toBeGreaterThan(1.001 * before[1]);
});

/** Hashes of the weights that a run wrote, by file. */
function weightsOf(directory: string): [string, string][] {
  return Object.entries(filesOf(directory)).filter(([name]) => name.endsWith(".safetensors"));
}
