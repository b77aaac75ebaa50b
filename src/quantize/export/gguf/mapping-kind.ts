import type { GgmlType } from "../../../formats/gguf/gguf-types.ts";
import type { AffineWeight } from "../../../quant/blocks/mapping/affine-weight.ts";
import { BlockMapping, type MappingKind } from "../../../quant/blocks/mapping/block-mapping.ts";
import { findBlockFormat } from "../../../quant/blocks/index.ts";
import {
  bfloatBitsToFloat,
  floatToBfloatBits,
  floatToHalfBits,
  halfBitsToFloat,
} from "../../../util/half.ts";
import type { TensorRows } from "./tensor-rows.ts";

/**
 * Says what becomes of a packed weight in a type of ggml: `exact` where every weight keeps its
 * float32 value, `rounded` where codes stay what they are and scales or values are rounded once,
 * `impossible` where codes have to be chosen anew.
 */
export function mappingKind({ affine, packed }: TensorRows, type: GgmlType): MappingKind {
  if (!packed) return "impossible";
  if (packed.scheme.blocks?.id === type.name || type.name === "f32") return "exact";
  if (!affine) return type.kind === "plain" ? "rounded" : "impossible";
  const format = findBlockFormat(type.name);
  if (format) {
    if (affine.inFeatures % format.columns !== 0) return "impossible";
    return new BlockMapping(affine, format).kind();
  }
  if (type.name === "f16") return holdsAll(affine, (x) => halfBitsToFloat(floatToHalfBits(x)));
  if (type.name === "bf16") return holdsAll(affine, (x) => bfloatBitsToFloat(floatToBfloatBits(x)));
  return "impossible";
}

/** Whether rounding leaves every value of every group as it is. */
function holdsAll(
  { units, offsets, stride, levels }: AffineWeight,
  round: (value: number) => number,
): MappingKind {
  for (let group = 0; group < units.length; group++) {
    if (group > 0 && units[group] === units[group - 1] && offsets[group] === offsets[group - 1]) {
      continue;
    }
    for (let code = 0; code < levels; code++) {
      const value = Math.fround(units[group] * stride * code + offsets[group]);
      if (round(value) !== value) return "rounded";
    }
  }
  return "exact";
}
