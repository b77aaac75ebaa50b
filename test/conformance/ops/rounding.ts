import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { FactoredRanges, RangeRule } from "../../../src/backend/training-kernels.ts";
import { parseScheme } from "../../../src/quant/scheme.ts";
import { expectRangeRule } from "../../../src/quant/shifted-weight.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { blankOutput, floatSample, normalSample, upload } from "./data.ts";
import { expectLikeReference } from "./like-reference.ts";

const rules: Readonly<Record<string, RangeRule>> = {
  "asymmetric at 2 bits": expectRangeRule(parseScheme("w2")),
  "asymmetric at 8 bits": expectRangeRule(parseScheme("w8")),
  "symmetric at 2 bits": expectRangeRule(parseScheme("w2-sym")),
  "symmetric at 4 bits": expectRangeRule(parseScheme("w4-sym")),
  "centred at 1.58 bits": expectRangeRule(parseScheme("w1.58-seq")),
  "centred at 2 bits": expectRangeRule(parseScheme("w2-seq")),
};

/** Ranges of every kind: one-sided, empty, equal to both sides, too narrow, too wide for float16. */
function rangesOf(backend: Backend, count: number): FactoredRanges {
  const draws = normalSample([2, count], 1).values.map(Math.abs);
  const special: readonly (readonly [number, number])[] = [
    [0, 0],
    [-1, 1],
    [0, 2],
    [-3, 0],
    [-1e-7, 2e-7],
    [-1e7, 1e7],
  ];
  const side = (at: 0 | 1, sign: number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) =>
      i % 3 === 2 ? special[i % special.length][at] : sign * draws[at * count + i],
    );
  const shares = normalSample([2, count], 2).values.map((x) => Math.min(1, Math.abs(x)));
  const put = (values: ArrayLike<number>): Tensor =>
    upload(backend, floatSample([count, 1], Array.from(values)));
  return {
    low: put(side(0, -1)),
    high: put(side(1, 1)),
    lowFactors: put(shares.slice(0, count).map((x, i) => (i % 3 === 2 ? 1 : x))),
    highFactors: put(shares.slice(count).map((x, i) => (i % 3 === 2 ? 1 : x))),
  };
}

