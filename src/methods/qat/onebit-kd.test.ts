import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { formulaSource } from "../../../test/golden/formula-weights.ts";
import { readModelCase } from "../../../test/golden/model-cases.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { DecoderModel } from "../../models/decoder.ts";
import { readModelConfig } from "../../models/index.ts";
import { LatentOneBitLinear } from "../../nn/latent-one-bit-linear.ts";
import { OneBitLinear } from "../../nn/one-bit-linear.ts";
import { TrainableModel } from "../../nn/trainable-model.ts";
import type { WeightSource } from "../../nn/weight-source.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { directionErrorGradient, klDivergenceGradient } from "../../tensor/training-ops.ts";
import type { StepReport } from "../../training/training-loop.ts";
import { MemoryStore } from "../../training/training-store.ts";
import { CancelledError, UsageError } from "../../util/errors.ts";
import { Prng } from "../../util/prng.ts";
import type { ModelProblem, TrainedModel } from "../define-method.ts";
import { distill } from "../shared/distillation.ts";
import { separateSigns } from "../shared/sign-values.ts";
import method from "./onebit-kd.ts";

const backend = createReferenceBackend();
const scheme = parseScheme("w1-onebit");

async function loadModel(change: object = {}, isPacked = false): Promise<TrainableModel> {
  const golden = readModelCase("llama-tied-multi-head");
  const config = readModelConfig({ ...golden.config, ...change });
  const source = formulaSource(backend, config, "float32");
  const weights = isPacked ? signsOf(source) : source;
  return TrainableModel.load(await DecoderModel.open(backend, config, source), weights);
}

/** The same weights, with linears as SVID leaves them. */
function signsOf(source: WeightSource): WeightSource {
  return {
    has: (name) => source.has(name),
    shape: (name) => source.shape(name),
    tensor: (name) => source.tensor(name),
    storedMatrix: (module) => source.storedMatrix(module),
    matrix: async (module) => {
      const weight = (await source.matrix(module)) as Tensor<"f32">;
      if (!module.endsWith("_proj")) return weight;
      return separateSigns(weight, scheme, { decomposition: "svd", iterations: 50 });
    },
  };
}

const loadPacked = (): Promise<TrainableModel> => loadModel({}, true);

function randomWindows(count: number): Int32Array[] {
  const prng = new Prng(3);
  return Array.from({ length: count }, () => Int32Array.from({ length: 12 }, () => prng.below(72)));
}

interface Trial extends Partial<ModelProblem<Record<string, unknown>>> {
  readonly chosen?: Record<string, unknown>;
}

async function train({ chosen, ...problem }: Trial): Promise<TrainedModel> {
  const options = method.options.parse({
    steps: 4,
    batch: 2,
    learningRate: 0.004,
    checkpointEvery: 2,
    ...chosen,
  });
  const made = method.trainModel?.({
    model: await loadPacked(),
    teacher: await loadModel(),
    schemeOf: () => scheme,
    windows: randomWindows(6),
    targets: null,
    options,
    seed: 1,
    store: new MemoryStore(),
    onStep: () => {},
    report: () => {},
    ...problem,
  });
  return made as Promise<TrainedModel>;
}

/** All that a training gave, as plain values. */
async function bytesOf({ linears, tensors }: TrainedModel): Promise<unknown[]> {
  const rest = [];
  for (const [name, tensor] of tensors) rest.push([name, await tensor.read()]);
  return [...[...linears].map(([name, { parts }]) => [name, parts]), ...rest];
}

