import type { Checkpoint } from "../../../formats/checkpoint.ts";
import { readQTensor } from "../../../formats/fewbit-format.ts";
import { readFloatRows } from "../../../formats/read-float-tensor.ts";
import {
  type AffineWeight,
  affineWeight,
  decodeRows,
} from "../../../quant/blocks/mapping/affine-weight.ts";
import type { QTensor } from "../../../quant/q-tensor.ts";
import type { ModelTensor } from "./list-tensors.ts";

/** The weights of a tensor as floats, some rows at a time. */
export interface TensorRows {
  /** How they are packed, code by code; null for floats, and where columns have scales. */
  readonly affine: AffineWeight | null;
  /** The packed weight; null for floats. */
  readonly packed: QTensor | null;
  /** Decodes rows `[first, end)`, `[rows, columns]` float32. */
  floats(first: number, end: number): Promise<Float32Array>;
}

/** Opens a tensor of a checkpoint. @throws FormatError NumericError */
export async function openRows(checkpoint: Checkpoint, tensor: ModelTensor): Promise<TensorRows> {
  const { module, packed: stored, source } = tensor;
  if (!stored) {
    const floats = (first: number, end: number): Promise<Float32Array> =>
      readFloatRows(checkpoint, source, first, end);
    return { affine: null, packed: null, floats };
  }
  const packed = await readQTensor(checkpoint, module, stored);
  const affine = affineWeight(packed);
  if (affine) return { affine, packed, floats: async (...rows) => decodeRows(affine, ...rows) };
  const { inFeatures } = packed;
  const decoded = packed.dequantize();
  return {
    affine,
    packed,
    floats: async (first, end) => decoded.subarray(first * inFeatures, end * inFeatures),
  };
}
