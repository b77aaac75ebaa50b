import { expect, test } from "vitest";
import { idTensor, loadCase, readModelCase } from "../../test/golden/model-cases.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { ActivationCache } from "./activations.ts";
import { TokenFactors } from "./token-factors.ts";

const backend = createReferenceBackend();
const windows = Array.from({ length: 3 }, (_, row) =>
  Int32Array.from({ length: 8 }, (_, t) => (7 * row + 5 * t) % 32),
);

test("weights are 1/√mean(h²) of what the block puts out, or of what the original did", async () => {
  const { model, blocks } = await loadCase(backend, readModelCase("llama"));
  const [block] = blocks;
  const quantized = await ActivationCache.embed(backend, model, windows);
  const job = { model, signal: undefined, report: () => {} };
  const hidden = model.embed(
    idTensor(
      backend,
      windows.map((window) => [...window]),
    ),
  );
  const output = (await model.forwardBlock(block, hidden, { position: 0 })?.read()) as Float32Array;
  const expected = Array.from({ length: 24 }, (_, t) => {
    const state = output.subarray(t * model.hiddenSize, (t + 1) * model.hiddenSize);
    return (state.reduce((sum, h) => sum + h * h, 0) / model.hiddenSize) ** -0.5;
  });
  const original = await ActivationCache.embed(backend, model, windows);
  await original.advance(model, block);
  for (const streams of [
    { quantized, original: null },
    { quantized, original },
  ]) {
    const factors = await TokenFactors.measure(block, streams, job);
    const found = (await factors.ofPass(0)?.read()) ?? [];
    expect(found.length).toBe(24);
    found.forEach((factor, t) => expect(factor ** 2 / expected[t]).toBeCloseTo(1, 5));
    expect(factors.ofPass(1)).toBeNull();
    factors.release();
  }
});
