import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { StraightThrough } from "../../../src/backend/training-kernels.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { blankOutput, floatSample, normalSample, type Sample, upload } from "./data.ts";
import { expectSame } from "./expect-within.ts";
import { expectLikeReference } from "./like-reference.ts";

const round = { rule: "round", resolution: 1, shift: 0, passOutside: false } as const;

/** One rule of every kind that a grid may have. */
const rules: Readonly<Record<string, StraightThrough>> = {
  "LSQ at 3 bits": { ...round, low: -4, high: 3, lowSlope: -4, highSlope: 3 },
  "SEQ at 2 bits": {
    ...round,
    low: -1,
    high: 0.99,
    resolution: 2,
    shift: 0.5,
    lowSlope: -1,
    highSlope: 1,
  },
  "SEQ with three levels": {
    ...round,
    low: -1,
    high: 0.99,
    resolution: 1.5,
    shift: 0,
    lowSlope: -1,
    highSlope: 1,
  },
  "ternary that passes all": {
    ...round,
    low: -1,
    high: 1,
    lowSlope: -1,
    highSlope: 1,
    passOutside: true,
  },
  "zero points at 2 bits": {
    ...round,
    rule: "zero-point",
    low: 0,
    high: 3,
    lowSlope: 0,
    highSlope: 0,
  },
  sign: { ...round, rule: "sign", low: -1, high: 1, lowSlope: -1, highSlope: 1 },
};

/** [rows, columns, group size]. */
const shapes = [
  [1, 1, 1],
  [3, 37, 16],
  [2, 100, 100],
  [5, 344, 64],
  [70, 352, 128],
  [1, 5003, 5003],
] as const;

interface Inputs {
  readonly weight: Sample;
  readonly scales: Sample;
  readonly zeros: Sample;
}

/** Weights on both sides of every edge, among them whole multiples of half the scale. */
function inputsOf([rows, columns, groupSize]: (typeof shapes)[number]): Inputs {
  const shape = [rows, Math.ceil(columns / groupSize)];
  const steps = normalSample(shape, 2).values.map((x) => 0.25 * 2 ** Math.round(x));
  const zeros = normalSample(shape, 3).values.map((x) => 1.5 + 1.7 * x);
  const draws = normalSample([rows, columns], 1);
  const weight = draws.values.map((x, i) => {
    const group = Math.floor(i / columns) * shape[1] + Math.floor((i % columns) / groupSize);
    return i % 5 === 0 ? steps[group] * 0.5 * Math.round(4 * x) : steps[group] * 2.5 * x;
  });
  return {
    weight: floatSample([rows, columns], weight),
    scales: floatSample(shape, steps),
    zeros: floatSample(shape, zeros),
  };
}

/** Checks `fakeQuantize`, its gradients, and `fakeQuantizeRows`. */
export function testFakeQuantize(open: () => Backend): void {
  describe.each(Object.entries(rules))("fakeQuantize, %s", (_, how) => {
    for (const shape of shapes) {
      for (const dtype of ["f32", "bf16"] as const) {
        test(`values of [${shape.join(", ")}] in ${dtype}`, () =>
          expectLikeReference(open(), (backend) => quantize(backend, shape, how, dtype)));
      }
      test(`gradients of [${shape.join(", ")}] by weights, scales and zero points`, () =>
        expectLikeReference(open(), (backend) => gradients(backend, shape, how), 1e-5));
    }
  });
  testSpecials(open);
  testRows(open);
}

function quantize(
  backend: Backend,
  shape: (typeof shapes)[number],
  how: StraightThrough,
  dtype: "f32" | "bf16",
): readonly Tensor[] {
  const { weight, scales, zeros } = inputsOf(shape);
  const out = Tensor.zeros(backend, dtype, weight.shape);
  const by = [upload(backend, scales), how.rule === "zero-point" ? upload(backend, zeros) : null];
  backend.kernels.fakeQuantize(out, upload(backend, weight), by[0], by[1], shape[2], how);
  return [out];
}

