import { expect, test } from "vitest";
import { writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { TrainableModel } from "../../nn/trainable-model.ts";
import type { WeightSource } from "../../nn/weight-source.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { CheckpointWeights } from "../../formats/checkpoint-weights.ts";
import { openModel } from "../../runtime/load.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { StepReport } from "../../training/training-loop.ts";
import { MemoryStore } from "../../training/training-store.ts";
import { UnsupportedError } from "../../util/errors.ts";
import { Prng } from "../../util/prng.ts";
import type { ModelProblem, TrainedModel } from "../define-method.ts";
import { roundToNearest } from "../shared/quantize-columns.ts";
import e2eQp from "./e2e-qp.ts";

const backend = createReferenceBackend();
const scheme = parseScheme("w2g8");

/**
 * A tiny model whose linears are rounded to nearest, with the packed weights by module, and the
 * original.
 */
async function withPacked(
  body: (
    model: TrainableModel,
    packed: ReadonlyMap<string, QTensor>,
    original: TrainableModel,
  ) => Promise<void>,
  isPacked = true,
): Promise<void> {
  const checkpoint = await writeTinyCheckpoint({});
  try {
    const opened = await openModel(checkpoint.path, { backend, precision: "float32" });
    const float = new CheckpointWeights(backend, opened.checkpoint, "float32");
    const modules = new Set(opened.model.linears().map(({ module }) => module));
    const packed = new Map<string, QTensor>();
    const source: WeightSource = {
      has: (name) => float.has(name),
      shape: (name) => float.shape(name),
      tensor: (name) => float.tensor(name),
      storedMatrix: (module) => float.matrix(module),
      matrix: async (module) => {
        const weight = await float.matrix(module);
        if (!isPacked || !modules.has(module)) return weight;
        const made = await roundToNearest(weight as Tensor<"f32">, scheme, null);
        packed.set(module, made);
        return made;
      },
    };
    const model = await TrainableModel.load(opened.model, source);
    const other = await openModel(checkpoint.path, { backend, precision: "float32" });
    await body(model, packed, await TrainableModel.load(other.model, float));
    await other.checkpoint.close();
    await opened.checkpoint.close();
  } finally {
    await checkpoint.remove();
  }
}

type Problem = ModelProblem<Record<string, unknown>>;

async function train(
  model: TrainableModel,
  options: Record<string, unknown>,
  { targets = null, teacher = null }: Partial<Pick<Problem, "targets" | "teacher">> = {},
): Promise<{ trained: TrainedModel; losses: number[] }> {
  const prng = new Prng(1);
  const text = Int32Array.from({ length: 12 }, () => prng.below(model.vocabularySize));
  const losses: number[] = [];
  const trained = await e2eQp.trainModel?.({
    model,
    teacher,
    schemeOf: () => scheme,
    windows: [text, text.map((id) => (id + 1) % model.vocabularySize)],
    targets,
    options: e2eQp.options.parse({
      batch: 2,
      epochs: 12,
      learningRate: 6e-3,
      loss: teacher ? "kl" : "cross-entropy",
      ...options,
    }),
    seed: 5,
    store: new MemoryStore(),
    onStep: ({ loss }: StepReport) => losses.push(loss),
    report: () => {},
  });
  if (!trained) throw new Error("the method does not train");
  return { trained, losses };
}

test("scales are learned, and nothing else", async () => {
  await withPacked(async (model, packed) => {
    const { trained, losses } = await train(model, {});
    expect(losses.at(-1)).toBeLessThan(0.9 * losses[0]);
    expect([...trained.linears.keys()].sort()).toEqual([...packed.keys()].sort());
    expect(trained.tensors.size).toBe(0);
    for (const [module, before] of packed) {
      const { parts } = trained.linears.get(module) as QTensor;
      expect(parts.codes).toEqual(before.parts.codes);
      expect(parts.zeros).toEqual(before.parts.zeros);
      expect(parts.scales).not.toEqual(before.parts.scales);
    }
  });
});

test("blocks that are computed again for their gradients give the same scales", async () => {
  const scalesOf = async (recompute: boolean): Promise<unknown> => {
    let scales: unknown = null;
    await withPacked(async (model) => {
      const { trained } = await train(model, { recompute, epochs: 3 });
      scales = [...trained.linears.values()].map(({ parts }) => parts.scales);
    });
    return scales;
  };
  expect(await scalesOf(true)).toEqual(await scalesOf(false));
});

test("only what is to be predicted counts", async () => {
  const lossOf = async (targets: readonly Int32Array[]): Promise<number> => {
    let loss = 0;
    await withPacked(async (model) => {
      [loss = 0] = (await train(model, { epochs: 1 }, { targets })).losses;
    });
    return loss;
  };
  const nothing = (): Int32Array => new Int32Array(12).fill(-1);
  const [first, second] = [nothing(), nothing()];
  first[3] = 1;
  second[5] = 2;
  const both = await lossOf([first, second]);
  const mean = ((await lossOf([first, nothing()])) + (await lossOf([nothing(), second]))) / 2;
  expect(both).toBeCloseTo(mean, 5);
});

test("the original's predictions are learned, and only those that are asked for", async () => {
  const targets = [new Int32Array(12).fill(-1), new Int32Array(12).fill(-1)];
  for (const at of [3, 4, 5, 9]) for (const of of targets) of[at] = 7;
  await withPacked(async (model, _, teacher) => {
    const { trained, losses } = await train(model, {}, { teacher, targets });
    expect(losses[0]).toBeGreaterThan(0);
    expect(losses.at(-1)).toBeLessThan(0.6 * losses[0]);
    const { validations, kept } = trained.progress;
    expect(validations[0].loss).toBeCloseTo(losses[0], 6);
    expect(kept?.loss).toBe(Math.min(...validations.map(({ loss }) => loss)));
  });
});

test("without the original there is nothing to follow", async () => {
  await withPacked(async (model) => {
    await expect(train(model, { loss: "kl" })).rejects.toThrow("needs a teacher");
  });
});

test("a rate that is too high leaves the scales as they were", async () => {
  await withPacked(async (model, packed, teacher) => {
    const { trained } = await train(model, { learningRate: 30, epochs: 3 }, { teacher });
    expect(trained.progress.kept?.step).toBe(0);
    for (const [module, { parts }] of packed) {
      expect(trained.linears.get(module)?.parts.scales).toEqual(parts.scales);
    }
  });
});

test("windows that are put aside are not trained on", async () => {
  await withPacked(async (model) => {
    const { losses, trained } = await train(model, { heldOut: 1, batch: 1, epochs: 3 });
    expect(losses).toHaveLength(3);
    expect(trained.progress.validations[0].loss).not.toBeCloseTo(losses[0], 3);
  });
  await withPacked(async (model) => {
    await expect(train(model, { heldOut: 2 })).rejects.toThrow(/none is left to train on/);
  });
});

test("a model that is not quantized is refused", async () => {
  await withPacked(async (model) => {
    await expect(train(model, {})).rejects.toThrow(UnsupportedError);
  }, false);
});
