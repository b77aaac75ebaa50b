import type { Checkpoint } from "../../../formats/checkpoint.ts";
import { readQTensor } from "../../../formats/fewbit-format.ts";
import { readFloatRows, readFloatTensor } from "../../../formats/read-float-tensor.ts";
import { fromStoredForm } from "../../../formats/tensor-forms.ts";
import {
  type AffineWeight,
  affineWeight,
  decodeRows,
} from "../../../quant/blocks/mapping/affine-weight.ts";
import type { TensorForm } from "../../../nn/weight-source.ts";
import { Scratch } from "../../../util/scratch.ts";
import type { QTensor } from "../../../quant/q-tensor.ts";
import type { SourceTensor } from "./list-tensors.ts";

/** The weights of a tensor as floats, some rows at a time. */
export interface TensorRows {
  /** How they are packed, code by code; null for floats, and where columns have scales. */
  readonly affine: AffineWeight | null;
  /** The packed weight; null for floats. */
  readonly packed: QTensor | null;
  /** Decodes rows `[first, end)`, `[rows, columns]` float32. */
  floats(first: number, end: number): Promise<Float32Array>;
}

/**
 * Opens a tensor of a checkpoint.
 * @param scratch may hold what is made of its scales until the next one is opened with it
 * @throws FormatError NumericError
 */
export async function openRows(
  checkpoint: Checkpoint,
  tensor: SourceTensor,
  scratch = new Scratch(),
): Promise<TensorRows> {
  const { module, packed: stored, source, form } = tensor;
  if (!stored && form) return formedRows(checkpoint, tensor, form);
  if (!stored) {
    const floats = (first: number, end: number): Promise<Float32Array> =>
      readFloatRows(checkpoint, source, first, end);
    return { affine: null, packed: null, floats };
  }
  const packed = await readQTensor(checkpoint, module, stored);
  const affine = affineWeight(packed, scratch);
  if (affine) return { affine, packed, floats: async (...rows) => decodeRows(affine, ...rows) };
  const { inFeatures } = packed;
  const decoded = packed.dequantize();
  return {
    affine,
    packed,
    floats: async (first, end) => decoded.subarray(first * inFeatures, end * inFeatures),
  };
}

/** Rows of floats that are stored in another form: the whole tensor is turned at once. */
async function formedRows(
  checkpoint: Checkpoint,
  { source, shape }: SourceTensor,
  form: TensorForm,
): Promise<TensorRows> {
  const stored = await readFloatTensor(checkpoint, source);
  const values = fromStoredForm(stored.values, stored.shape, form);
  const [, columns = 1] = shape;
  return {
    affine: null,
    packed: null,
    floats: async (first, end) => values.subarray(first * columns, end * columns),
  };
}
