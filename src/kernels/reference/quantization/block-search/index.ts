import { affineSuperblock, magnitudes, raisedMagnitudes } from "./affine-superblocks.ts";
import { magnitudeBlock, peakBlock, signBlock, spanBlock } from "./plain-blocks.ts";
import type { BlockSearch } from "./searched-block.ts";
import { sixBitSuperblock, threeBitSuperblock } from "./symmetric-superblocks.ts";

const { fround } = Math;
const tenth = fround(0.1);

/** The search of each block format, as ggml chooses blocks of this type (`ggml-quants.c`). */
export const blockSearches: Readonly<Record<string, BlockSearch>> = {
  q4_0: peakBlock(8),
  q4_1: spanBlock(15),
  q5_0: peakBlock(16),
  q5_1: spanBlock(31),
  q8_0: magnitudeBlock(127, 128, 127),
  q2_k: affineSuperblock({
    groupColumns: 16,
    top: 3,
    subTop: 15,
    plainWeights: magnitudes,
    plainTrials: { first: -0.5, step: tenth, last: 15, absolute: true },
    energyFactor: 1,
  }),
  q3_k: threeBitSuperblock,
  q4_k: affineSuperblock({
    groupColumns: 32,
    top: 15,
    subTop: 63,
    plainWeights: raisedMagnitudes,
    plainTrials: { first: -1, step: tenth, last: 20, absolute: false },
    energyFactor: 2,
  }),
  q5_k: affineSuperblock({
    groupColumns: 32,
    top: 31,
    subTop: 63,
    plainWeights: raisedMagnitudes,
    plainTrials: { first: -0.5, step: tenth, last: 15, absolute: false },
    energyFactor: 2,
  }),
  q6_k: sixBitSuperblock,
  tq1_0: magnitudeBlock(1, 1, 1),
  tq2_0: magnitudeBlock(1, 1, 1),
  q1_0: signBlock,
  q2_0: magnitudeBlock(1, 1, 2),
};
