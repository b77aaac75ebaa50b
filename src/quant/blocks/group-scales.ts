import { halvesToFloats } from "../../util/half.ts";
import type { BlockFormat, BlockScales } from "./block-format.ts";
import { groupsPerBlock } from "./block-run.ts";

/** Scales and offsets of all groups of a run of blocks: those of blocks times their factors. */
export interface GroupScales {
  readonly scales: Float32Array;
  /** Without the sign with which they are added; null for formats without offsets. */
  readonly offsets: Float32Array | null;
}

/** Works out the scale and the offset of each group; the products are exact in float32. */
export function groupScales(format: BlockFormat, stored: BlockScales): GroupScales {
  const perBlock = groupsPerBlock(format);
  const spread = (halves: Uint16Array, factors: Int8Array | Uint8Array | null): Float32Array => {
    const units = halvesToFloats(halves);
    const groups = Float32Array.from(
      { length: units.length * perBlock },
      (_, group) => units[Math.floor(group / perBlock)],
    );
    return factors ? groups.map((unit, group) => unit * factors[group]) : groups;
  };
  return {
    scales: spread(stored.scales, stored.subScales),
    offsets: stored.offsets && spread(stored.offsets, stored.subOffsets),
  };
}
