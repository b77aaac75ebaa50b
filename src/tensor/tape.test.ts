import { describe, expect, test } from "vitest";
import type { Backend } from "../backend/backend.ts";
import type { Storage } from "../backend/kernels.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { UnsupportedError, UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import {
  add,
  attention,
  cast,
  embedding,
  gelu,
  layerNorm,
  multiply,
  relu,
  rmsNorm,
  rope,
  softCap,
  softmax,
  swiglu,
  takeColumns,
} from "./ops.ts";
import { linear } from "./products.ts";
import { recompute, Tape, type TapePrecision } from "./tape.ts";
import { Tensor, tidy } from "./tensor.ts";
import {
  crossEntropyGradient,
  directionErrorGradient,
  fakeQuantize,
  fakeQuantizeRows,
  klDivergenceGradient,
  roundToHalf,
  squaredErrorGradient,
} from "./training-ops.ts";

const backend = createReferenceBackend();
const random = new Prng(7);

function normal(...shape: number[]): Tensor<"f32"> {
  const count = shape.reduce((product, n) => product * n, 1);
  return Tensor.from(
    backend,
    "f32",
    shape,
    Float32Array.from({ length: count }, () => random.normal()),
  );
}

function values(tensor: Tensor): Float32Array {
  return tensor.storage as Float32Array;
}

