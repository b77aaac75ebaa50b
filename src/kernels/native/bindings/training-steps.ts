import { elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/adamw.c` */
export const adamw: Binding<"adamw"> = (queue) => (weight, m, v, gradient, options) => {
  const count = elementCount(weight.shape);
  expectCount("adamw: elements of m", elementCount(m.shape), count);
  expectCount("adamw: elements of v", elementCount(v.shape), count);
  expectCount("adamw: elements of the gradient", elementCount(gradient.shape), count);
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = options;
  queue.run(
    "adamw",
    [
      storageOf("adamw weight", weight, "f32"),
      storageOf("adamw m", m, "f32"),
      storageOf("adamw v", v, "f32"),
      storageOf("adamw gradient", gradient, "f32"),
    ],
    [count, step],
    [learningRate, beta1, beta2, epsilon, weightDecay, gradientScale],
  );
};

/** `native/ops/sum_squares.c` */
export const sumSquares: Binding<"sumSquares"> = (queue) => (sum, x) => {
  queue.run(
    "sum_squares",
    [storageOf("sumSquares sum", sum, "f64"), storageOf("sumSquares x", x, "f32")],
    [elementCount(x.shape)],
  );
};

/** `native/ops/squared_error.c` */
export const squaredError: Binding<"squaredError"> =
  (queue) => (total, difference, a, b, scale) => {
    const count = elementCount(a.shape);
    expectCount("squaredError: elements of b", elementCount(b.shape), count);
    expectCount("squaredError: elements of difference", elementCount(difference.shape), count);
    queue.run(
      "squared_error",
      [
        storageOf("squaredError total", total, "f64"),
        storageOf("squaredError difference", difference, "f32"),
        storageOf("squaredError a", a, "f32"),
        storageOf("squaredError b", b, "f32"),
      ],
      [count],
      [scale],
    );
  };
