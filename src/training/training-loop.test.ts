import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { Tensor } from "../tensor/tensor.ts";
import { CancelledError, NumericError, UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import { momentDTypes } from "./adamw.ts";
import type { Parameter } from "./parameter.ts";
import { type MicroBatch, runTraining, type TrainOptions } from "./training-loop.ts";
import { MemoryStore } from "./training-store.ts";

const backend = createReferenceBackend();
const width = 6;

function vector(values: readonly number[]): Tensor<"f32"> {
  return Tensor.from(backend, "f32", [values.length], Float32Array.from(values));
}

/** `Σ (w − target)²/2` with a target that is drawn anew for each micro-batch. */
function noisyProblem(): { parameters: Parameter[]; loss: TrainOptions["loss"] } {
  const value = vector(Array.from({ length: width }, (_, i) => i - 2));
  const loss = (step: number, micro: number): MicroBatch => {
    const prng = new Prng(step * 100 + micro);
    const now = value.storage as Float32Array;
    const difference = Array.from(now, (w) => w - 0.1 * prng.normal());
    const half = vector(difference.map((d) => (d * d) / 2));
    return { loss: [{ values: half, scale: 1 }], gradients: [vector(difference)] };
  };
  return { parameters: [{ name: "w", value, group: "weights" }], loss };
}

const settings = {
  steps: 40,
  schedule: { kind: "cosine", warmUp: 0.1 },
  optimizer: { groups: { weights: { learningRate: 0.2, weightDecay: 0.01 } } },
  clip: 1,
} as const;

describe("train", () => {
  test("brings a quadratic loss down to its noise", async () => {
    const { parameters, loss } = noisyProblem();
    const { losses, step } = await runTraining({ ...settings, parameters, loss });
    expect(step).toBe(40);
    expect(losses[0]).toBeGreaterThan(5);
    expect(losses.at(-1)).toBeLessThan(0.3);
  });

  test.each(momentDTypes)(
    "a cancelled run resumes to the same values: moments %s",
    async (moments) => {
      const how = { ...settings, optimizer: { ...settings.optimizer, moments } };
      const whole = noisyProblem();
      const all = await runTraining({ ...how, parameters: whole.parameters, loss: whole.loss });

      const store = new MemoryStore();
      const controller = new AbortController();
      const first = noisyProblem();
      const onStep = ({ step }: { step: number }) => {
        if (step === 17) controller.abort();
      };
      const { signal } = controller;
      const stopped = runTraining({ ...how, ...first, store, onStep, signal });
      await expect(stopped).rejects.toThrow(CancelledError);
      const second = noisyProblem();
      const rest = await runTraining({ ...how, ...second, store });

      expect(rest.losses).toEqual(all.losses);
      expect(await second.parameters[0].value.read()).toEqual(
        await whole.parameters[0].value.read(),
      );
    },
  );

  test("micro-batches of one step are averaged", async () => {
    const gradientOf = async (batches: readonly number[][]): Promise<unknown> => {
      const value = vector([1, 1]);
      const { losses } = await runTraining({
        ...settings,
        steps: 1,
        accumulation: batches.length,
        parameters: [{ name: "w", value, group: "weights" }],
        loss: (_, micro) => ({
          loss: [{ values: vector(batches[micro]), scale: 0.5 }],
          gradients: [vector(batches[micro])],
        }),
      });
      return { losses, value: await value.read() };
    };
    expect(await gradientOf([[1, 5], [3, 1]])).toEqual(await gradientOf([[2, 3]])); // biome-ignore format: rows
  });

  test("without a gradient a parameter stays", async () => {
    const moved = vector([1]);
    const still = vector([1]);
    await runTraining({
      ...settings,
      steps: 2,
      parameters: [
        { name: "moved", value: moved, group: "weights" },
        { name: "still", value: still, group: "weights" },
      ],
      loss: () => ({ loss: [{ values: vector([1]), scale: 1 }], gradients: [vector([1]), null] }),
    });
    expect((await moved.read())[0]).toBeLessThan(1);
    expect((await still.read())[0]).toBe(1);
  });

  test("validation comes before the first step, at its interval and at the end", async () => {
    const { parameters, loss } = noisyProblem();
    const measure = async () => (await parameters[0].value.read())[0];
    const validation = { every: 4, measure };
    const { validations } = await runTraining({
      ...settings,
      steps: 10,
      parameters,
      loss,
      validation,
    });
    expect(validations.map(({ step }) => step)).toEqual([0, 4, 8, 10]);
  });
});

describe("what goes wrong", () => {
  const constant = (values: readonly number[], gradients: readonly number[][]) => ({
    ...settings,
    parameters: gradients.map((gradient, i) => ({
      name: `layer ${i}`,
      value: vector(gradient.map(() => 1)),
      group: "weights",
    })),
    loss: (step: number): MicroBatch => ({
      loss: [{ values: vector([values[Math.min(step, values.length - 1)]]), scale: 1 }],
      gradients: gradients.map(vector),
    }),
  });

  test("a gradient that is not finite stops the run at its step and names where it began", async () => {
    const options = constant([1], [[Number.NaN], [Number.NaN], [1]]);
    await expect(runTraining(options)).rejects.toThrow(NumericError);
    await expect(runTraining(options)).rejects.toThrow(/step 1; .*first at layer 1/);
    for (const { value } of options.parameters) expect((await value.read())[0]).toBe(1);
  });

  test("a loss that is not finite stops the run, and the last good state is kept", async () => {
    const store = new MemoryStore();
    const options = { ...constant([1, 1, 1, Number.NaN], [[1]]), store, checkpointEvery: 2 };
    const error: unknown = await runTraining(options).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(NumericError);
    expect((error as NumericError).message).toMatch(/the loss \(NaN\).* step 4/);
    expect((error as NumericError).hint).toMatch(/state after step 2 is kept/);
    expect((await store.read(new Map()))?.step).toBe(2);
  });

  test("a loss that stays above where it began stops the run", async () => {
    const rising = Array.from({ length: 400 }, (_, step) => (step < 20 ? 2 : 3));
    const run = runTraining({ ...constant(rising, [[1]]), steps: 400 });
    await expect(run).rejects.toThrow(/diverges: at step \d+ the smoothed loss is 2\.\d+/);
  });

  test("a loss that leaps away at once stops the run, and the state before the leap is kept", async () => {
    const store = new MemoryStore();
    const leap = [2, 2, 2, ...Array.from({ length: 397 }, (_, step) => 900 - step)];
    const run = runTraining({ ...constant(leap, [[1]]), steps: 400, store, checkpointEvery: 2 });
    const error: unknown = await run.catch((reason: unknown) => reason);
    expect((error as NumericError).message).toMatch(
      /above the starting loss of 2\.\d+; the largest gradient is that of layer 0/,
    );
    expect((await store.read(new Map()))?.step).toBeLessThanOrEqual(10);
  });

  test("a few steps that leave what the first one saw clearly worse are an error, not a result", async () => {
    const far = noisyProblem();
    const start = await far.parameters[0].value.read();
    const optimizer = { groups: { weights: { learningRate: 100 } } };
    const schedule = { kind: "constant" } as const;
    const options = { ...settings, ...far, optimizer, schedule, steps: 3 };
    await expect(runTraining(options)).rejects.toThrow(
      /diverged: after 3 steps the loss of what the first step saw is \d.*, and it was \d/,
    );
    expect(await far.parameters[0].value.read()).not.toEqual(start);
    const near = noisyProblem();
    const { firstStep, losses } = await runTraining({ ...settings, ...near });
    expect(firstStep?.before).toBe(losses[0]);
    expect(firstStep?.after).toBeLessThan(losses[0]);
  });

  test("an end that is judged elsewhere is not judged here", async () => {
    const far = noisyProblem();
    const optimizer = { groups: { weights: { learningRate: 100 } } };
    const options = { ...settings, ...far, optimizer, steps: 3, judgesEnd: false };
    expect((await runTraining(options)).firstStep).toBeNull();
  });

  describe("a run that keeps its best state", () => {
    /** A parameter that moves by 1 a step, and the held-out loss of each of its values. */
    const walking = (heldOut: (at: number) => number) => {
      const value = vector([0]);
      const options: TrainOptions = {
        steps: 4,
        schedule: { kind: "constant" },
        optimizer: { groups: { weights: { learningRate: 1 } } },
        parameters: [{ name: "w", value, group: "weights" }],
        loss: () => ({ loss: [{ values: vector([1]), scale: 1 }], gradients: [vector([-1])] }),
        validation: {
          every: 1,
          measure: async () => heldOut(Math.round((await value.read())[0])),
        },
        keepsBest: true,
      };
      return { value, options };
    };

    test.each([
      ["in the middle", [5, 3, 2, 4, 4], 2],
      ["at the end", [5, 4, 3, 2, 1], 4],
      ["at the start", [1, 2, 2, 3, 3], 0],
      ["behind figures that are no numbers", [5, 4, Number.NaN, 3, 6], 3],
    ])("ends with the lowest held-out loss: %s", async (_, losses, best) => {
      const { value, options } = walking((at) => losses[at]);
      const { kept, diverged, firstStep, validations } = await runTraining(options);
      expect(kept).toEqual({ step: best, loss: losses[best] });
      expect((await value.read())[0]).toBeCloseTo(best, 5);
      expect(validations.map(({ loss }) => loss)).toEqual(losses);
      expect([diverged, firstStep]).toEqual([null, null]);
    });

    test("ends early when it diverges, with what was good", async () => {
      const { value, options } = walking((at) => 5 - at);
      const loss = (step: number): MicroBatch => ({
        loss: [{ values: vector([step === 3 ? Number.NaN : 1]), scale: 1 }],
        gradients: [vector([-1])],
      });
      const { kept, diverged, step } = await runTraining({ ...options, loss });
      expect(diverged).toMatch(/the loss \(NaN\).* step 4/);
      expect([kept?.step, step]).toEqual([3, 3]);
      expect((await value.read())[0]).toBeCloseTo(3, 5);
    });

    test("resumes to the same values when it was cancelled behind its best", async () => {
      const losses = [5, 2, 3, 4, 4];
      const store = new MemoryStore();
      const controller = new AbortController();
      const first = walking((at) => losses[at]);
      const onStep = ({ step }: { step: number }) => {
        if (step === 2) controller.abort();
      };
      const stopped = runTraining({ ...first.options, store, onStep, signal: controller.signal });
      await expect(stopped).rejects.toThrow(CancelledError);
      const second = walking((at) => losses[at]);
      expect((await runTraining({ ...second.options, store })).kept?.step).toBe(1);
      expect((await second.value.read())[0]).toBeCloseTo(1, 5);
    });

    test("is refused without a held-out loss to judge by", async () => {
      const { options } = walking(() => 1);
      await expect(runTraining({ ...options, validation: null })).rejects.toThrow(UsageError);
    });
  });

  test("a loss that rises and comes back does not", async () => {
    const hump = Array.from({ length: 400 }, (_, step) => (step > 20 && step < 40 ? 3 : 2));
    expect((await runTraining({ ...constant(hump, [[1]]), steps: 400 })).step).toBe(400);
  });

  test.each([
    ["no steps", { steps: 0 }, /expected steps/],
    ["a fraction of accumulation", { accumulation: 1.5 }, /expected accumulation/],
    ["a clipping norm of 0", { clip: 0 }, /clipping norm/],
    ["a warm-up longer than the run", { schedule: { kind: "linear", warmUp: 41 } }, /longer than/],
    ["a group without settings", { optimizer: { groups: {} } }, /group "weights"/],
    [
      "a negative learning rate",
      { optimizer: { groups: { weights: { learningRate: -1 } } } },
      /learning rate/,
    ],
  ])("%s is refused before any work", async (_, change, message) => {
    let calls = 0;
    const { parameters } = noisyProblem();
    const loss = (): MicroBatch => {
      calls++;
      throw new Error("no work expected");
    };
    const options = { ...settings, parameters, loss, ...change } as TrainOptions;
    await expect(runTraining(options)).rejects.toThrow(UsageError);
    await expect(runTraining(options)).rejects.toThrow(message);
    expect(calls).toBe(0);
  });
});
