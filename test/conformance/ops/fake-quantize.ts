import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { FakeQuantizeGroups, StraightThrough } from "../../../src/backend/training-kernels.ts";
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
  readonly offsets: Sample;
  readonly shifts: Sample;
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
    offsets: floatSample(
      shape,
      steps.map((step, i) => step * (0.5 * (i % 7) - 1)),
    ),
    shifts: floatSample(
      [rows, columns],
      normalSample([rows, columns], 5).values.map((x) => 0.25 * Math.round(4 * x)),
    ),
  };
}

/** What weights and groups have besides scales, and zero points where the rule has some. */
type Extra = "nothing" | "offsets" | "shifts";

/** Parameters of groups and weights on a backend. */
function groupsOf(
  backend: Backend,
  shape: (typeof shapes)[number],
  how: StraightThrough,
  extra: Extra,
): FakeQuantizeGroups {
  const { scales, zeros, offsets, shifts } = inputsOf(shape);
  // Scales of sub-blocks may be 0 or negative.
  const signs = scales.values.map((scale, i) => scale * (extra === "offsets" ? (i % 4) - 1 : 1));
  return {
    scales: upload(backend, floatSample(scales.shape, signs)),
    zeros: how.rule === "zero-point" ? upload(backend, zeros) : null,
    offsets: extra === "offsets" ? upload(backend, offsets) : null,
    shifts: extra === "shifts" ? upload(backend, shifts) : null,
    groupSize: shape[2],
  };
}

/** Checks `fakeQuantize`, its gradients, and `fakeQuantizeRows`. */
export function testFakeQuantize(open: () => Backend): void {
  describe.each(Object.entries(rules))("fakeQuantize, %s", (_, how) => {
    for (const shape of shapes) {
      for (const extra of ["nothing", "offsets", "shifts"] as const) {
        const name = `[${shape.join(", ")}] with ${extra} besides`;
        for (const dtype of ["f32", "bf16"] as const) {
          test(`values of ${name} in ${dtype}`, () =>
            expectLikeReference(open(), (backend) => quantize(backend, shape, how, dtype, extra)));
        }
        test(`errors of ${name}`, () =>
          expectLikeReference(open(), (backend) => errorsOf(backend, shape, how, extra), 1e-5));
        test(`gradients of ${name} by weights and what groups have`, () =>
          expectLikeReference(open(), (backend) => gradients(backend, shape, how, extra), 1e-5));
      }
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
  extra: Extra,
): readonly Tensor[] {
  const { weight } = inputsOf(shape);
  const out = Tensor.zeros(backend, dtype, weight.shape);
  const groups = groupsOf(backend, shape, how, extra);
  backend.kernels.fakeQuantize(out, upload(backend, weight), groups, how);
  return [out];
}

function errorsOf(
  backend: Backend,
  shape: (typeof shapes)[number],
  how: StraightThrough,
  extra: Extra,
): readonly Tensor[] {
  const { weight, scales } = inputsOf(shape);
  const groups = groupsOf(backend, shape, how, extra);
  const importance = upload(
    backend,
    floatSample([shape[1]], weight.values.map(Math.abs).slice(0, shape[1])),
  );
  return [importance, null].map((by) => {
    const errors = blankOutput(backend, scales.shape);
    backend.kernels.roundingErrors(errors, by, upload(backend, weight), groups, how);
    return errors;
  });
}

function gradients(
  backend: Backend,
  shape: (typeof shapes)[number],
  how: StraightThrough,
  extra: Extra,
): readonly Tensor[] {
  const { weight, scales } = inputsOf(shape);
  const groups = groupsOf(backend, shape, how, extra);
  const dWeight = upload(backend, normalSample(weight.shape, 9));
  const blank = (): Tensor => blankOutput(backend, scales.shape);
  const by = {
    dScales: blank(),
    dZeros: groups.zeros && blank(),
    dOffsets: groups.offsets && blank(),
    dShifts: groups.shifts && blankOutput(backend, weight.shape),
  };
  // In place: dWeight may be dOut.
  const outputs = { dWeight, ...by };
  backend.kernels.fakeQuantizeBackward(outputs, dWeight, upload(backend, weight), groups, how);
  return [dWeight, by.dScales, by.dZeros, by.dOffsets, by.dShifts].filter((of) => of !== null);
}

const nothing = { scales: null, zeros: null, offsets: null, shifts: null };
const noGradients = { dWeight: null, dScales: null, dZeros: null, dOffsets: null, dShifts: null };

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
      const groups = { ...nothing, groupSize: values.length };
      const { kernels } = backend;
      kernels.fakeQuantize(out, weight, groups, rules.sign);
      kernels.fakeQuantizeBackward({ ...noGradients, dWeight }, dOut, weight, groups, rules.sign);
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
      const groups = { ...nothing, scales, groupSize: 37 };
      kernels.fakeQuantize(out, weight, groups, how);
      kernels.fakeQuantizeBackward({ ...noGradients, dWeight }, dWeight, weight, groups, how);
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
    const groups = { ...nothing, scales, groupSize: 3 };
    backend.kernels.fakeQuantize(out, weight, groups, rules["LSQ at 3 bits"]);
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
