import type { ActivationGrid } from "../../quant/activation-grid.ts";
import type { PlanarGrid } from "../../quant/grid.ts";
import { grids } from "../../quant/grids/index.ts";
import { packedRowBytes } from "../../quant/packing.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { makeScheme, parseScheme, type PlanarScheme } from "../../quant/scheme.ts";
import { SchemeError } from "../../util/errors.ts";
import { floatsToHalves, halvesToFloats } from "../../util/half.ts";
import { readBitStream } from "../../quant/packings/bit-stream.ts";
import type { ForeignWeight } from "./foreign-container.ts";
import type { Scales } from "./module-tensors.ts";

/**
 * A weight `[outFeatures, inFeatures]` of unsigned codes: `scale · (code − zero)`, one scale and zero
 * a group. All is read when it is asked for, and again each time; zero points are kept packed.
 */
export interface IntegerCodes {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Columns of a group; null: one group a row. */
  readonly groupSize: number | null;
  /** Codes are below `2^bits`. */
  readonly bits: number;
  /** `[inFeatures]`, the group of each column where groups are no runs of columns. */
  readonly groupOf: Int32Array | null;
  /** How inputs are rounded. */
  readonly activation?: ActivationGrid | null;
  /** Scales in the order in which they are stored. */
  storedScales(): Promise<Scales>;
  /** Brings stored scales into the order `[outFeatures, groups]`. */
  arrange(stored: Scales): Scales;
  /** `[outFeatures, groups]`; null: all are `2^(bits − 1)`. */
  zeros(): Promise<Uint8Array | null>;
  /** Rows of codes, each a little-endian stream that is padded to whole words. */
  rows(): Promise<Uint8Array>;
}

/**
 * Takes a weight of integers over as it is where a scheme of fewbit holds it: groups are runs of
 * columns and scales are float16 values. Codes of bit-widths that fewbit has not are put into the
 * next one that it has, which changes no weight. Anything else is decoded.
 */
export async function holdIntegers(source: IntegerCodes): Promise<ForeignWeight> {
  const { outFeatures, inFeatures } = source;
  const zeros = await source.zeros();
  const isSymmetric = zeros === null || areAll(zeros, 2 ** (source.bits - 1));
  const found = findScheme(source, isSymmetric);
  const areHeld = areHalves(await source.storedScales()) && source.groupOf === null;
  const packed = found && areHeld ? packZeros(found, source, zeros) : null;
  return {
    outFeatures,
    inFeatures,
    scheme: areHeld ? found : null,
    pack: async () => packIntegers(source, found as PlanarScheme, packed),
    decode: () => decodeIntegers(source),
  };
}

/** Zero points as a scheme stores them; null where it has none. */
function packZeros(
  scheme: PlanarScheme,
  { outFeatures, inFeatures }: IntegerCodes,
  zeros: Uint8Array | null,
): Uint8Array | null {
  if (scheme.grid.zeroPoint === "none" || zeros === null) return null;
  const packed = new Uint8Array(QTensor.sizes(scheme, outFeatures, inFeatures).zeros);
  scheme.packing.pack(zeros, 0, zeros.length, packed, 0);
  return packed;
}

function areAll(values: Uint8Array, expected: number): boolean {
  for (let i = 0; i < values.length; i++) if (values[i] !== expected) return false;
  return true;
}

function areHalves(values: Scales): boolean {
  if (values instanceof Uint16Array) return true;
  const widened = halvesToFloats(floatsToHalves(values));
  for (let i = 0; i < values.length; i++) if (values[i] !== widened[i]) return false;
  return true;
}

/** The scheme of integers that has room for the codes; null where the group size is not one. */
function findScheme(
  { bits, groupSize, activation = null }: IntegerCodes,
  isSymmetric: boolean,
): PlanarScheme | null {
  const fits = (grid: PlanarGrid): boolean =>
    grid.bits >= bits && grid.id === (isSymmetric ? "sym" : "int");
  const grid = grids.filter(fits).toSorted((a, b) => a.bits - b.bits)[0];
  if (!grid) return null;
  const scheme = makeScheme(grid, groupSize, activation);
  try {
    parseScheme(scheme.id);
    return scheme;
  } catch (error) {
    if (error instanceof SchemeError) return null;
    throw error;
  }
}

async function packIntegers(
  source: IntegerCodes,
  scheme: PlanarScheme,
  zeros: Uint8Array | null,
): Promise<QTensor> {
  const { outFeatures, inFeatures, bits } = source;
  const { grid, packing } = scheme;
  const rows = await source.rows();
  const stored = source.arrange(await source.storedScales());
  const scales = stored instanceof Uint16Array ? stored : floatsToHalves(stored);
  const rowBytes = packedRowBytes(packing, inFeatures);
  const codes = grid.bits === bits ? rows : widenRows(source, rows, scheme, rowBytes);
  return new QTensor(scheme, outFeatures, inFeatures, { codes, scales, zeros, activations: null });
}

/** Codes of fewer bits in rows of more: around the middle of these where there are no zeros. */
function widenRows(
  { outFeatures, inFeatures, bits }: IntegerCodes,
  rows: Uint8Array,
  { grid, packing }: PlanarScheme,
  rowBytes: number,
): Uint8Array {
  const shift = grid.zeroPoint === "none" ? grid.levels / 2 - 2 ** (bits - 1) : 0;
  const codes = new Uint8Array(inFeatures);
  const out = new Uint8Array(outFeatures * rowBytes);
  for (let row = 0; row < outFeatures; row++) {
    readBitStream(rows, (row * rows.length) / outFeatures, bits, codes);
    for (let i = 0; i < codes.length; i++) codes[i] += shift;
    packing.pack(codes, 0, inFeatures, out, row * rowBytes);
  }
  return out;
}

async function decodeIntegers(source: IntegerCodes): Promise<Float32Array> {
  const { outFeatures, inFeatures, bits, groupSize, groupOf } = source;
  const rows = await source.rows();
  const stored = source.arrange(await source.storedScales());
  const scales = stored instanceof Uint16Array ? halvesToFloats(stored) : stored;
  const zeros = await source.zeros();
  const groups = scales.length / outFeatures;
  const width = groupSize ?? inFeatures;
  const columns =
    groupOf ?? Int32Array.from({ length: inFeatures }, (_, i) => Math.floor(i / width));
  const out = new Float32Array(outFeatures * inFeatures);
  const codes = new Uint8Array(inFeatures);
  const middle = 2 ** (bits - 1);
  for (let row = 0, at = 0; row < outFeatures; row++) {
    readBitStream(rows, (row * rows.length) / outFeatures, bits, codes);
    for (let i = 0; i < inFeatures; i++, at++) {
      const group = row * groups + columns[i];
      out[at] = scales[group] * (codes[i] - (zeros ? zeros[group] : middle));
    }
  }
  return out;
}
