import { describe, expect, test } from "vitest";
import { writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { makeLinear } from "../../nn/make-linear.ts";
import { TrainableModel } from "../../nn/trainable-model.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { CheckpointWeights } from "../../formats/checkpoint-weights.ts";
import { openModel } from "../../runtime/load.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { StepReport } from "../../training/training-loop.ts";
import { MemoryStore } from "../../training/training-store.ts";
import { UsageError } from "../../util/errors.ts";
import { Prng } from "../../util/prng.ts";
import type { Method } from "../define-method.ts";
import bitnet from "./bitnet.ts";
import paretoq from "./paretoq.ts";

const backend = createReferenceBackend();

async function withModel(body: (model: TrainableModel) => Promise<void>): Promise<void> {
  const checkpoint = await writeTinyCheckpoint({});
  try {
    const opened = await openModel(checkpoint.path, { backend, precision: "float32" });
    const source = new CheckpointWeights(backend, opened.checkpoint, "float32");
    await body(await TrainableModel.load(opened.model, source));
    await opened.checkpoint.close();
  } finally {
    await checkpoint.remove();
  }
}

/** Windows of a text that repeats itself. */
function windowsOf(vocabularySize: number, count = 6, length = 12): Int32Array[] {
  const prng = new Prng(1);
  const text = Int32Array.from({ length }, () => prng.below(vocabularySize));
  return Array.from({ length: count }, (_, i) => text.map((id) => (id + i) % vocabularySize));
}

async function trainWith(
  method: Method,
  model: TrainableModel,
  scheme: string,
  options: Record<string, unknown>,
) {
  const reports: StepReport[] = [];
  const trained = await method.trainModel?.({
    model,
    teacher: null,
    schemeOf: () => parseScheme(scheme),
    windows: windowsOf(model.vocabularySize),
    targets: null,
    options: method.options.parse(options) as Record<string, unknown>,
    seed: 5,
    store: new MemoryStore(),
    onStep: (report) => reports.push(report),
    report: () => {},
  });
  if (!trained) throw new Error("the method does not train");
  return { trained, reports };
}

async function logitsOf(model: TrainableModel): Promise<Float32Array> {
  const [window] = windowsOf(model.vocabularySize);
  return model.forward(Tensor.from(backend, "i32", [1, window.length], window.slice())).read();
}

describe.each([
  ["w1-elastic", paretoq],
  ["w1.58-seq", paretoq],
  ["w2-seq", paretoq],
  ["w2g8-seq", paretoq],
  ["w3-sym", paretoq],
  ["w2-seqa8", paretoq],
  ["w1.58", bitnet],
  ["w1.58g8a8", bitnet],
] as const)("%s", (scheme, method) => {
  test("the loss falls, and the packed model gives what the trained one gave", async () => {
    await withModel(async (model) => {
      const options = { steps: 30, batch: 3, learningRate: 5e-3 };
      const { trained, reports } = await trainWith(method, model, scheme, options);
      expect(reports).toHaveLength(30);
      const losses = reports.map(({ loss }) => loss);
      const mean = (part: number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length;
      expect(mean(losses.slice(-5))).toBeLessThan(mean(losses.slice(0, 5)) - 0.2);
      const before = await logitsOf(model);
      for (const { module, at } of model.linears) {
        const packed = trained.linears.get(module);
        if (packed) at.layer = await makeLinear(backend, packed);
      }
      expect(trained.linears.size).toBe(model.linears.length);
      const after = await logitsOf(model);
      // A rounded input may fall on the other side of a tie.
      const digits = scheme.endsWith("a8") ? 1 : 4;
      after.forEach((logit, i) => expect(logit).toBeCloseTo(before[i], digits));
    });
  });
});

test("tables, norms and weights are trained; the tensors to write leave the packed weights out", async () => {
  await withModel(async (model) => {
    const before = new Map<string, Float32Array>();
    for (const [name, tensor] of model.tensors) before.set(name, await tensor.read());
    const { trained } = await trainWith(paretoq, model, "w2-seq", { steps: 2, batch: 2 });
    const linears = new Set(model.linears.map(({ module }) => `${module}.weight`));
    const rest = [...before.keys()].filter((name) => !linears.has(name));
    expect([...trained.tensors.keys()].sort()).toEqual(rest.sort());
    for (const [name, tensor] of trained.tensors) {
      expect(await tensor.read(), name).not.toEqual(before.get(name));
    }
  });
});

test("recomputed blocks give the same weights to the bit", async () => {
  const made: Uint8Array[] = [];
  for (const recompute of [false, true]) {
    await withModel(async (model) => {
      const options = { steps: 5, batch: 2, accumulation: 2, recompute };
      const { trained } = await trainWith(paretoq, model, "w2-seq", options);
      const first = [...trained.linears.values()][0];
      made.push(first.parts.codes, new Uint8Array(first.parts.scales.buffer));
    });
  }
  expect(made[2]).toEqual(made[0]);
  expect(made[3]).toEqual(made[1]);
});

describe("options", () => {
  const data = { windows: 100, window: 64 };
  const effort = (options: object) => paretoq.effort?.(paretoq.options.parse(options), data);

  test("steps or epochs give the length", () => {
    expect(effort({})?.steps).toBe(400);
    expect(effort({ steps: 7, accumulation: 3 })).toMatchObject({
      steps: 7,
      microBatchTokens: 512,
      accumulation: 3,
    });
    expect(effort({ epochs: 2, batch: 8 })?.steps).toBe(25);
  });

  test.each([
    [{ steps: 5, epochs: 1 }, /steps or in epochs, not both/],
    [{ steps: 5, warmUp: 6 }, /warm-up of 6 steps is longer/],
  ])("%o is refused before any work", (options, message) => {
    expect(() => effort(options)).toThrow(UsageError);
    expect(() => effort(options)).toThrow(message);
  });

  test("ParetoQ takes grids with learned scales and no zero points, BitNet those that follow the weights", () => {
    const all = ["w1", "w1-elastic", "w1.58", "w1.58-seq", "w2", "w2-seq", "w2-sym", "w4-sym"];
    const supported = (method: Method) => all.filter((id) => method.supports(parseScheme(id)));
    expect(supported(paretoq)).toEqual(["w1-elastic", "w1.58-seq", "w2-seq", "w2-sym", "w4-sym"]);
    expect(supported(bitnet)).toEqual(["w1", "w1.58"]);
  });
});
