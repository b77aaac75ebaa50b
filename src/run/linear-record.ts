import type { LinearDescription } from "../nn/quantizable-model.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { LayerError } from "./layer-error.ts";
import type { LinearRecord } from "./run-record.ts";

/** How a linear layer was quantized. */
export interface LinearOutcome
  extends Pick<LinearRecord, "damping" | "tokens" | "fallback" | "elapsedMs"> {
  readonly stored: QTensor;
  /** What the layer did before. */
  readonly error: LayerError;
  /** The decoded weight `[out, in]`. */
  readonly decoded: Tensor<"f32">;
}

/** Describes how one linear layer was quantized, and by how much its error grew. */
export async function describeLinear(
  { module, block, slot }: Pick<LinearDescription, "module" | "block" | "slot">,
  { stored, error, decoded, ...rest }: LinearOutcome,
): Promise<LinearRecord> {
  return {
    module,
    block,
    slot,
    scheme: stored.scheme.id,
    bitsPerWeight: stored.bitsPerWeight,
    weights: decoded.size,
    relativeError: await error.against(decoded),
    errorOf: error.kind,
    ...rest,
  };
}
