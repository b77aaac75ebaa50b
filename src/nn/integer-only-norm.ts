import type { Tensor } from "../tensor/tensor.ts";
import { integerNorm } from "../tensor/integer-only-ops.ts";
import { roundHalfEven } from "../util/rounding.ts";

const weightLevels = 2 ** 22;
const resultLevels = 2 ** 30;
const mostEpsilon = 2 ** 52;

/** RMSNorm between int32 values: `x/√(mean(x²) + eps) · w`. */
export class IntegerOnlyNorm {
  /** What an int32 of 1 in the result stands for: the largest result, `√n·max|w|`, is 2^30. */
  readonly unit: number;
  /** Weights as floats, `[n]`. */
  readonly gains: Float32Array;
  private readonly weights: Int32Array;
  private readonly epsilon: number;

  /** @param inputUnit what an int32 of 1 in x stands for */
  constructor(gains: Float32Array, eps: number, inputUnit: number) {
    const largest = gains.reduce((most, gain) => Math.max(most, Math.abs(gain)), 0) || 1;
    this.gains = gains;
    this.unit = (Math.sqrt(gains.length) * largest) / resultLevels;
    this.weights = Int32Array.from(gains, (gain) => roundHalfEven((gain / largest) * weightLevels));
    this.epsilon = Math.min(Math.round((gains.length * eps) / inputUnit ** 2), mostEpsilon);
  }

  /** Normalises rows of x `[..., n]`. */
  forward(x: Tensor<"i32">): Tensor<"i32"> {
    return integerNorm(x, { weights: this.weights, epsilon: this.epsilon });
  }
}
