import type { Bindings } from "../binding.ts";
import { dequantizeActivations, quantizeActivations, rowRanges } from "./activations.ts";
import { add } from "./add.ts";
import { attention, attentionBackward } from "./attention.ts";
import { cast, gelu, multiply, roundScales, swiglu } from "./elementwise.ts";
import { geluBackward, swigluBackward } from "./elementwise-backward.ts";
import { embedding } from "./embedding.ts";
import { fakeQuantize, fakeQuantizeBackward, fakeQuantizeRows } from "./fake-quantize.ts";
import { fitColumns } from "./fit-columns.ts";
import { gram } from "./gram.ts";
import { integerMatmul } from "./integer-matmul.ts";
import { inverseCholesky } from "./inverse-cholesky.ts";
import { magnitudes } from "./magnitudes.ts";
import { matmul } from "./matmul.ts";
import { layerNorm, rmsNorm } from "./norms.ts";
import { layerNormBackward, rmsNormBackward } from "./norms-backward.ts";
import { decodePacked, decodePackedBackward, packedEmbedding } from "./packed-embedding.ts";
import { normedPackedMatmul, packedMatmul } from "./packed-matmul.ts";
import { quantizeColumns } from "./quantize-columns.ts";
import { refineZeros } from "./refine-zeros.ts";
import { rope, ropeBackward } from "./rope.ts";
import { crossEntropy, diagonal, klDivergence, softmax } from "./row-ops.ts";
import {
  columnSums,
  crossEntropyBackward,
  directionError,
  embeddingBackward,
  klDivergenceBackward,
  softmaxBackward,
} from "./rows-backward.ts";
import { adamw, squaredError, sumSquares } from "./training-steps.ts";
import { quantizeRows, writeRows } from "./write-rows.ts";

/** Every op that has a native kernel: one line an op. */
export const bindings: Bindings = {
  adamw,
  add,
  attention,
  attentionBackward,
  cast,
  columnSums,
  crossEntropy,
  crossEntropyBackward,
  decodePacked,
  decodePackedBackward,
  dequantizeActivations,
  diagonal,
  directionError,
  embedding,
  embeddingBackward,
  fakeQuantize,
  fakeQuantizeBackward,
  fakeQuantizeRows,
  fitColumns,
  gelu,
  geluBackward,
  gram,
  integerMatmul,
  inverseCholesky,
  klDivergence,
  klDivergenceBackward,
  layerNorm,
  layerNormBackward,
  magnitudes,
  matmul,
  multiply,
  normedPackedMatmul,
  packedEmbedding,
  packedMatmul,
  quantizeActivations,
  quantizeColumns,
  quantizeRows,
  refineZeros,
  rmsNorm,
  rmsNormBackward,
  rope,
  ropeBackward,
  roundScales,
  rowRanges,
  softmax,
  softmaxBackward,
  squaredError,
  sumSquares,
  swiglu,
  swigluBackward,
  writeRows,
};