function gradients(
  backend: Backend,
  shape: (typeof shapes)[number],
  how: StraightThrough,
): readonly Tensor[] {
  const { weight, scales, zeros } = inputsOf(shape);
  const dWeight = upload(backend, normalSample(weight.shape, 9));
  const dScales = blankOutput(backend, scales.shape);
  const dZeros = how.rule === "zero-point" ? blankOutput(backend, zeros.shape) : null;
  const [w, s] = [upload(backend, weight), upload(backend, scales)];
  const z = dZeros && upload(backend, zeros);
  const [, , groupSize] = shape;
  const { kernels } = backend;
  // In place: dWeight may be dOut.
  kernels.fakeQuantizeBackward(dWeight, dScales, dZeros, dWeight, w, s, z, groupSize, how);
  return dZeros ? [dWeight, dScales, dZeros] : [dWeight, dScales];
}

function testSpecials(open: () => Backend): void {
  test("fakeQuantize by sign takes 0 as +1, and without scales its slope is 1.001 − tanh²", () =>
    expectLikeReference(open(), (backend) => {
      const values = [0, -0, 1, -1, 1e-30, -1e-30, 20, -20, 0.3, -0.7, 2, -2, 5, -5, 9, -9, 0.01];
      const weight = upload(backend, floatSample([1, values.length], values));
      const [out, dWeight] = [weight.shape, weight.shape].map((s) => blankOutput(backend, s));
      const dOut = upload(
        backend,
        floatSample(
          weight.shape,
          values.map(() => 1),
        ),
      );
      backend.kernels.fakeQuantize(out, weight, null, null, values.length, rules.sign);
      backend.kernels.fakeQuantizeBackward(
        dWeight,
        null,
        null,
        dOut,
        weight,
        null,
        null,
        values.length,
        rules.sign,
      );
      return [out, dWeight];
    }));

  test("fakeQuantize by rounding without scales has scales of 1", async () => {
    const backend = open();
    const run = async (scales: Tensor | null): Promise<number[]> => {
      const how = rules["LSQ at 3 bits"];
      const weight = upload(backend, normalSample([3, 37], 1, "f32", 4));
      const dWeight = upload(backend, normalSample([3, 37], 2)) as Tensor<"f32">;
      const out = blankOutput(backend, [3, 37]);
      const { kernels } = backend;
      kernels.fakeQuantize(out, weight, scales, null, 37, how);
      kernels.fakeQuantizeBackward(dWeight, null, null, dWeight, weight, scales, null, 37, how);
      return [...(await out.read()), ...(await dWeight.read())];
    };
    const ones = upload(backend, floatSample([3, 1], [1, 1, 1]));
    expectSame(await run(null), await run(ones));
  });

  test("fakeQuantize of NaN is NaN: divergence must show", async () => {
    const backend = open();
    const weight = upload(backend, floatSample([1, 3], [Number.NaN, 1, Number.NaN]));
    const scales = upload(backend, floatSample([1, 1], [0.5]));
    const out = blankOutput(backend, [1, 3]);
    backend.kernels.fakeQuantize(out, weight, scales, null, 3, rules["LSQ at 3 bits"]);
    expect([...(await out.read())]).toEqual([Number.NaN, 1, Number.NaN]);
  });
}

function testRows(open: () => Backend): void {
  for (const [rows, columns] of [
    [1, 1],
    [3, 37],
    [70, 352],
  ] as const) {
    test(`fakeQuantizeRows of [${rows}, ${columns}], also in place; a row of zeros stays`, async () => {
      const run = (backend: Backend) => {
        const draws = normalSample([rows + 1, columns], 4).values.map((x, i) =>
          i < rows * columns ? x : 0,
        );
        const x = upload(backend, floatSample([rows + 1, columns], draws));
        const out = blankOutput(backend, x.shape);
        backend.kernels.fakeQuantizeRows(out, x, 127);
        backend.kernels.fakeQuantizeRows(x, x, 127);
        return [out, x];
      };
      const [out, inPlace] = run(open());
      expectSame((await inPlace.read()) as Float32Array, (await out.read()) as Float32Array);
      await expectLikeReference(open(), run);
    });
  }
}
