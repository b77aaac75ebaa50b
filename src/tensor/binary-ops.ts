import type { SignSlope } from "../backend/binary-kernels.ts";
import type { PreparedOperand } from "../backend/packed-operand.ts";
import { ShapeError } from "../util/errors.ts";
import { asMatrix, expectShape } from "./shape.ts";
import { type Backward, expectUntracked, record } from "./tape.ts";
import { emptyLike, Tensor } from "./tensor.ts";

/*
 * The ops of weights and activations that are signs (BNN, arXiv 1602.02830; XNOR-Net, arXiv
 * 1603.05279).
 */

/** `mean|x|` of each row of x `[..., n]`: `[rows]`; not recorded. */
export function rowMagnitudes(x: Tensor): Tensor<"f32"> {
  const { rows, columns } = asMatrix(x.shape);
  const means = Tensor.empty(x.backend, "f32", [rows]);
  x.backend.kernels.rowMagnitudes(means, x.reshape([rows, columns]));
  return means;
}

/**
 * `scales[r]·sign(x)` for rows of x `[..., n]`, scales `[rows]` or of one value a row; sign(0) = +1.
 * Gradients by x take `slope`, those by scales are exact.
 */
export function signRows(x: Tensor, scales: Tensor<"f32">, slope: SignSlope): Tensor<"f32"> {
  const { rows, columns } = asMatrix(x.shape);
  expectShape("scales of signs", [scales.size], [rows]);
  const shape = [rows, columns];
  const flat = x.reshape(shape);
  const { kernels } = x.backend;
  const out = emptyLike(x);
  kernels.signRows(out.reshape(shape), flat, scales);
  const backward: Backward = (dOut, [, wantsScales]) => {
    const dX = emptyLike(x);
    const dScales = wantsScales ? emptyLike(scales) : null;
    const gradients = { dX: dX.reshape(shape), dScales };
    kernels.signRowsBackward(gradients, dOut.reshape(shape), flat, scales, slope);
    return [dX, dScales];
  };
  return record(out, [x, scales], backward);
}

/**
 * Takes the mean off each row of a weight `[rows, n]` where `centres`, then clips to ±bound; in
 * place, not recorded.
 */
export function limitRows(weight: Tensor<"f32">, centres: boolean, bound: number): void {
  weight.backend.kernels.limitRows(weight, centres, bound);
}

/**
 * Products of the signs of x `[..., in]` with a packed weight `[out, in]` of one bit and one scale a
 * row, times `mean|x|` of each token where `scalesTokens`; `[..., out]` f32.
 */
export function binaryLinear(
  x: Tensor,
  weight: PreparedOperand,
  scalesTokens: boolean,
): Tensor<"f32"> {
  const { rows, columns } = asMatrix(x.shape);
  if (columns !== weight.inFeatures) {
    throw new ShapeError(
      `binary linear: expected ${weight.inFeatures} input features, got ${columns}`,
    );
  }
  expectUntracked("binary products", x);
  const out = Tensor.empty(x.backend, "f32", [...x.shape.slice(0, -1), weight.outFeatures]);
  const flat = out.reshape([rows, weight.outFeatures]);
  x.backend.kernels.binaryMatmul(flat, x.reshape([rows, columns]), weight, scalesTokens);
  return out;
}
