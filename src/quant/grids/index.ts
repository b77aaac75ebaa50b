import type { PlanarGrid } from "../grid.ts";
import { binary, elasticBinary } from "./binary.ts";
import { codebook } from "./codebook.ts";
import { asymmetricInt, floatZeroInt, narrowInt, symmetricInt } from "./int.ts";
import { nf4 } from "./nf4.ts";
import { oneBit, svid } from "./one-bit.ts";
import { seq2, seqTernary } from "./seq.ts";
import { ternary } from "./ternary.ts";

/** All grids. The first of a bit-width is what a scheme id without a name means. */
export const grids: readonly PlanarGrid[] = [
  binary,
  elasticBinary,
  ternary,
  seqTernary,
  asymmetricInt(2),
  asymmetricInt(3),
  asymmetricInt(4),
  asymmetricInt(8),
  symmetricInt(2),
  seq2,
  symmetricInt(3),
  symmetricInt(4),
  symmetricInt(8),
  narrowInt,
  floatZeroInt(2),
  floatZeroInt(3),
  floatZeroInt(4),
  floatZeroInt(8),
  nf4,
  codebook(2),
  codebook(3),
  codebook(4),
  svid,
  oneBit,
];
