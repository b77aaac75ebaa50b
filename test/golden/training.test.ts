import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { DecoderModel } from "../../src/models/decoder.ts";
import { expectedTensors } from "../../src/models/decoder-tensors.ts";
import { readModelConfig } from "../../src/models/index.ts";
import { TrainableModel } from "../../src/nn/trainable-model.ts";
import type { WeightSource } from "../../src/nn/weight-source.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { nextTokenLoss } from "../../src/training/next-token-loss.ts";
import type { Parameter } from "../../src/training/parameter.ts";
import { type MicroBatch, runTraining } from "../../src/training/training-loop.ts";
import { subjects } from "../conformance/subjects.ts";
import { formulaWeight } from "./formula-weights.ts";

/** Norm of a tensor, and every `stride`-th element of it from the first on. */
interface Digest {
  readonly norm: number;
  readonly stride: number;
  readonly values: readonly number[];
}

interface TrainingCase {
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly ids: readonly (readonly number[])[];
  /** Before each step, and after the last. */
  readonly losses: readonly number[];
  /** Of all gradients of each step, before clipping. */
  readonly norms: readonly number[];
  readonly gradients: Readonly<Record<string, Digest>>;
  readonly parameters: Readonly<Record<string, Digest>>;
}

interface Golden {
  readonly settings: {
    readonly learningRate: number;
    readonly betas: readonly [number, number];
    readonly epsilon: number;
    readonly weightDecay: number;
    readonly clip: number;
  };
  readonly cases: readonly TrainingCase[];
}

const golden = JSON.parse(
  readFileSync(new URL("./training.json", import.meta.url), "utf8"),
) as Golden;

async function loadCase(
  backend: Backend,
  { config: json }: TrainingCase,
): Promise<{ model: TrainableModel; parameters: Parameter[] }> {
  const config = readModelConfig(json);
  const shapes = new Map(expectedTensors(config));
  const tensor = async (name: string): Promise<Tensor<"f32">> => {
    const shape = shapes.get(name) ?? [];
    const scale = name.endsWith("norm.weight") ? 1 : 0.25;
    return Tensor.from(
      backend,
      "f32",
      shape,
      formulaWeight(name, shape).map((v) => v * scale),
    );
  };
  const matrix = (module: string) => tensor(`${module}.weight`);
  const source: WeightSource = {
    has: (name) => shapes.has(name),
    shape: (name) => shapes.get(name) ?? [],
    tensor,
    matrix,
    storedMatrix: matrix,
  };
  const model = await TrainableModel.load(await DecoderModel.open(backend, config, source), source);
  const parameters = [...model.tensors].map(([name, value]) => ({
    name,
    value,
    group: value.shape.length === 2 ? "matrices" : "rest",
  }));
  return { model, parameters };
}

function expectDigest(what: string, values: Float32Array, { norm, stride, values: some }: Digest) {
  const sum = values.reduce((total, value) => total + value * value, 0);
  expect(Math.abs(Math.sqrt(sum) / norm - 1), `norm of ${what}`).toBeLessThan(1e-4);
  const scale = norm / Math.sqrt(values.length);
  for (const [i, expected] of some.entries()) {
    const found = values[i * stride];
    expect(Math.abs(found - expected) / scale, `${what}[${i * stride}]`).toBeLessThan(1e-4);
  }
}

describe.each(subjects)("$title trains as PyTorch does", ({ missing, open }) => {
  test.skipIf(missing !== null).each(golden.cases)(
    `loss, gradients and three clipped steps of AdamW agree to 1e-4: $name${missing === null ? "" : ` (${missing})`}`,
    async (known) => {
      const { settings } = golden;
      const { model, parameters } = await loadCase(open(), known);
      const [{ length }] = known.ids;
      const ids = Int32Array.from(known.ids.flat());
      const pass = (recompute: boolean): MicroBatch =>
        nextTokenLoss(
          { model, recompute },
          { ids: ids.slice(), length },
          { parameters, precision: "f32" },
        );
      for (const recompute of [false, true]) {
        const { gradients } = pass(recompute);
        for (const [i, { name }] of parameters.entries()) {
          const values = await (gradients[i] as Tensor<"f32">).read();
          expectDigest(`gradient of ${name}`, values, known.gradients[name]);
        }
      }
      const norms: number[] = [];
      const { losses } = await runTraining({
        parameters,
        steps: known.norms.length,
        clip: settings.clip,
        schedule: { kind: "constant" },
        optimizer: {
          groups: {
            matrices: { learningRate: settings.learningRate, weightDecay: settings.weightDecay },
            rest: { learningRate: settings.learningRate },
          },
          betas: settings.betas,
          epsilon: settings.epsilon,
        },
        loss: () => pass(false),
        onStep: ({ gradientNorm }) => norms.push(gradientNorm),
      });
      for (const [step, loss] of losses.entries()) {
        expect(loss).toBeCloseTo(known.losses[step], 4);
        expect(norms[step]).toBeCloseTo(known.norms[step], 4);
      }
      for (const { name, value } of parameters) {
        expectDigest(name, await value.read(), known.parameters[name]);
      }
    },
  );
});
