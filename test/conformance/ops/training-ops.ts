import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import { cast } from "../../../src/tensor/ops.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { FewbitError } from "../../../src/util/errors.ts";
import { bfloatsToFloats } from "../../../src/util/half.ts";
import { blankOutput, floatSample, normalSample, upload, uploadIds } from "./data.ts";
import { expectLikeReference } from "./like-reference.ts";

/** Lengths around the widths of vectors, and one that is split over threads. */
const lengths = [1, 7, 33, 172, 40_000] as const;

/** [rows, columns], the last ones split over threads. */
const shapes = [
  [1, 1],
  [3, 7],
  [5, 352],
  [70, 352],
  [2, 20_003],
] as const;

/** Checks the gradients of elementwise ops, the sums over tensors, and the optimizer. */
export function testTrainingElementwise(open: () => Backend): void {
  describe.each(lengths)("%i elements", (length) => {
    const sample = (backend: Backend, seed: number, spread = 1) =>
      upload(backend, normalSample([length], seed, "f32", spread)) as Tensor<"f32">;

    test("swigluBackward, also in place", () =>
      expectLikeReference(open(), (backend) => {
        const [dGate, dUp] = [blankOutput(backend, [length]), sample(backend, 3)];
        const [gate, up] = [sample(backend, 1, 4), sample(backend, 2)];
        backend.kernels.swigluBackward(dGate, dUp, dUp, gate, up);
        return [dGate, dUp];
      }));

    test("geluBackward, also in place", () =>
      expectLikeReference(open(), (backend) => {
        const [exact, tanh] = [blankOutput(backend, [length]), sample(backend, 3)];
        const x = sample(backend, 1, 3);
        backend.kernels.geluBackward(exact, sample(backend, 3), x, "none");
        backend.kernels.geluBackward(tanh, tanh, x, "tanh");
        return [exact, tanh];
      }));

    test("reluBackward and softCapBackward, also in place", () =>
      expectLikeReference(open(), (backend) => {
        const [bent, cap] = [sample(backend, 3), sample(backend, 3)];
        const [bentApart, capApart] = [
          blankOutput(backend, [length]),
          blankOutput(backend, [length]),
        ];
        const x = sample(backend, 1);
        backend.kernels.reluBackward(bent, bent, x);
        backend.kernels.reluBackward(bentApart, sample(backend, 3), x);
        backend.kernels.softCapBackward(cap, cap, x, 5);
        backend.kernels.softCapBackward(capApart, sample(backend, 3), x, 5);
        return [bent, cap, bentApart, capApart];
      }));

    test("sumSquares adds to the sum", () =>
      expectLikeReference(
        open(),
        (backend) => {
          const sum = Tensor.from(backend, "f64", [1], Float64Array.of(0.5));
          backend.kernels.sumSquares(sum, sample(backend, 1));
          return [sum];
        },
        1e-13,
      ));

    test("squaredError, also in place", () =>
      expectLikeReference(
        open(),
        (backend) => {
          const total = Tensor.from(backend, "f64", [1], Float64Array.of(7));
          const a = sample(backend, 1);
          backend.kernels.squaredError(total, a, a, sample(backend, 2), null, 0.3);
          return [total, a];
        },
        1e-6,
      ));

    test("adamw: two steps", () =>
      expectLikeReference(open(), (backend) =>
        takeTwoSteps(backend, [blank(backend, length), blank(backend, length)]),
      ));

    test("adamw: moments in bfloat16", () =>
      expectLikeReference(
        open(),
        (backend) => {
          const moments = (): Tensor<"bf16"> =>
            Tensor.from(backend, "bf16", [length], new Uint16Array(length));
          const [weight, m, v] = takeTwoSteps(backend, [moments(), moments()]);
          return [weight, cast(m, "f32"), cast(v, "f32")];
        },
        2 ** -7, // float32 sums of another order may fall on the other side of a random number
      ));
  });
}

