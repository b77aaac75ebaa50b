import { expect, test } from "vitest";
import { formulaSource } from "../../../test/golden/formula-weights.ts";
import { readModelCase } from "../../../test/golden/model-cases.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { DecoderModel } from "../../models/decoder.ts";
import { readModelConfig } from "../../models/index.ts";
import { TrainableModel } from "../../nn/trainable-model.ts";
import type { MicroBatch } from "../../training/training-loop.ts";
import { Prng } from "../../util/prng.ts";
import { distill } from "./distillation.ts";
import { divergenceLoss } from "./divergence-loss.ts";

const backend = createReferenceBackend();

async function loadModel(change = (value: number): number => value): Promise<TrainableModel> {
  const { config } = readModelCase("llama-tied-multi-head");
  const parsed = readModelConfig(config);
  const source = formulaSource(backend, parsed, "float32");
  const model = await TrainableModel.load(await DecoderModel.open(backend, parsed, source), source);
  for (const tensor of model.tensors.values()) {
    const values = tensor.storage as Float32Array;
    for (const [i, value] of values.entries()) values[i] = change(value);
  }
  return model;
}

const prng = new Prng(8);
const length = 10;
const ids = Int32Array.from({ length: 2 * length }, () => prng.below(72));
const everything = new Int32Array(2 * length).fill(0);

async function valuesOf({ loss, gradients }: MicroBatch): Promise<number[][]> {
  let total = 0;
  for (const { values, scale } of loss) {
    for (const value of (await values.read()) as Float32Array) total += scale * value;
  }
  const read = gradients.map(async (gradient) => [...((await gradient?.read()) ?? [])]);
  return [[total], ...(await Promise.all(read))];
}

function expectClose(found: readonly number[][], expected: readonly number[][]): void {
  expect(found.map(({ length: of }) => of)).toEqual(expected.map(({ length: of }) => of));
  for (const [i, values] of expected.entries()) {
    const size = Math.max(...values.map(Math.abs));
    for (const [j, value] of values.entries()) {
      expect(Math.abs(found[i][j] - value)).toBeLessThan(1e-5 * size + 1e-9);
    }
  }
}

const models = async () => {
  const student = await loadModel((value) => Math.round(8 * value) / 8);
  const parameters = [...student.tensors].map(([name, value]) => ({ name, value, group: "all" }));
  return { student, teacher: await loadModel(), parameters, recompute: false };
};

test.each([1, 7, 20])(
  "all rows, %i at a time, have the gradients of whole logits",
  async (rows) => {
    const imitation = await models();
    const logitsAtOnce = rows * imitation.student.vocabularySize;
    const batch = { ids, length, targets: everything };
    const found = await valuesOf(divergenceLoss({ ...imitation, logitsAtOnce }, batch, "f32"));
    const whole = distill({ ...imitation, kdWeight: 1, hiddenWeight: 0 }, { ids, length }, "f32");
    expectClose(found, await valuesOf({ ...whole, loss: whole.loss.slice(0, 1) }));
    expect(found[0][0]).toBeGreaterThan(0);
  },
);

test("rows without a target count for nothing, in the mean neither", async () => {
  const imitation = await models();
  const targetsAt = (...rows: number[]) =>
    everything.map((_, row) => (rows.includes(row) ? 5 : -1));
  const of = (targets: Int32Array) =>
    valuesOf(divergenceLoss({ ...imitation, recompute: true }, { ids, length, targets }, "f32"));
  const [one, other, both] = [
    await of(targetsAt(3)),
    await of(targetsAt(14)),
    await of(targetsAt(3, 14)),
  ];
  const means = one.map((values, i) => values.map((value, j) => (value + other[i][j]) / 2));
  expectClose(both, means);
  expect(one[0][0]).not.toBeCloseTo(other[0][0], 4);
});

test("without parameters the same loss is measured, and nothing is differentiated", async () => {
  const imitation = await models();
  const batch = { ids, length };
  const [[measured], ...gradients] = await valuesOf(
    divergenceLoss({ ...imitation, parameters: [] }, batch, "f32"),
  );
  const [[trained]] = await valuesOf(divergenceLoss(imitation, batch, "f32"));
  expect(measured).toBe(trained);
  expect(gradients).toEqual([]);
});
