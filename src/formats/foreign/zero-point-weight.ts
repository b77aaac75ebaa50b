import type { ActivationGrid } from "../../quant/activation-grid.ts";
import { grids } from "../../quant/grids/index.ts";
import { packedRowBytes, type Packing } from "../../quant/packing.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { makeScheme, type PlanarScheme } from "../../quant/scheme.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../util/half.ts";
import { readBitStream } from "./bit-stream.ts";
import { streamBytes } from "./code-streams.ts";
import type { ForeignWeight } from "./foreign-container.ts";

/**
 * A weight `[outFeatures, inFeatures]` of integer codes with a scale and an integer zero point a
 * group: `s·(c − z)`, computed in float32.
 */
export interface ZeroPointCodes {
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly bits: number;
  /** Columns that share a scale; null for one scale a row. */
  readonly groupSize: number | null;
  /** `[outFeatures, groups]` */
  readonly scales: Float32Array;
  /** `[outFeatures, groups]`, each below `2^bits`. */
  readonly zeros: Uint8Array;
  /** Group of each column, where columns of a group do not follow each other. */
  readonly columnGroups?: Int32Array | null;
  /** How the layer rounds its inputs. */
  readonly activation?: ActivationGrid | null;
  /** Reads the codes: rows of one little-endian stream each, padded to 4 bytes. */
  readCodes(): Promise<Uint8Array>;
}

/** How fewbit sees such a weight: under a scheme where one holds it, else decoded. */
export function zeroPointWeight(codes: ZeroPointCodes): ForeignWeight {
  const { outFeatures, inFeatures } = codes;
  const scheme = schemeOf(codes);
  return {
    outFeatures,
    inFeatures,
    scheme,
    pack: async () => pack(codes, scheme as PlanarScheme),
    decode: () => decode(codes),
  };
}

function schemeOf(codes: ZeroPointCodes): PlanarScheme | null {
  const { bits, groupSize, scales, zeros, columnGroups = null, activation = null } = codes;
  if (columnGroups || !scales.every(isHalf)) return null;
  const half = 2 ** (bits - 1);
  const isSymmetric = zeros.every((zero) => zero === half);
  const id = isSymmetric ? "sym" : "int";
  const grid = grids.find((each) => each.bits === bits && each.id === id);
  return grid ? makeScheme(grid, groupSize, activation) : null;
}

function isHalf(value: number): boolean {
  return Number.isFinite(value) && halfBitsToFloat(floatToHalfBits(value)) === value;
}

async function pack(codes: ZeroPointCodes, scheme: PlanarScheme): Promise<QTensor> {
  const { outFeatures, inFeatures, scales, zeros } = codes;
  return new QTensor(scheme, outFeatures, inFeatures, {
    codes: await codes.readCodes(),
    scales: Uint16Array.from(scales, floatToHalfBits),
    zeros: scheme.grid.zeroPoint === "integer" ? packZeros(scheme.packing, zeros) : null,
    activations: null,
  });
}

function packZeros(packing: Packing, zeros: Uint8Array): Uint8Array {
  const packed = new Uint8Array(packedRowBytes(packing, zeros.length));
  packing.pack(zeros, 0, zeros.length, packed, 0);
  return packed;
}

async function decode(codes: ZeroPointCodes): Promise<Float32Array> {
  const { outFeatures, inFeatures, bits, scales, zeros, columnGroups, groupSize } = codes;
  const streams = await codes.readCodes();
  const rowBytes = streamBytes(bits, inFeatures);
  const groups = scales.length / outFeatures;
  const width = groupSize ?? inFeatures;
  const row = new Uint8Array(inFeatures);
  const values = new Float32Array(outFeatures * inFeatures);
  for (let r = 0, at = 0; r < outFeatures; r++) {
    readBitStream(streams, r * rowBytes, bits, row);
    for (let i = 0; i < inFeatures; i++, at++) {
      const group = r * groups + (columnGroups ? columnGroups[i] : Math.floor(i / width));
      values[at] = scales[group] * (row[i] - zeros[group]);
    }
  }
  return values;
}
