import { sum } from "../util/sums.ts";
import { blockRowBytes } from "./blocks/block-weight.ts";
import { packedRowBytes } from "./packing.ts";
import {
  expectWholeBlocks,
  groupsPerRow,
  type PlanarScheme,
  type Scheme,
  sparseWeights,
} from "./scheme.ts";
import { sparseBytes } from "./sparse-rows.ts";

/** Byte sizes of the stored arrays of a weight under a scheme. */
export interface QTensorSizes {
  readonly rowBytes: number;
  readonly blocks: number;
  readonly codes: number;
  readonly scales: number;
  readonly zeros: number;
  readonly inputScales: number;
  readonly codebook: number;
  readonly sparse: number;
  /** Scale and zero point of the input, and of the output where it is rounded. */
  readonly activations: number;
  /** All of these together. */
  readonly all: number;
}

const noSizes = {
  blocks: 0,
  codes: 0,
  scales: 0,
  zeros: 0,
  inputScales: 0,
  codebook: 0,
  sparse: 0,
  activations: 0,
};

/**
 * Byte sizes of what a weight `[outFeatures, inFeatures]` is stored as.
 * @throws SchemeError when a row is no whole number of the scheme's blocks
 */
export function storedSizes(scheme: Scheme, outFeatures: number, inFeatures: number): QTensorSizes {
  const rowBytes = bytesOfRow(scheme, inFeatures);
  const sizes = scheme.blocks
    ? { ...noSizes, blocks: outFeatures * rowBytes }
    : { ...planarSizes(scheme, outFeatures, inFeatures), codes: outFeatures * rowBytes };
  return { rowBytes, ...sizes, all: sum(Object.values(sizes)) };
}

/**
 * Bytes of the codes of a row, or of its blocks.
 * @throws SchemeError when the row is no whole number of blocks
 */
export function bytesOfRow(scheme: Scheme, inFeatures: number): number {
  expectWholeBlocks(scheme, inFeatures);
  if (scheme.blocks) return blockRowBytes(scheme.blocks, inFeatures);
  return packedRowBytes(scheme.packing, inFeatures);
}

/** Sizes of what stands beside the codes. */
function planarSizes(scheme: PlanarScheme, outFeatures: number, inFeatures: number) {
  const groups = outFeatures * groupsPerRow(scheme, inFeatures);
  return {
    ...noSizes,
    scales: scheme.grid.codebook ? 0 : groups * 2,
    zeros: zerosBytes(scheme, groups),
    codebook: scheme.grid.codebook ? outFeatures * scheme.grid.levels * 2 : 0,
    sparse: sparseBytes(sparseWeights(scheme, outFeatures, inFeatures), outFeatures, inFeatures),
    inputScales: scheme.grid.inputScales ? inFeatures * 2 : 0,
    activations: { token: 0, sign: 0, static: 8, integer: 16 }[scheme.activation?.mode ?? "token"],
  };
}

function zerosBytes({ grid, packing }: PlanarScheme, groups: number): number {
  if (grid.zeroPoint === "none") return 0;
  return grid.zeroPoint === "integer" ? packedRowBytes(packing, groups) : groups * 2;
}
