import type { Backend } from "../../backend/backend.ts";
import { CpuMemory } from "../../backend/cpu-memory.ts";
import type { Kernels } from "../../backend/kernels.ts";
import { dequantizeActivations, quantizeActivations, rowRanges } from "./activations.ts";
import { adamw } from "./adamw.ts";
import { add } from "./add.ts";
import { attentionBackward } from "./attention-backward.ts";
import { attention } from "./attention.ts";
import { cast } from "./cast.ts";
import { crossEntropy, crossEntropyBackward } from "./cross-entropy.ts";
import { decodePacked, decodePackedBackward } from "./decode-packed.ts";
import { diagonal } from "./diagonal.ts";
import { directionError } from "./direction-error.ts";
import { embedding, embeddingBackward } from "./embedding.ts";
import { fakeQuantize, fakeQuantizeBackward, fakeQuantizeRows } from "./fake-quantize.ts";
import { fitColumns } from "./fit-columns.ts";
import { gelu, geluBackward } from "./gelu.ts";
import { gram } from "./gram.ts";
import { integerMatmul } from "./integer-matmul.ts";
import { inverseCholesky } from "./inverse-cholesky.ts";
import { klDivergence, klDivergenceBackward } from "./kl-divergence.ts";
import { layerNorm, layerNormBackward } from "./layer-norm.ts";
import { magnitudes } from "./magnitudes.ts";
import { matmul } from "./matmul.ts";
import { multiply } from "./multiply.ts";
import { packedEmbedding } from "./packed-embedding.ts";
import { holdOperand, normedPackedMatmul, packedMatmul } from "./packed-matmul.ts";
import { quantizeColumns } from "./quantize-columns.ts";
import { quantizeRows } from "./quantize-rows.ts";
import { columnSums, squaredError, sumSquares } from "./reductions.ts";
import { refineZeros } from "./refine-zeros.ts";
import { rmsNorm, rmsNormBackward } from "./rms-norm.ts";
import { roundScales } from "./round-scales.ts";
import { rope, ropeBackward } from "./rope.ts";
import { softmax, softmaxBackward } from "./softmax.ts";
import { swiglu, swigluBackward } from "./swiglu.ts";
import { writeRows } from "./write-rows.ts";

/**
 * Every op in plain TypeScript: the oracle that other backends are tested against, and the
 * fallback.
 */
export const referenceKernels: Kernels = {
  matmul,
  packedMatmul,
  normedPackedMatmul,
  quantizeActivations,
  dequantizeActivations,
  rowRanges,
  integerMatmul,
  packedEmbedding,
  embedding,
  rmsNorm,
  layerNorm,
  rope,
  attention,
  writeRows,
  quantizeRows,
  swiglu,
  gelu,
  softmax,
  add,
  multiply,
  cast,
  crossEntropy,
  klDivergence,
  gram,
  magnitudes,
  diagonal,
  inverseCholesky,
  fitColumns,
  refineZeros,
  quantizeColumns,
  attentionBackward,
  ropeBackward,
  roundScales,
  rmsNormBackward,
  layerNormBackward,
  swigluBackward,
  geluBackward,
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
  decodePacked,
  decodePackedBackward,
  adamw,
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
    adopt: (_dtype, array) => array,
    view: (storage, dtype, offset, length) => memory.view(storage, dtype, offset, length),
    read: async (storage, _dtype, length) => memory.copy(storage, length),
    synchronize: async () => {},
    prepare: holdOperand,
  };
}
