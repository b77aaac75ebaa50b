import type { Backend } from "../../backend/backend.ts";
import { CpuMemory } from "../../backend/cpu-memory.ts";
import type { Kernels } from "../../backend/kernels.ts";
import { dequantizeActivations, quantizeActivations, rowRanges } from "./packed/activations.ts";
import { adamw } from "./training/adamw.ts";
import { addSparseProducts } from "./layers/add-sparse-products.ts";
import { add } from "./layers/add.ts";
import { attentionBackward } from "./layers/attention-backward.ts";
import { attention } from "./layers/attention.ts";
import { pagedAttention } from "./layers/paged-attention.ts";
import { binaryMatmul } from "./packed/binary-matmul.ts";
import { cast } from "./layers/cast.ts";
import { crossEntropy, crossEntropyBackward } from "./training/cross-entropy.ts";
import { decodePacked, decodePackedBackward } from "./packed/decode-packed.ts";
import { clusterRows } from "./quantization/cluster-rows.ts";
import { diagonal } from "./quantization/diagonal.ts";
import { directionError } from "./training/direction-error.ts";
import { embedding, embeddingBackward } from "./layers/embedding.ts";
import { energies } from "./quantization/energies.ts";
import {
  fakeQuantize,
  fakeQuantizeBackward,
  fakeQuantizeRows,
  roundingErrors,
} from "./training/fake-quantize.ts";
import { fitColumns } from "./quantization/fit-columns.ts";
import { gelu, geluBackward } from "./layers/gelu.ts";
import { gram } from "./quantization/gram.ts";
import { integerAttention } from "./integer/integer-attention.ts";
import { integerGate } from "./integer/integer-gate.ts";
import { integerNorm } from "./integer/integer-norm.ts";
import { integerRope } from "./integer/integer-rope.ts";
import {
  integerAdd,
  integerLookUp,
  integerRound,
  integerToFloat,
  integerWiden,
} from "./integer/integer-rows.ts";
import { integerMatmul } from "./packed/integer-matmul.ts";
import { groupRanges, groupRangesBackward } from "./training/group-ranges.ts";
import { inverseCholesky } from "./quantization/inverse-cholesky.ts";
import { klDivergence, klDivergenceBackward } from "./training/kl-divergence.ts";
import { layerNorm, layerNormBackward } from "./layers/layer-norm.ts";
import { magnitudes } from "./quantization/magnitudes.ts";
import { matmul } from "./layers/matmul.ts";
import { multiply } from "./layers/multiply.ts";
import { packedEmbedding } from "./packed/packed-embedding.ts";
import { holdOperand, normedPackedMatmul, packedMatmul } from "./packed/packed-matmul.ts";
import { quantizeColumns } from "./quantization/quantize-columns.ts";
import { quantizeRows } from "./layers/quantize-rows.ts";
import { columnSums, squaredError, sumSquares } from "./training/reductions.ts";
import { rangeScales, rangeScalesBackward } from "./training/range-scales.ts";
import { limitRows, rowMagnitudes, signRows, signRowsBackward } from "./training/sign-rows.ts";
import { reciprocal, reciprocalBackward, sigmoid, sigmoidBackward } from "./training/factors.ts";
import { relu, reluBackward } from "./layers/relu.ts";
import { refineZeros } from "./quantization/refine-zeros.ts";
import { refitGroups } from "./quantization/refit-groups.ts";
import { scaleRows } from "./quantization/scale-rows.ts";
import { searchBlocks } from "./quantization/search-blocks.ts";
import { rmsNorm, rmsNormBackward } from "./layers/rms-norm.ts";
import { roundScales } from "./training/round-scales.ts";
import { rope, ropeBackward } from "./layers/rope.ts";
import { addRoundingPenalty, roundSoftly, roundSoftlyBackward } from "./training/soft-rounding.ts";
import { signDescent } from "./training/sign-descent.ts";
import { softmax, softmaxBackward } from "./layers/softmax.ts";
import { softCap, softCapBackward } from "./layers/soft-cap.ts";
import { swiglu, swigluBackward } from "./layers/swiglu.ts";
import { takeColumns, takeColumnsBackward } from "./layers/take-columns.ts";
import { writeRows } from "./layers/write-rows.ts";
import type { TypedArray } from "../../tensor/dtype.ts";

/** Every op in plain TypeScript: the oracle of other backends' tests, and the fallback. */
export const referenceKernels: Kernels = {
  matmul,
  packedMatmul,
  normedPackedMatmul,
  quantizeActivations,
  dequantizeActivations,
  rowRanges,
  integerMatmul,
  integerLookUp,
  integerNorm,
  integerRound,
  integerWiden,
  integerAdd,
  integerRope,
  integerAttention,
  integerGate,
  integerToFloat,
  packedEmbedding,
  embedding,
  rmsNorm,
  layerNorm,
  rope,
  attention,
  pagedAttention,
  writeRows,
  quantizeRows,
  swiglu,
  gelu,
  relu,
  softCap,
  takeColumns,
  softmax,
  add,
  multiply,
  cast,
  crossEntropy,
  klDivergence,
  scaleRows,
  gram,
  magnitudes,
  energies,
  diagonal,
  inverseCholesky,
  fitColumns,
  addSparseProducts,
  clusterRows,
  refineZeros,
  refitGroups,
  searchBlocks,
  quantizeColumns,
  attentionBackward,
  ropeBackward,
  roundScales,
  rmsNormBackward,
  layerNormBackward,
  swigluBackward,
  geluBackward,
  reluBackward,
  softCapBackward,
  takeColumnsBackward,
  softmaxBackward,
  crossEntropyBackward,
  klDivergenceBackward,
  embeddingBackward,
  columnSums,
  sumSquares,
  squaredError,
  directionError,
  fakeQuantize,
  fakeQuantizeBackward,
  fakeQuantizeRows,
  roundingErrors,
  rangeScales,
  rangeScalesBackward,
  roundSoftly,
  roundSoftlyBackward,
  addRoundingPenalty,
  groupRanges,
  groupRangesBackward,
  sigmoid,
  sigmoidBackward,
  reciprocal,
  reciprocalBackward,
  decodePacked,
  decodePackedBackward,
  signDescent,
  adamw,
  rowMagnitudes,
  signRows,
  signRowsBackward,
  limitRows,
  binaryMatmul,
};

/** Makes a backend that runs the reference kernels at once, on the caller's thread. */
export function createReferenceBackend(): Backend {
  const memory = new CpuMemory();
  return {
    id: "reference",
    description: "reference (TypeScript)",
    level: "typescript",
    threads: 1,
    hasFastBfloat16: false,
    kernels: referenceKernels,
    allocate: (dtype, length) => memory.allocate(dtype, length),
    release: (storage) => memory.release(storage),
    adopt: (_dtype, array) => memory.adopt(array),
    view: (storage, dtype, offset, length) => memory.view(storage, dtype, offset, length),
    read: async (storage, _dtype, length) => memory.copy(storage, length),
    readNow: (storage, _dtype, length) => memory.copy(storage, length),
    host: async (storage, _dtype, length) => (storage as TypedArray).subarray(0, length),
    synchronize: async () => {},
    prepare: holdOperand,
  };
}