/** Takes two steps of AdamW with these moments, from samples; the weights and the moments. */
function takeTwoSteps<M extends Tensor>(
  backend: Backend,
  [m, v]: readonly [M, M],
): readonly [Tensor, M, M] {
  const sample = (seed: number): Tensor => upload(backend, normalSample([m.size], seed));
  const weight = sample(1);
  const rates = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8 };
  for (const step of [1, 2]) {
    const options = { ...rates, weightDecay: 0.1, step, gradientScale: 0.5 };
    backend.kernels.adamw(weight, m, v, sample(step + 4), options);
  }
  return [weight, m, v];
}

function blank(backend: Backend, length: number): Tensor<"f32"> {
  return Tensor.from(backend, "f32", [length], new Float32Array(length));
}

/** Checks the gradients of ops that work row by row. */
export function testTrainingRows(open: () => Backend): void {
  describe.each(shapes)("[%i, %i]", (rows, columns) => {
    const shape = [rows, columns];
    const sample = (backend: Backend, seed: number, of: readonly number[] = shape, spread = 1) =>
      upload(backend, normalSample(of, seed, "f32", spread)) as Tensor<"f32">;
    const targets = Array.from({ length: rows }, (_, t) => (t % 4 === 3 ? -1 : (t * 37) % columns));

    test("squaredError of weighted rows", () =>
      expectLikeReference(
        open(),
        (backend) => {
          const total = Tensor.from(backend, "f64", [1], Float64Array.of(7));
          const [a, b, difference] = [sample(backend, 1), sample(backend, 2), sample(backend, 4)];
          backend.kernels.squaredError(total, difference, a, b, sample(backend, 3, [rows]), 0.3);
          return [total, difference];
        },
        1e-6,
      ));

    test("takeColumnsBackward puts columns back where they were", () =>
      expectLikeReference(open(), (backend) => {
        const taken = Array.from({ length: Math.ceil(columns / 2) }, (_, j) => columns - 1 - 2 * j);
        const dX = sample(backend, 1);
        const dOut = sample(backend, 2, [rows, taken.length]);
        backend.kernels.takeColumnsBackward(
          dX,
          dOut,
          uploadIds(
            backend,
            taken.map((j) => Math.max(0, j)),
          ),
        );
        return [dX];
      }));

    test("rmsNormBackward", () =>
      expectLikeReference(open(), (backend) => {
        const dX = blankOutput(backend, shape);
        const dWeight = blankOutput(backend, [columns]);
        const [dOut, x] = [sample(backend, 1), sample(backend, 2)];
        const weight = sample(backend, 3, [columns]);
        backend.kernels.rmsNormBackward(dX, dWeight, dOut, x, weight, 1e-5);
        const only = blankOutput(backend, shape);
        backend.kernels.rmsNormBackward(only, null, dOut, x, weight, 1e-5);
        return [dX, dWeight, only];
      }));

    test("layerNormBackward, with and without a weight", () =>
      expectLikeReference(
        open(),
        (backend) => {
          const [dX, plain] = [blankOutput(backend, shape), blankOutput(backend, shape)];
          const [dWeight, dBias] = [
            blankOutput(backend, [columns]),
            blankOutput(backend, [columns]),
          ];
          const [dOut, x] = [sample(backend, 1), sample(backend, 2)];
          const weight = sample(backend, 3, [columns]);
          backend.kernels.layerNormBackward(dX, dWeight, dBias, dOut, x, weight, 1e-5);
          backend.kernels.layerNormBackward(plain, null, null, dOut, x, null, 1e-5);
          return [dX, dWeight, dBias, plain];
        },
        4e-6,
      ));

    test("softmaxBackward, also in place", () =>
      expectLikeReference(
        open(),
        (backend) => {
          const [y, dX] = [sample(backend, 1), sample(backend, 2)];
          backend.kernels.softmaxBackward(dX, dX, y);
          return [dX];
        },
        1e-5,
      ));

    test("crossEntropy and its gradient, also in place; negative targets give 0", () =>
      expectLikeReference(
        open(),
        (backend) => {
          const [logits, ids] = [sample(backend, 1, shape, 4), uploadIds(backend, targets)];
          const [losses, dLogits] = [blankOutput(backend, [rows]), blankOutput(backend, shape)];
          backend.kernels.crossEntropy(losses, logits, ids);
          backend.kernels.crossEntropyBackward(dLogits, logits, ids, 0.25);
          backend.kernels.crossEntropyBackward(logits, logits, ids, 0.25);
          return [losses, dLogits, logits];
        },
        6e-6,
      ));

    test("klDivergenceBackward, also in place", () =>
      expectLikeReference(
        open(),
        (backend) => {
          const [teacher, student] = [sample(backend, 1, shape, 3), sample(backend, 2, shape, 3)];
          const dStudent = blankOutput(backend, shape);
          backend.kernels.klDivergenceBackward(dStudent, teacher, student, 0.25);
          backend.kernels.klDivergenceBackward(student, teacher, student, 0.25);
          return [dStudent, student];
        },
        6e-6,
      ));

    test("columnSums", () =>
      expectLikeReference(
        open(),
        (backend) => {
          const out = blankOutput(backend, [columns]);
          backend.kernels.columnSums(out, sample(backend, 1));
          return [out];
        },
        1e-7,
      ));

    test("directionError", () =>
      expectLikeReference(
        open(),
        (backend) => {
          const [errors, dStudent] = [blankOutput(backend, [rows]), blankOutput(backend, shape)];
          const [teacher, student] = [sample(backend, 1), sample(backend, 2)];
          backend.kernels.directionError(errors, dStudent, teacher, student, 3);
          return [errors, dStudent];
        },
        1e-5,
      ));

    test("embeddingBackward adds the rows of one id, also to what is there", () =>
      expectLikeReference(open(), (backend) => {
        const blank = blankOutput(backend, [5, columns]);
        const sums = upload(backend, normalSample([5, columns], 2));
        const ids = uploadIds(
          backend,
          Array.from({ length: rows }, (_, t) => [2, 0, 2, 4][t % 4]),
        );
        backend.kernels.embeddingBackward(blank, sample(backend, 1), ids, false);
        backend.kernels.embeddingBackward(sums, sample(backend, 1), ids, true);
        return [blank, sums];
      }));
  });

  test("a target beyond the vocabulary is refused by crossEntropyBackward", async () => {
    const backend = open();
    await expect(async () => {
      const [dLogits, logits] = [blankOutput(backend, [2, 5]), blankOutput(backend, [2, 5])];
      backend.kernels.crossEntropyBackward(dLogits, logits, uploadIds(backend, [1, 5]), 1);
      await backend.synchronize();
    }).rejects.toThrow(FewbitError);
  });

  test("multiply takes one row for all rows", () =>
    expectLikeReference(
      open(),
      (backend) => {
        const a = upload(backend, normalSample([70, 352], 1));
        const out = blankOutput(backend, a.shape);
        backend.kernels.multiply(out, a, upload(backend, normalSample([352], 2)));
        backend.kernels.multiply(a, a, upload(backend, normalSample([352], 2)));
        return [out, a];
      },
      0,
    ));
}

