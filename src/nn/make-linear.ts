import type { Backend } from "../backend/backend.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { hasIntegerRows } from "../quant/scheme.ts";
import { dequantizeActivations, quantizeActivations } from "../tensor/integer-ops.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tokenZeroPoint } from "../quant/activation-grid.ts";
import { IntegerLinear } from "./integer-linear.ts";
import { Linear, type LinearLike } from "./linear.ts";
import { OneBitLinear } from "./one-bit-linear.ts";

/**
 * Makes the layer that a weight asks for by its scheme: float inputs, with a scale each where the weight has
 * such, or inputs rounded to 8 bits and multiplied in integers where the weight has 8-bit rows, in floats where
 * it has not.
 */
export async function makeLinear(
  backend: Backend,
  weight: Tensor | QTensor,
  bias: Tensor | null = null,
): Promise<LinearLike> {
  if (!(weight instanceof QTensor)) return new Linear(backend, weight, bias);
  if (weight.scheme.grid.inputScales) return new OneBitLinear(backend, weight, bias);
  if (!weight.scheme.activation) return new Linear(backend, weight, bias);
  if (hasIntegerRows(weight.scheme)) return IntegerLinear.of(weight, bias);
  return withRoundedInputs(new Linear(backend, weight, bias), weight);
}

/** Rounds the inputs of a layer to 8 bits before it multiplies them. */
function withRoundedInputs(layer: Linear, weight: QTensor): LinearLike {
  const input = weight.parts.activations?.input ?? null;
  return {
    outFeatures: layer.outFeatures,
    inFeatures: layer.inFeatures,
    forward: (x, products) => {
      const rounded = quantizeActivations(x, input);
      return layer.forward(
        dequantizeActivations(rounded, input?.zeroPoint ?? tokenZeroPoint),
        products,
      );
    },
    release: () => layer.release(),
  };
}
