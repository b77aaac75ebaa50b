import { affineWeight } from "../../../quant/blocks/mapping/affine-weight.ts";
import { QTensor, type QuantizedCodes } from "../../../quant/q-tensor.ts";
import {
  groupsPerRow,
  type PlanarScheme,
  type Scheme,
  withoutSparse,
} from "../../../quant/scheme.ts";
import { floatToHalfBits } from "../../../util/half.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import type { TensorRows } from "./tensor-rows.ts";

/** Rows of a sample, enough for every zero point of 8 bits in rows of few groups. */
const rows = 16;

/**
 * A few rows as a scheme would hold them, with scales that have nothing in common and zero points
 * of all kinds: what a type holds of these exactly it holds of every weight of the scheme, but for
 * scales near the smallest float16. `trained`: scales are as training leaves them.
 */
export function sampleRows(scheme: Scheme, inFeatures: number, trained = false): TensorRows {
  const packed = scheme.blocks
    ? QTensor.ofBlocks(scheme, rows, inFeatures, new Uint8Array(blockBytes(scheme, inFeatures)))
    : QTensor.pack(withoutSparse(scheme), sampleCodes(scheme, inFeatures, trained));
  const floats = async (): Promise<Float32Array> => {
    throw new UnsupportedError("a sample of a scheme has no weights");
  };
  return { affine: affineWeight(packed), packed, floats };
}

function blockBytes(scheme: Scheme, inFeatures: number): number {
  return QTensor.sizes(scheme, rows, inFeatures).blocks;
}

function sampleCodes(scheme: PlanarScheme, inFeatures: number, trained: boolean): QuantizedCodes {
  const { levels, zeroPoint, inputScales, codebook, training } = scheme.grid;
  const groups = codebook ? 0 : rows * groupsPerRow(scheme, inFeatures);
  // float16 from 1/64 on whose mantissas are odd: no two are multiples of a larger one.
  const scales = Uint16Array.from({ length: groups }, (_, i) => 0x2401 + 2 * ((i * 37) % 500));
  if (trained && training?.thirds) {
    for (let i = 0; i < groups; i++) scales[i] = floatToHalfBits(3 * (257 + 2 * ((i * 37) % 127)));
  }
  const chosen = {
    outFeatures: rows,
    inFeatures,
    codes: new Uint8Array(rows * inFeatures),
    scales,
    ...(inputScales && { inputScales: new Uint16Array(inFeatures).fill(0x3c01) }),
    ...(codebook && { codebook: new Uint16Array(rows * levels) }),
  };
  if (zeroPoint === "none") return chosen;
  if (zeroPoint === "float16") return { ...chosen, zeros: new Uint16Array(groups).fill(0x3d55) };
  return { ...chosen, zeros: Uint8Array.from({ length: groups }, (_, i) => (i * 7) % levels) };
}
