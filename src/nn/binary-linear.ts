import type { Backend } from "../backend/backend.ts";
import type { SignSlope } from "../backend/binary-kernels.ts";
import type { PreparedOperand } from "../backend/packed-operand.ts";
import type { ActivationGrid } from "../quant/activation-grid.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import { binaryLinear, rowMagnitudes, signRows } from "../tensor/binary-ops.ts";
import { add } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { LinearLike } from "./linear.ts";

/**
 * The slope of inputs that are seen by their signs: 1 where |x| is at most the root mean square of
 * the token, as if it had been normalised; 0 beyond (BNN, arXiv 1602.02830, equation 4).
 */
export const withinToken: SignSlope = { peak: "one", bound: 1, isRelative: true, base: 0 };

/**
 * x `[..., n]` by its signs, `K·sign(x)`, with K the mean magnitude of the token, or 1 in the mode
 * `sign`. No gradient flows by way of K.
 */
export function binarize(
  x: Tensor,
  { mode }: ActivationGrid,
  slope: SignSlope = withinToken,
): Tensor<"f32"> {
  if (mode === "token") return signRows(x, rowMagnitudes(x), slope);
  const rows = x.size / Math.max(1, x.shape.at(-1) ?? 1);
  const ones = Tensor.from(x.backend, "f32", [rows], new Float32Array(rows).fill(1));
  return signRows(x, ones, slope);
}

/** A linear layer whose weight and inputs are signs: products are counts of differing bits. */
export class BinaryLinear implements LinearLike {
  readonly weight: QTensor;
  readonly bias: Tensor | null;
  readonly outFeatures: number;
  readonly inFeatures: number;
  private readonly operand: PreparedOperand;
  private readonly scalesTokens: boolean;

  /** Takes a weight whose scheme has `hasBinaryRows`. */
  constructor(backend: Backend, weight: QTensor, bias: Tensor | null = null) {
    this.weight = weight;
    this.bias = bias;
    this.outFeatures = weight.outFeatures;
    this.inFeatures = weight.inFeatures;
    this.operand = backend.prepare(weight.operand());
    this.scalesTokens = weight.scheme.activation?.mode === "token";
  }

  forward(x: Tensor): Tensor<"f32"> {
    const product = binaryLinear(x, this.operand, this.scalesTokens);
    return this.bias ? add(product, this.bias) : product;
  }

  release(): void {
    this.bias?.release();
  }
}
