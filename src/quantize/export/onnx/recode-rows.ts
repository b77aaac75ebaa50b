import { packedRowBytes } from "../../../quant/packing.ts";
import type { AffineWeight } from "../../../quant/blocks/mapping/affine-weight.ts";
import type { QTensor } from "../../../quant/q-tensor.ts";
import type { PackedPlan } from "./matrix-plan.ts";

/** Writes the codes of rows `[first, end)` as blocks, the lowest bits of a byte first. */
export type RecodeRows = (first: number, end: number) => Uint8Array;

/**
 * Chooses how the codes of a weight are rewritten: whole bytes are looked up where they hold whole
 * codes; otherwise each code is taken by itself.
 */
export function rowRecoder(packed: QTensor, affine: AffineWeight, plan: PackedPlan): RecodeRows {
  return byBytes(packed, plan) ?? byCodes(affine, plan);
}

/** Codes of 1, 2, 4 or 8 bits whose rows end with a byte and fill their blocks. */
function byBytes(packed: QTensor, plan: PackedPlan): RecodeRows | null {
  const { scheme, inFeatures, parts } = packed;
  const { bits, stride, shift, blocks, blockSize } = plan;
  if (!scheme.packing || !/^bits[1248]$/.test(scheme.packing.packing)) return null;
  const perByte = scheme.packing.codesPerUnit;
  const width = (perByte * bits) / 8;
  if (inFeatures % perByte !== 0 || blocks * blockSize !== inFeatures) return null;
  if (width !== 1 && width !== 2) return null;
  const rowBytes = packedRowBytes(scheme.packing, inFeatures);
  const used = inFeatures / perByte;
  if (width === 1 && stride === 1 && shift === 0) return copied(parts.codes, rowBytes, used);
  const table = byteTable(perByte, plan);
  return (first, end) => {
    const out = new Uint8Array((end - first) * used * width);
    const words = width === 2 ? new Uint16Array(out.buffer) : out;
    for (let row = first, at = 0; row < end; row++) {
      const begin = row * rowBytes;
      for (let i = begin; i < begin + used; i++, at++) words[at] = table[parts.codes[i]];
    }
    return out;
  };
}

/** Rows as they are, without what fills them up. */
function copied(codes: Uint8Array, rowBytes: number, used: number): RecodeRows {
  return (first, end) => {
    if (used === rowBytes) return codes.subarray(first * rowBytes, end * rowBytes);
    const out = new Uint8Array((end - first) * used);
    for (let row = first; row < end; row++) {
      out.set(codes.subarray(row * rowBytes, row * rowBytes + used), (row - first) * used);
    }
    return out;
  };
}

/** What the codes of each byte become, one behind the other. */
function byteTable(perByte: number, { bits, stride, shift }: PackedPlan): Uint16Array {
  const from = 8 / perByte;
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let word = 0;
    for (let i = 0; i < perByte; i++) {
      const code = (byte >>> (i * from)) & ((1 << from) - 1);
      word |= (stride * code + shift) << (i * bits);
    }
    return word;
  });
}

function byCodes(affine: AffineWeight, plan: PackedPlan): RecodeRows {
  const { bits, stride, shift, blocks, blockSize } = plan;
  const { inFeatures } = affine;
  const codes = new Uint8Array(blocks * blockSize);
  const rowBytes = (codes.length * bits) / 8;
  return (first, end) => {
    const out = new Uint8Array((end - first) * rowBytes);
    for (let row = first; row < end; row++) {
      affine.readCodes(row, codes);
      for (let i = 0; i < inFeatures; i++) codes[i] = stride * codes[i] + shift;
      packBits(codes, bits, out, (row - first) * rowBytes);
    }
    return out;
  };
}

/** Packs codes, the first in the lowest bits. */
export function packBits(codes: Uint8Array, bits: number, out: Uint8Array, at: number): void {
  if (bits === 8) {
    out.set(codes, at);
    return;
  }
  if (bits === 4) {
    for (let i = 0, to = at; i < codes.length; i += 2) out[to++] = codes[i] | (codes[i + 1] << 4);
    return;
  }
  for (let i = 0, to = at; i < codes.length; i += 4) {
    out[to++] = codes[i] | (codes[i + 1] << 2) | (codes[i + 2] << 4) | (codes[i + 3] << 6);
  }
}
