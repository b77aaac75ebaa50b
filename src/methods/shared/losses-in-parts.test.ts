import { describe, expect, test } from "vitest";
import { formulaSource } from "../../../test/golden/formula-weights.ts";
import { readModelCase } from "../../../test/golden/model-cases.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { DecoderModel } from "../../models/decoder.ts";
import { readModelConfig } from "../../models/index.ts";
import { TrainableModel } from "../../nn/trainable-model.ts";
import type { LossPass, PassMemory } from "../../training/loss-in-parts.ts";
import { nextTokenLoss } from "../../training/next-token-loss.ts";
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
const vocabulary = 72;
const ids = Int32Array.from({ length: 3 * length }, () => prng.below(vocabulary));

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

/** A student, whose parameters all get gradients, and a teacher. */
async function models(): Promise<{
  who: { student: TrainableModel; teacher: TrainableModel };
  pass: LossPass;
}> {
  const student = await loadModel((value) => Math.round(8 * value) / 8);
  const parameters = [...student.tensors].map(([name, value]) => ({ name, value, group: "all" }));
  return {
    who: { student, teacher: await loadModel() },
    pass: { parameters, precision: "f32" },
  };
}

const losses: Record<string, (memory: Partial<PassMemory>) => Promise<MicroBatch>> = {
  divergence: async (memory) => {
    const { who, pass } = await models();
    return divergenceLoss({ ...who, recompute: false, ...memory }, { ids, length }, pass);
  },
  "cross-entropy": async (memory) => {
    const { who, pass } = await models();
    return nextTokenLoss(
      { model: who.student, recompute: false, ...memory },
      { ids, length },
      pass,
    );
  },
  distillation: async (memory) => {
    const { who, pass } = await models();
    const weights = { kdWeight: 2, hiddenWeight: 3 };
    return distill({ ...who, ...weights, recompute: false, ...memory }, { ids, length }, pass);
  },
};

describe.each(Object.entries(losses))("%s of a part at a time is that of all at once", (_, of) => {
  test.each([
    ["one row of logits", { logitsAtOnce: vocabulary }],
    ["seven rows of logits", { logitsAtOnce: 7 * vocabulary }],
    ["one window", { windowsAtOnce: 1 }],
    ["two of three windows, recomputed", { windowsAtOnce: 2, recompute: true }],
    ["one window, three rows of logits", { windowsAtOnce: 1, logitsAtOnce: 3 * vocabulary }],
  ])("%s", async (_name, memory) => {
    const [found, whole] = [await valuesOf(await of(memory)), await valuesOf(await of({}))];
    expectClose(found, whole);
    expect(whole[0][0]).toBeGreaterThan(0.1);
    expect(whole.length).toBeGreaterThan(10);
  });
});

test("of all rows, the divergence is that of distillation without hidden states", async () => {
  const { who, pass } = await models();
  const targets = new Int32Array(ids.length).fill(0);
  const weights = { kdWeight: 1, hiddenWeight: 0, recompute: false };
  const whole = distill({ ...who, ...weights }, { ids, length }, pass);
  const batch = { ids, length, targets };
  const divergence = divergenceLoss({ ...who, recompute: false }, batch, pass);
  const named = whole.loss.filter(({ name }) => name === "kl");
  expectClose(await valuesOf(divergence), await valuesOf({ ...whole, loss: named }));
});

test("rows without a target count for nothing, in the mean neither", async () => {
  const { who, pass } = await models();
  const targetsAt = (...rows: number[]) =>
    Int32Array.from({ length: ids.length }, (_, row) => (rows.includes(row) ? 5 : -1));
  const of = (targets: Int32Array) =>
    valuesOf(divergenceLoss({ ...who, recompute: true }, { ids, length, targets }, pass));
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
  const { who, pass } = await models();
  const batch = { ids, length };
  const memory = { recompute: false };
  const [[measured], ...gradients] = await valuesOf(
    divergenceLoss({ ...who, ...memory }, batch, { ...pass, parameters: [] }),
  );
  const [[trained]] = await valuesOf(divergenceLoss({ ...who, ...memory }, batch, pass));
  expect(measured).toBe(trained);
  expect(gradients).toEqual([]);
});