/** Σ out·direction in float64. */
function dot(out: Tensor, direction: Tensor): number {
  const a = values(out);
  const b = values(direction);
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/**
 * Central differences of `Σ body()·direction` by every element of a parameter, against the tape's
 * gradient.
 */
function expectGradients(parameters: Tensor<"f32">[], body: () => Tensor<"f32">): void {
  const direction = normal(...tidy(() => body()).shape);
  const tape = new Tape();
  tape.watch(...parameters);
  const out = tape.run(body);
  tape.backward([[out, Tensor.from(backend, "f32", out.shape, values(direction).slice())]]);
  for (const parameter of parameters) {
    const gradient = tape.takeGradient(parameter);
    expect(gradient?.shape).toEqual(parameter.shape);
    const array = values(parameter);
    const largest = Math.max(...values(gradient as Tensor).map(Math.abs), 0.1);
    for (let i = 0; i < array.length; i++) {
      const before = array[i];
      const step = 1e-2;
      array[i] = before + step;
      const above = array[i];
      const high = dot(tidy(body), direction);
      array[i] = before - step;
      const low = dot(tidy(body), direction);
      const slope = (high - low) / (above - array[i]);
      array[i] = before;
      expect(Math.abs(values(gradient as Tensor)[i] - slope) / largest).toBeLessThan(2e-3);
    }
  }
  tape.release();
}

const x = normal(2, 3, 8);
const y = normal(2, 3, 8);
const row = normal(8);
const [q, k, v] = [normal(2, 3, 4, 4), normal(2, 3, 2, 4), normal(2, 3, 2, 4)];
const angles = Float32Array.from({ length: 6 }, () => random.normal());
const cos = Tensor.from(backend, "f32", [3, 2], angles.map(Math.cos));
const sin = Tensor.from(backend, "f32", [3, 2], angles.map(Math.sin));
const columns = Tensor.from(backend, "i32", [3], Int32Array.of(6, 0, 3));
const others = Tensor.from(backend, "i32", [3], Int32Array.of(1, 0, 7));
/** Differences across the bend of relu are no slopes. */
const awayFromZero = Tensor.from(
  backend,
  "f32",
  x.shape,
  values(x).map((value) => value + Math.sign(value) * 0.1),
);
const weight = normal(5, 8);
const table = normal(6, 8);
const ids = Tensor.from(backend, "i32", [2, 3], Int32Array.of(0, 5, 2, 2, 1, 2));

/** Every op with gradients, and what they are taken by. */
const cases: Record<string, [Tensor<"f32">[], () => Tensor<"f32">]> = {
  linear: [[x, weight], () => linear(x, weight)],
  "linear of one input, twice": [[x, weight], () => add(linear(x, weight), linear(x, weight))],
  embedding: [[table], () => embedding(table, ids)],
  "a table looked up in, and multiplied by": [[table], () => linear(embedding(table, ids), table)],
  "a table looked up in twice": [
    [table],
    () => multiply(embedding(table, ids), embedding(table, ids)),
  ],
  rmsNorm: [[x, row], () => rmsNorm(x, row, 1e-5)],
  layerNorm: [[x, row], () => layerNorm(x, row, row, 1e-5)],
  "layerNorm without weight": [[x], () => layerNorm(x, null, null, 1e-5)],
  rope: [[q], () => rope(q, cos, sin, 0)],
  attention: [[q, k, v], () => attention(q, k, v, { scale: 0.5, keyLength: 3 })],
  "attention in a window": [
    [q, k, v],
    () => attention(q, k, v, { scale: 0.5, keyLength: 3, window: 2 }),
  ],
  swiglu: [[x, y], () => swiglu(x, y)],
  gelu: [[x], () => gelu(x)],
  "gelu, tanh": [[x], () => gelu(x, "tanh")],
  "attention with capped scores": [
    [q, k, v],
    () => attention(q, k, v, { scale: 0.5, keyLength: 3, softCap: 1.5 }),
  ],
  relu: [[awayFromZero], () => relu(awayFromZero)],
  softCap: [[x], () => softCap(x, 2)],
  takeColumns: [[x], () => takeColumns(x, columns)],
  "columns taken apart": [[x], () => multiply(takeColumns(x, columns), takeColumns(x, others))],
  softmax: [[x], () => softmax(x)],
  add: [[x, y], () => add(x, y)],
  "add of a row": [[x, row], () => add(x, row)],
  "add of itself": [[x], () => add(x, x)],
  multiply: [[x, y], () => multiply(x, y)],
  "multiply by a row": [[x, row], () => multiply(x, row)],
  square: [[x], () => multiply(x, x)],
  recomputed: [[x, weight], () => recompute([x], () => linear(gelu(x), weight))],
};

describe("the tape's gradients are the slopes of central differences", () => {
  test.each(Object.entries(cases))("%s", (_, [parameters, body]) => {
    expectGradients(parameters, body);
  });
});

/** Central differences of a loss by its first operand. */
function expectLossGradient(
  operand: Tensor<"f32">,
  loss: (x: Tensor<"f32">) => { value: number; gradient: Tensor<"f32"> },
): void {
  const copy = (): Tensor<"f32"> =>
    Tensor.from(backend, "f32", operand.shape, values(operand).slice());
  const { gradient } = loss(copy());
  for (let i = 0; i < operand.size; i++) {
    const moved = (step: number): Tensor<"f32"> => {
      const tensor = copy();
      values(tensor)[i] += step;
      return tensor;
    };
    const slope = (loss(moved(1e-2)).value - loss(moved(-1e-2)).value) / 2e-2;
    expect(values(gradient)[i]).toBeCloseTo(slope, 3);
  }
}

function total(tensor: Tensor): number {
  return [...(tensor.storage as Float32Array | Float64Array)].reduce(
    (sum, value) => sum + value,
    0,
  );
}

describe("the gradients of losses are the slopes of central differences", () => {
  const logits = normal(4, 6);
  const teacher = normal(4, 6);

  test("cross-entropy; a negative target counts for nothing", () => {
    const targets = Tensor.from(backend, "i32", [4], Int32Array.of(0, 5, -1, 2));
    expectLossGradient(logits, (x) => {
      const { losses, gradient } = crossEntropyGradient(x, targets, 0.25);
      return { value: 0.25 * total(losses), gradient };
    });
  });

  test("KL divergence", () => {
    expectLossGradient(logits, (x) => {
      const { divergences, gradient } = klDivergenceGradient(teacher, x, 0.5);
      return { value: 0.5 * total(divergences), gradient };
    });
  });

  test("squared error", () => {
    expectLossGradient(logits, (x) => {
      const result = squaredErrorGradient(x, teacher, null, 0.5);
      return { value: 0.5 * total(result.total), gradient: result.gradient };
    });
  });

  test("squared error of weighted rows", () => {
    const weights = Tensor.from(backend, "f32", [4], Float32Array.of(0.5, 3, 0, 1));
    expectLossGradient(logits, (x) => {
      const result = squaredErrorGradient(x, teacher, weights, 0.5);
      return { value: 0.5 * total(result.total), gradient: result.gradient };
    });
  });

  test("error of direction", () => {
    expectLossGradient(logits, (x) => {
      const { errors, gradient } = directionErrorGradient(teacher, x, 0.5);
      return { value: 0.5 * total(errors), gradient };
    });
  });
});

function gradientBy(parameter: Tensor<"f32">, body: () => Tensor<"f32">): Float32Array {
  const tape = new Tape();
  tape.watch(parameter);
  const out = tape.run(body);
  const ones = new Float32Array(out.size).fill(1);
  tape.backward([[out, Tensor.from(backend, "f32", out.shape, ones)]]);
  const gradient = tape.takeGradient(parameter);
  tape.release();
  return values(gradient as Tensor);
}

test("rounding passes gradients straight through", () => {
  const ones = new Float32Array(x.size).fill(1);
  expect(gradientBy(x, () => roundToHalf(x))).toEqual(ones);
  expect(gradientBy(x, () => fakeQuantizeRows(x, 7))).toEqual(ones);
  expect(gradientBy(x, () => cast(cast(x, "bf16"), "f32"))).toEqual(ones);
});

test("recomputation gives the bytes that recording gives", () => {
  const body = (): Tensor<"f32"> => linear(rmsNorm(gelu(x), row, 1e-5), weight);
  for (const parameter of [x, row, weight]) {
    const plain = gradientBy(parameter, body);
    expect(gradientBy(parameter, () => recompute([x], body))).toEqual(plain);
    expect(gradientBy(parameter, () => recompute([x], () => tidy(body)))).toEqual(plain);
  }
});

test("a chain of recomputed parts gives the bytes of a recorded one", () => {
  const step = (input: Tensor<"f32">): Tensor<"f32"> => add(input, gelu(multiply(input, row)));
  const plain = gradientBy(row, () => step(step(step(x))));
  const again = (input: Tensor<"f32">): Tensor<"f32"> =>
    recompute([input], () => tidy(() => step(input)));
  expect(gradientBy(row, () => again(again(again(x))))).toEqual(plain);
});

describe("operands that are made again for the gradients", () => {
  const live = new Set<Storage>();
  const counting: Backend = {
    ...backend,
    allocate: (dtype, length) => {
      const storage = backend.allocate(dtype, length);
      live.add(storage);
      return storage;
    },
    release: (storage) => {
      live.delete(storage);
      backend.release(storage);
    },
  };
  const drawn = (...shape: number[]): Tensor<"f32"> =>
    Tensor.from(counting, "f32", shape, values(normal(...shape)));
  const [h, first, second, gains] = [drawn(3, 8), drawn(8, 8), drawn(8, 8), drawn(8)];
  const [steps, direction] = [drawn(8, 2), drawn(3, 8)];
  const how = {
    rule: "round",
    low: -2,
    high: 1,
    resolution: 1,
    shift: 0,
    lowSlope: -2,
    highSlope: 1,
    passOutside: false,
  } as const;
  const body = (): Tensor<"f32"> => {
    const normed = rmsNorm(h, gains, 1e-5);
    const groups = { scales: steps, zeros: null, groupSize: 4 };
    const gate = linear(normed, fakeQuantize(first, groups, how));
    return linear(swiglu(gate, linear(normed, second)), second);
  };

  function pass(
    remakes: boolean,
    precision: TapePrecision,
  ): { gradients: Float32Array[]; kept: number } {
    const before = live.size;
    const tape = new Tape({ precision, remakes });
    const wanted = [h, first, second, gains, steps];
    tape.watch(...wanted);
    const out = tape.run(body);
    const kept = live.size - before;
    tape.backward([[out, direction]]);
    const gradients = wanted.map((each) => values(tape.takeGradient(each) as Tensor).slice());
    tape.release();
    return { gradients, kept };
  }

  test.each([
    ["f32", 3], // the normalised input, the weight on its grid, the gated unit
    ["bf16", 1], // the weight
  ] as const)("are the same to the bit, and not kept: %s", (precision, fewer) => {
    const kept = pass(false, precision);
    const again = pass(true, precision);
    expect(again.gradients).toEqual(kept.gradients);
    expect(again.kept).toBe(kept.kept - fewer);
  });
});

test("what tidy gives back, a tape keeps while it needs it", () => {
  const inner = (): Tensor<"f32"> => tidy(() => gelu(tidy(() => multiply(x, row))));
  expect(gradientBy(row, inner)).toEqual(gradientBy(row, () => gelu(multiply(x, row))));
});

test("products in bfloat16 differ from float32 by the rounding of their operands", () => {
  const run = (precision: "f32" | "bf16"): Float32Array => {
    const tape = new Tape({ precision });
    tape.watch(weight);
    const out = tape.run(() => linear(x, weight));
    tape.backward([
      [out, Tensor.from(backend, "f32", out.shape, new Float32Array(out.size).fill(1))],
    ]);
    return values(tape.takeGradient(weight) as Tensor);
  };
  const exact = run("f32");
  const rounded = run("bf16");
  expect(rounded).not.toEqual(exact);
  rounded.forEach((value, i) => expect(Math.abs(value - exact[i])).toBeLessThan(0.05));
});

test("nothing is recorded of what gradients do not flow to", () => {
  const tape = new Tape();
  tape.watch(weight);
  const out = tape.run(() => gelu(x));
  tape.backward([[out, normal(...out.shape)]]);
  expect(tape.takeGradient(weight)).toBeNull();
});

test("a slice of a differentiated tensor, which would lose gradients, is refused", () => {
  const tape = new Tape();
  tape.watch(x);
  expect(() => tape.run(() => x.slice(0, 1))).toThrow(UsageError);
});

test("attention to a longer cache has no gradients and says so", () => {
  const tape = new Tape();
  tape.watch(q);
  const keys = normal(2, 5, 2, 4);
  expect(() => tape.run(() => attention(q, keys, keys, { scale: 1, keyLength: 3 }))).toThrow(
    UnsupportedError,
  );
});