/** Checks scales of ranges with their gradients, signed gradient descent, and soft roundings. */
export function testRounding(open: () => Backend): void {
  describe.each(Object.entries(rules))("rangeScales, %s", (_, how) => {
    test.each([1, 37, 9001])("of %i groups, and its gradients", (count) =>
      expectLikeReference(
        open(),
        (backend) => {
          const blank = (): Tensor<"f32"> => blankOutput(backend, [count, 1]);
          const [scales, zeros, dLow, dHigh] = [blank(), blank(), blank(), blank()];
          const ranges = rangesOf(backend, count);
          const { kernels } = backend;
          kernels.rangeScales(scales, zeros, ranges, how);
          const by = [5, 6].map((seed) => upload(backend, normalSample([count, 1], seed)));
          kernels.rangeScalesBackward(dLow, dHigh, by[0], by[1], ranges, how);
          kernels.rangeScalesBackward(by[0], by[1], by[0], by[1], ranges, how);
          return [scales, zeros, dLow, dHigh, ...by];
        },
        1e-5,
      ),
    );
  });

  describe.each([
    [1, 1, 1],
    [5, 16, 16],
    [3, 70, 32],
    [200, 96, 24],
  ])("groupRanges of [%i, %i] in groups of %i", (rows, columns, groupSize) => {
    test("and its gradients, with ties and groups of one sign", () =>
      expectLikeReference(
        open(),
        (backend) => {
          // Few values, so that several weights of a group lie at its end.
          const coarse = normalSample([rows, columns], 1).values.map((x, i) =>
            i % 5 === 0 ? Math.abs(Math.round(4 * x)) / 4 : Math.round(4 * x) / 4,
          );
          const weight = upload(backend, floatSample([rows, columns], Array.from(coarse)));
          const shape = [rows, Math.ceil(columns / groupSize)];
          const [low, high] = [blankOutput(backend, shape), blankOutput(backend, shape)];
          const { kernels } = backend;
          kernels.groupRanges(low, high, weight, groupSize);
          const [lowFactors, highFactors, dLow, dHigh] = [2, 3, 4, 5].map((seed) =>
            upload(backend, normalSample(shape, seed)),
          );
          const dWeight = upload(backend, normalSample([rows, columns], 6));
          const ranges = { low, high, lowFactors, highFactors };
          kernels.groupRangesBackward(dWeight, dLow, dHigh, weight, ranges, groupSize);
          return [low, high, dWeight];
        },
        1e-6,
      ));
  });

  test("sigmoid and reciprocal, and their gradients", async () => {
    const backend = open();
    const x = [-40, -2, -0.5, 0.25, 1, 3, 32];
    const [input, upstream] = [x, x.map((_, i) => i - 3)].map((values) =>
      upload(backend, floatSample([x.length], values)),
    );
    const y = blankOutput(backend, [x.length]);
    const dX = blankOutput(backend, [x.length]);
    const expectNear = async (found: Tensor, expected: readonly number[]): Promise<void> => {
      for (const [i, value] of ((await found.read()) as Float32Array).entries()) {
        expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(1e-6 * Math.abs(expected[i]));
      }
    };
    const { kernels } = backend;
    kernels.sigmoid(y, input);
    await expectNear(
      y,
      x.map((of) => 1 / (1 + Math.exp(-of))),
    );
    kernels.sigmoidBackward(dX, upstream, y);
    const found = (await y.read()) as Float32Array;
    await expectNear(
      dX,
      x.map((_, i) => (i - 3) * found[i] * (1 - found[i])),
    );
    kernels.reciprocal(y, input);
    await expectNear(
      y,
      x.map((of) => 1 / of),
    );
    kernels.reciprocalBackward(upstream, upstream, y);
    await expectNear(
      upstream,
      x.map((of, i) => -(i - 3) / of ** 2),
    );
  });

  test("a factor that is NaN shows in the scale", async () => {
    const backend = open();
    const put = (value: number): Tensor => upload(backend, floatSample([1, 1], [value]));
    const ranges = { low: put(-1), high: put(2), lowFactors: put(1), highFactors: put(Number.NaN) };
    const [scales, zeros] = [put(0), put(0)];
    backend.kernels.rangeScales(scales, zeros, ranges, rules["asymmetric at 2 bits"]);
    expect([...((await scales.read()) as Float32Array)]).toEqual([Number.NaN]);
  });

  describe.each([1, 37, 40_003])("signDescent of %i values", (length) => {
    const sample = (backend: Backend, seed: number): Tensor =>
      upload(backend, normalSample([length], seed));
    const bounds = { low: -0.5, high: 0.75 };

    test("without momentum", () =>
      expectLikeReference(open(), (backend) => {
        const value = sample(backend, 1);
        const options = { learningRate: 0.125, momentum: 0, ...bounds };
        backend.kernels.signDescent(value, null, sample(backend, 2), options);
        return [value];
      }));

    test("with momentum, twice", () =>
      expectLikeReference(open(), (backend) => {
        const value = sample(backend, 1);
        const options = { learningRate: 0.125, momentum: 0.5, ...bounds };
        const moments = Tensor.zeros(backend, "f32", [length]);
        backend.kernels.signDescent(value, moments, sample(backend, 2), options);
        backend.kernels.signDescent(value, moments, sample(backend, 3), options);
        return [value, moments];
      }));
  });

  describe.each([1, 37, 40_003])("soft roundings of %i weights", (length) => {
    const sample = (backend: Backend, seed: number): Tensor =>
      upload(backend, normalSample([length], seed));

    test.each(["f32", "bf16"] as const)("values in %s, and their gradient", (dtype) =>
      expectLikeReference(
        open(),
        (backend) => {
          const [low, step, v] = [sample(backend, 1), sample(backend, 2), sample(backend, 3)];
          const [soft, hard] = [0, 1].map(() => Tensor.zeros(backend, dtype, [length]));
          const dV = blankOutput(backend, [length]);
          backend.kernels.roundSoftly(soft, low, step, v, false);
          backend.kernels.roundSoftly(hard, low, step, v, true);
          backend.kernels.roundSoftlyBackward(dV, sample(backend, 4), step, v);
          const given = sample(backend, 4);
          backend.kernels.roundSoftlyBackward(given, given, step, v);
          return [soft, hard, dV, given];
        },
        dtype === "f32" ? 1e-6 : 1e-2,
      ),
    );

    test.each([20, 7.5, 1])("the penalty with the exponent %d", (power) =>
      expectLikeReference(
        open(),
        (backend) => {
          const gradient = sample(backend, 4);
          backend.kernels.addRoundingPenalty(gradient, sample(backend, 3), 0.3, power);
          return [gradient];
        },
        1e-5,
      ),
    );
  });

  test("soft roundings end at 0 and 1, where they have no gradient; NaN shows", async () => {
    const backend = open();
    const put = (values: number[]): Tensor => upload(backend, floatSample([4], values));
    const [low, step, v] = [put([1, 1, 1, 1]), put([2, 2, 2, 0]), put([-9, 9, Number.NaN, 0])];
    const [soft, hard, dV] = [put([5, 5, 5, 5]), put([5, 5, 5, 5]), put([5, 5, 5, 5])];
    backend.kernels.roundSoftly(soft, low, step, v, false);
    backend.kernels.roundSoftly(hard, low, step, v, true);
    backend.kernels.roundSoftlyBackward(dV, put([1, 1, 1, 1]), step, v);
    expect([...((await soft.read()) as Float32Array)]).toEqual([1, 3, Number.NaN, 1]);
    expect([...((await hard.read()) as Float32Array)]).toEqual([1, 3, 1, 1]);
    expect([...((await dV.read()) as Float32Array)].map((x) => x + 0)).toEqual([0, 0, 0, 0]);
  });

  test("signDescent: 0 has no sign, NaN shows, values stay within the bounds", async () => {
    const backend = open();
    const put = (values: number[]): Tensor => upload(backend, floatSample([6], values));
    const value = put([0, 0, 0.9, -0.9, 0, 0]);
    const gradient = put([0, -0, -1, 1, Number.NaN, Number.POSITIVE_INFINITY]);
    const options = { learningRate: 0.25, momentum: 0, low: -1, high: 1 };
    backend.kernels.signDescent(value, null, gradient, options);
    expect([...((await value.read()) as Float32Array)]).toEqual([0, 0, 1, -1, Number.NaN, -0.25]);
  });
}