/** Checks the gradients of `attention` and `rope`. */
export function testTrainingAttention(open: () => Backend): void {
  for (const [batch, length, heads, kvHeads, headDim, window, softCap] of [
    [1, 1, 1, 1, 1, 0],
    [2, 9, 4, 2, 8, 0],
    [1, 70, 6, 2, 20, 0],
    [2, 61, 3, 3, 33, 17],
    [1, 49, 2, 1, 64, 1],
    [1, 130, 8, 1, 16, 500],
    [1, 70, 4, 2, 20, 9, 1.5],
    [2, 40, 2, 2, 16, 0, 2.5],
  ] as const) {
    const title =
      `[${batch}, ${length}, ${heads}:${kvHeads}, ${headDim}], window ${window}` +
      (softCap ? `, scores capped at ${softCap}` : "");
    test(`attentionBackward ${title}`, () =>
      expectLikeReference(
        open(),
        (backend) => {
          const sample = (seed: number, of: number) =>
            upload(backend, normalSample([batch, length, of, headDim], seed));
          const [q, k, v] = [sample(1, heads), sample(2, kvHeads), sample(3, kvHeads)];
          const dQ = blankOutput(backend, q.shape);
          const [dK, dV] = [blankOutput(backend, k.shape), blankOutput(backend, k.shape)];
          const options = {
            scale: 1.5 / Math.sqrt(headDim),
            ...(window && { window }),
            ...(softCap && { softCap }),
          };
          backend.kernels.attentionBackward(dQ, dK, dV, sample(4, heads), q, k, v, options);
          return [dQ, dK, dV];
        },
        4e-6,
      ));
  }

  test("ropeBackward turns back, also in place", () =>
    expectLikeReference(open(), (backend) => {
      const dX = upload(backend, normalSample([2, 5, 3, 38], 1));
      const [cos, sin] = [2, 3].map((seed) => upload(backend, normalSample([9, 19], seed)));
      const out = blankOutput(backend, dX.shape);
      backend.kernels.ropeBackward(out, dX, cos, sin, 4);
      backend.kernels.ropeBackward(dX, dX, cos, sin, 4);
      return [out, dX];
    }));
}