describe("OneBit's training", () => {
  test("begins as SVID leaves the model, and comes nearer to the teacher", async () => {
    const losses: number[] = [];
    const onStep = ({ loss, terms }: StepReport): void => {
      losses.push(loss);
      expect(terms.kl + terms.hidden).toBeCloseTo(loss, 5);
    };
    const model = await loadPacked();
    const { at, module } = model.linears[3];
    const before = (at.layer as OneBitLinear).weight.unpackCodes();
    const { linears } = await train({ model, onStep, chosen: { steps: 12 } });
    expect(losses.at(-1)).toBeLessThan(0.9 * losses[0]);
    expect(at.layer).toBeInstanceOf(LatentOneBitLinear);
    const after = linears.get(module)?.unpackCodes();
    const flips = before.reduce((sum, code, i) => sum + (code === after?.[i] ? 0 : 1), 0);
    expect(flips).toBeGreaterThan(0);
    expect(flips).toBeLessThan(before.length / 2);
  });

  test("a run that was stopped resumes to the same bytes", async () => {
    const whole = await train({});
    const store = new MemoryStore();
    const controller = new AbortController();
    const onStep = ({ step }: StepReport): void => {
      if (step === 3) controller.abort();
    };
    const stopped = train({ store, onStep, signal: controller.signal });
    await expect(stopped).rejects.toThrow(CancelledError);
    expect(await bytesOf(await train({ store }))).toEqual(await bytesOf(whole));
  });

  test("what is packed predicts what was trained", async () => {
    const model = await loadPacked();
    const { linears } = await train({ model, chosen: { trainRest: false } });
    const ids = Tensor.from(backend, "i32", [1, 12], randomWindows(1)[0]);
    const trained = await model.forward(ids).read();
    for (const { module, at } of model.linears) {
      const weight = linears.get(module);
      if (weight) at.layer = new OneBitLinear(backend, weight);
    }
    const packed = await model.forward(ids).read();
    packed.forEach((logit, i) => expect(logit).toBeCloseTo(trained[i], 3));
  });

  test("a teacher with another vocabulary or other blocks is refused before any step", async () => {
    const refused: [object, RegExp][] = [
      [{ vocab_size: 80 }, /a vocabulary of 80 and 72/],
      [{ num_hidden_layers: 3 }, /blocks of 3 and 2/],
    ];
    for (const [change, message] of refused) {
      const onStep = (): void => expect.unreachable();
      const training = train({ teacher: await loadModel(change), onStep });
      await expect(training).rejects.toThrow(UsageError);
      await expect(train({ teacher: await loadModel(change) })).rejects.toThrow(message);
    }
    await expect(train({ teacher: null })).rejects.toThrow(/needs a teacher/);
  });

  test("a model that is not signs and values is refused", async () => {
    const training = train({ model: await loadModel() });
    await expect(training).rejects.toThrow(/q_proj has no signs and value vectors to train/);
  });
});

describe("the distillation loss", () => {
  const golden = JSON.parse(
    readFileSync(new URL("../../../test/golden/onebit.json", import.meta.url), "utf8"),
  ) as {
    tokens: number;
    inFeatures: number;
    vocabulary: number;
    loss: { kl: number; hidden: number; dLogits: number[]; dState: number[] };
  };
  const { tokens, inFeatures, vocabulary, loss } = golden;
  const upload = (width: number, seed: number, spread = 1): Tensor<"f32"> =>
    Tensor.from(backend, "f32", [tokens, width], goldenMatrix(tokens, width, seed, spread));

  test("terms and gradients are those of PyTorch", async () => {
    const [teacher, student] = [upload(vocabulary, 6, 4), upload(vocabulary, 7)];
    const kl = klDivergenceGradient(teacher, student, 2 / tokens);
    const [stateOfTeacher, state] = [upload(inFeatures, 8), upload(inFeatures, 9)];
    const hidden = directionErrorGradient(stateOfTeacher, state, 3 / tokens);
    const mean = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / tokens;
    expect(mean(await kl.divergences.read())).toBeCloseTo(loss.kl, 5);
    expect(mean(await hidden.errors.read())).toBeCloseTo(loss.hidden, 5);
    const dLogits = await kl.gradient.read();
    loss.dLogits.forEach((value, i) => expect(dLogits[i]).toBeCloseTo(value, 5));
    const dState = await hidden.gradient.read();
    loss.dState.forEach((value, i) => expect(dState[i]).toBeCloseTo(value, 5));
  });

  test("its gradient by a norm's weight is its finite difference; against itself it is 0", async () => {
    const [teacher, student] = [await loadModel(), await loadModel()];
    const norm = student.tensors.get("model.layers.0.input_layernorm.weight");
    if (!norm) throw new Error("the model has no such norm");
    const parameters = [{ name: "norm", value: norm, group: "rest" }];
    const weights = { kdWeight: 0.7, hiddenWeight: 0.4, recompute: true };
    const distillation = { student, teacher, ...weights };
    const pass = { parameters, precision: "f32" } as const;
    const batch = { ids: randomWindows(1)[0], length: 12 };
    const measure = async (): Promise<{ total: number; gradient: Float32Array }> => {
      const { loss: terms, gradients } = distill(distillation, batch, pass);
      let total = 0;
      for (const { values, scale } of terms) {
        for (const value of (await values.read()) as Float32Array) total += scale * value;
      }
      return { total, gradient: (await gradients[0]?.read()) ?? new Float32Array() };
    };
    expect((await measure()).total).toBeCloseTo(0, 6);
    const values = norm.storage as Float32Array;
    for (let i = 0; i < values.length; i++) values[i] *= 1 + 0.3 * Math.sin(i);
    const { gradient } = await measure();
    for (const i of [0, 5, 31]) {
      const [kept, step] = [values[i], 1e-2];
      values[i] = kept + step;
      const above = (await measure()).total;
      values[i] = kept - step;
      const below = (await measure()).total;
      values[i] = kept;
      const slope = (above - below) / (2 * step);
      expect(Math.abs(gradient[i] - slope)).toBeLessThan(0.02 * Math.abs(slope) + 2e-4);
    }
  });
});
