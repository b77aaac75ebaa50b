import type { AffineWeight } from "../../quant/blocks/mapping/affine-weight.ts";
import { packedRowBytes } from "../../quant/packing.ts";
import { writeBitStream } from "../../quant/packings/bit-stream.ts";
import type { QTensor } from "../../quant/q-tensor.ts";

/** What codes become: `stride · code + shift`. */
export interface Recoding {
  readonly bits: number;
  readonly stride: 1 | 2;
  readonly shift: number;
  /** Bytes of a row; what its codes do not take is 0. */
  readonly rowBytes: number;
}

/** Writes the codes of rows `[first, end)` as streams of bits, the lowest of a byte first. */
export type RecodeRows = (first: number, end: number) => Uint8Array;

/**
 * Chooses how the codes of a weight are rewritten: units of the packing are looked up whole, where
 * they are small enough for a table; otherwise each code is taken by itself.
 */
export function rowRecoder(packed: QTensor, affine: AffineWeight, recoding: Recoding): RecodeRows {
  return byUnits(packed, recoding) ?? byCodes(affine, recoding);
}

/** What the codes of a run of source bits become, the first in the lowest bits. */
interface UnitTable {
  /** Bytes of the source, 1 or 3; of 3, each half is looked up by its 12 bits. */
  readonly bytes: number;
  readonly codes: number;
  readonly words: Uint32Array;
}

/** Rows that are whole units but for what fills them up. */
function byUnits({ scheme, inFeatures, parts }: QTensor, recoding: Recoding): RecodeRows | null {
  const { bits, stride, shift, rowBytes: outBytes } = recoding;
  if (!scheme.packing || (inFeatures * bits) % 8 !== 0) return null;
  const { packing } = scheme;
  const rowBytes = packedRowBytes(packing, inFeatures);
  const used = (inFeatures * bits) / 8;
  const isSame = packing.packing === `bits${bits}` && stride === 1 && shift === 0;
  if (isSame) return copied(parts.codes, { rowBytes, used, outBytes });
  const table = unitTable(packing, recoding);
  if (!table) return null;
  const write = table.bytes === 3 ? writeTriples : writeSingles;
  return (first, end) => {
    const out = new Uint8Array((end - first) * outBytes);
    for (let row = first; row < end; row++) {
      const target = out.subarray((row - first) * outBytes, (row - first) * outBytes + used);
      write(parts.codes, row * rowBytes, target, table, bits);
    }
    return out;
  };
}

/** Rows as they are, without what fills them up. */
function copied(
  codes: Uint8Array,
  sizes: { readonly rowBytes: number; readonly used: number; readonly outBytes: number },
): RecodeRows {
  const { rowBytes, used, outBytes } = sizes;
  return (first, end) => {
    if (used === rowBytes && used === outBytes) {
      return codes.subarray(first * rowBytes, end * rowBytes);
    }
    const out = new Uint8Array((end - first) * outBytes);
    for (let row = first; row < end; row++) {
      out.set(codes.subarray(row * rowBytes, row * rowBytes + used), (row - first) * outBytes);
    }
    return out;
  };
}

function unitTable(
  packing: NonNullable<QTensor["scheme"]["packing"]>,
  { bits, stride, shift }: Recoding,
): UnitTable | null {
  const { codesPerUnit, bytesPerUnit, levels } = packing;
  const codes = bytesPerUnit === 3 ? codesPerUnit / 2 : codesPerUnit;
  // Singles are added to up to seven bits that are left over; halves of triples become whole bytes.
  const fits = bytesPerUnit === 3 ? bits % 2 === 0 : codes * bits <= 24;
  if (!fits) return null;
  const entries = bytesPerUnit === 3 ? 4096 : 256;
  const unpacked = new Uint8Array(codesPerUnit);
  const words = Uint32Array.from({ length: entries }, (_, entry) => {
    packing.unpack(Uint8Array.of(entry & 0xff, entry >>> 8, 0), 0, codesPerUnit, unpacked, 0);
    let word = 0;
    for (let i = 0; i < codes; i++) {
      // Of bytes that no codes are packed to, only what is within the levels counts.
      word |= (stride * Math.min(unpacked[i], levels - 1) + shift) << (i * bits);
    }
    return word;
  });
  return { bytes: bytesPerUnit, codes, words };
}

/** Fills a row from units of one byte. */
function writeSingles(
  source: Uint8Array,
  from: number,
  out: Uint8Array,
  { codes, words }: UnitTable,
  bits: number,
): void {
  const width = codes * bits;
  let [pending, count, at] = [0, 0, from];
  for (let to = 0; to < out.length; to++) {
    if (count < 8) {
      pending |= words[source[at++]] << count;
      count += width;
    }
    out[to] = pending;
    pending >>>= 8;
    count -= 8;
  }
}

/** Fills a row from units of three bytes, each of them eight codes of three bits. */
function writeTriples(
  source: Uint8Array,
  from: number,
  out: Uint8Array,
  { words }: UnitTable,
  bits: number,
): void {
  const half = bits / 2;
  for (let to = 0, at = from; to < out.length; to += 2 * half, at += 3) {
    const low = words[source[at] | ((source[at + 1] & 15) << 8)];
    const high = words[(source[at + 1] >>> 4) | (source[at + 2] << 4)];
    for (let i = 0; i < half; i++) {
      out[to + i] = low >>> (8 * i);
      out[to + half + i] = high >>> (8 * i);
    }
  }
}

function byCodes(affine: AffineWeight, { bits, stride, shift, rowBytes }: Recoding): RecodeRows {
  const { inFeatures } = affine;
  const codes = new Uint8Array(inFeatures);
  return (first, end) => {
    const out = new Uint8Array((end - first) * rowBytes);
    for (let row = first; row < end; row++) {
      affine.readCodes(row, codes);
      for (let i = 0; i < inFeatures; i++) codes[i] = stride * codes[i] + shift;
      writeBitStream(codes, bits, out, (row - first) * rowBytes);
    }
    return out;
  };
}