/** Checks `adamw` where numbers go wrong. */
export function testAdamwEdges(open: () => Backend): void {
  test("adamw: a NaN gradient shows in the weight, moments that die out become 0", async () => {
    const backend = open();
    const [weight, m, v, g] = [
      [1, 1, 1],
      [0, 1e-38, 0],
      [0, 1e-38, 0],
      [Number.NaN, 0, 0],
    ].map((values) => upload(backend, floatSample([3], values)));
    const options = { learningRate: 0.1, beta1: 0.9, beta2: 0.9, epsilon: 1e-8 };
    backend.kernels.adamw(weight, m, v, g, {
      ...options,
      weightDecay: 0,
      step: 3,
      gradientScale: 1,
    });
    expect([...(await weight.read())]).toEqual([Number.NaN, 1, 1]);
  });

  test("adamw: moments in bfloat16 follow changes below half their unit, on average", async () => {
    const backend = open();
    const count = 4096;
    const full = (value: number) => new Float32Array(count).fill(value);
    const weight = Tensor.from(backend, "f32", [count], full(0));
    const g = Tensor.from(backend, "f32", [count], full(0.5));
    const m = Tensor.from(backend, "bf16", [count], new Uint16Array(count).fill(0x3f80)); // 1
    const v = Tensor.from(backend, "bf16", [count], new Uint16Array(count).fill(0x3f80));
    const rates = { learningRate: 0, beta1: 0.999, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
    for (let step = 1; step <= 50; step++) {
      backend.kernels.adamw(weight, m, v, g, { ...rates, step, gradientScale: 1 });
    }
    for (const [moments, towards] of [
      [m, 0.5],
      [v, 0.25],
    ] as const) {
      const values = bfloatsToFloats(await moments.read());
      const mean = values.reduce((sum, value) => sum + value, 0) / count;
      expect(mean).toBeCloseTo(towards + (1 - towards) * 0.999 ** 50, 2.7);
      expect(new Set(values).size).toBeGreaterThan(3);
    }
  });

  test("adamw: an infinite moment in bfloat16 stays, and NaN", async () => {
    const backend = open();
    const [weight, g] = [0, 0].map((fill) => upload(backend, floatSample([2], [fill, fill])));
    const bits = Uint16Array.of(0x7f80, 0x7fff);
    const [m, v] = [0, 0].map(() => Tensor.from(backend, "bf16", [2], bits.slice()));
    const rates = { learningRate: 0, beta1: 0.9, beta2: 0.9, epsilon: 1e-8, weightDecay: 0 };
    backend.kernels.adamw(weight, m, v, g, { ...rates, step: 1, gradientScale: 1 });
    expect([...bfloatsToFloats(await m.read())]).toEqual([Number.POSITIVE_INFINITY, Number.NaN]);
  });
}
