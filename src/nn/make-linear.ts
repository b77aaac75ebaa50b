import type { Backend } from "../backend/backend.ts";
import { LatentWeight } from "../quant/latent-weight.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { hasBinaryRows, hasIntegerRows } from "../quant/scheme.ts";
import { dequantizeActivations, quantizeActivations } from "../tensor/integer-ops.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  type ActivationGrid,
  isBinary,
  isCoarse,
  tokenLevels,
  tokenZeroPoint,
} from "../quant/activation-grid.ts";
import { BinaryLinear, binarize } from "./binary-linear.ts";
import { IntegerLinear } from "./integer-linear.ts";
import { fakeQuantizeRows } from "../tensor/training-ops.ts";
import { Linear, type LinearLike, type LinearWeight } from "./linear.ts";
import { withSparseWeights } from "./sparse-linear.ts";
import { OneBitLinear } from "./one-bit-linear.ts";

/**
 * Makes the layer that a weight asks for by its scheme: float inputs, with a scale each where the
 * weight has such, or rounded inputs, multiplied in integers where these and the rows of the weight
 * have 8 bits, by counting bits where both are signs, in floats otherwise.
 */
export async function makeLinear(
  backend: Backend,
  weight: LinearWeight,
  bias: Tensor | null = null,
): Promise<LinearLike> {
  if (weight instanceof LatentWeight && weight.scheme.activation) {
    return withRoundedTokens(new Linear(backend, weight, bias), weight.scheme.activation);
  }
  if (!(weight instanceof QTensor)) return new Linear(backend, weight, bias);
  if (weight.scheme.grid.inputScales) return new OneBitLinear(backend, weight, bias);
  const { activation } = weight.scheme;
  if (!activation) return floatInputs(backend, weight, bias);
  if (hasBinaryRows(weight.scheme)) return new BinaryLinear(backend, weight, bias);
  if (isCoarse(activation)) {
    return withRoundedTokens(floatInputs(backend, weight, bias), activation);
  }
  if (hasIntegerRows(weight.scheme)) return IntegerLinear.of(weight, bias);
  const input = weight.parts.activations?.input ?? null;
  const zeroPoint = input?.zeroPoint ?? tokenZeroPoint;
  return withRoundedInputs(floatInputs(backend, weight, bias), (x) =>
    dequantizeActivations(quantizeActivations(x, input), zeroPoint),
  );
}

/** A layer that multiplies by a packed weight, and by those that stand beside its codes. */
function floatInputs(backend: Backend, weight: QTensor, bias: Tensor | null): LinearLike {
  const { sparse } = weight.parts;
  if (!sparse) return new Linear(backend, weight, bias);
  return withSparseWeights(backend, new Linear(backend, weight.withoutSparse(), bias), sparse);
}

/**
 * A layer whose inputs are rounded to the bits of `activation`, each token by its own magnitude,
 * gradients passing straight through (LLM-QAT, arXiv 2305.17888), or seen by their signs.
 */
export function withRoundedTokens(layer: LinearLike, activation: ActivationGrid): LinearLike {
  if (isBinary(activation)) return withRoundedInputs(layer, (x) => binarize(x, activation));
  const levels = tokenLevels(activation);
  return withRoundedInputs(layer, (x) => fakeQuantizeRows(x, levels));
}

/** A layer whose inputs are rounded before it multiplies them. */
export function withRoundedInputs(layer: LinearLike, round: (x: Tensor) => Tensor): LinearLike {
  return {
    outFeatures: layer.outFeatures,
    inFeatures: layer.inFeatures,
    forward: (x, products) => layer.forward(round(x), products),
    release: () => layer.release?.(),
  };
}
