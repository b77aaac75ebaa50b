import type { Backend } from "../backend/backend.ts";
import { LatentWeight } from "../quant/latent-weight.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { hasIntegerRows } from "../quant/scheme.ts";
import { dequantizeActivations, quantizeActivations } from "../tensor/integer-ops.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tokenZeroPoint } from "../quant/activation-grid.ts";
import { IntegerLinear } from "./integer-linear.ts";
import { fakeQuantizeRows } from "../tensor/training-ops.ts";
import { Linear, type LinearLike, type LinearWeight } from "./linear.ts";
import { OneBitLinear } from "./one-bit-linear.ts";

/** Inputs of 8 bits lie on either side of 0 at so many distances. */
const activationLevels = 127;

/**
 * Makes the layer that a weight asks for by its scheme: float inputs, with a scale each where the
 * weight has such, or inputs rounded to 8 bits and multiplied in integers where the weight has
 * 8-bit rows, in floats where it has not.
 */
export async function makeLinear(
  backend: Backend,
  weight: LinearWeight,
  bias: Tensor | null = null,
): Promise<LinearLike> {
  if (weight instanceof LatentWeight && weight.scheme.activation) {
    return withRoundedTokens(new Linear(backend, weight, bias));
  }
  if (!(weight instanceof QTensor)) return new Linear(backend, weight, bias);
  if (weight.scheme.grid.inputScales) return new OneBitLinear(backend, weight, bias);
  if (!weight.scheme.activation) return new Linear(backend, weight, bias);
  if (hasIntegerRows(weight.scheme)) return IntegerLinear.of(weight, bias);
  const input = weight.parts.activations?.input ?? null;
  const zeroPoint = input?.zeroPoint ?? tokenZeroPoint;
  return withRoundedInputs(new Linear(backend, weight, bias), (x) =>
    dequantizeActivations(quantizeActivations(x, input), zeroPoint),
  );
}

/**
 * A layer whose inputs are rounded to 8 bits, each token by its own magnitude, gradients passing
 * straight through (LLM-QAT, arXiv 2305.17888).
 */
export function withRoundedTokens(layer: Linear): LinearLike {
  return withRoundedInputs(layer, (x) => fakeQuantizeRows(x, activationLevels));
}

/** A layer whose inputs are rounded before it multiplies them. */
export function withRoundedInputs(layer: Linear, round: (x: Tensor) => Tensor): LinearLike {
  return {
    outFeatures: layer.outFeatures,
    inFeatures: layer.inFeatures,
    forward: (x, products) => layer.forward(round(x), products),
    release: () => layer.release(),
  };
}
