import type { Backend } from "../backend/backend.ts";
import type { Method } from "../methods/define-method.ts";
import { monotonicMs } from "../platform/node.ts";
import { matmul } from "../tensor/products.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { TrainingEffort } from "../methods/define-method.ts";
import type { transformsOf } from "../recipe/recipe.ts";
import {
  estimateTrainingMemory,
  processBytes,
  trainedParameterBytes,
} from "../run/estimate-training.ts";
import type { PlannedLinear } from "../run/plan.ts";
import { sum } from "../util/sums.ts";

const passTokens = 2048;
/** Encoding, packing, decoding and comparing one weight outside the kernels. */
const secondsPerWeight = 25e-9;
const diskBytesPerSecond = 300e6;
/** Share of the speed of a large product that training as a whole reaches. */
const trainingSpeed = 0.5;

type ChosenTransform = ReturnType<typeof transformsOf>[number];

/** Sizes of a training of the whole model. */
interface WholeTraining extends TrainingEffort {
  readonly parameters: number;
  readonly blocks: number;
  readonly vocabularySize: number;
  /** Whether another model of this size is run beside it. */
  readonly teacher: boolean;
}

/** Sizes that memory and time follow from. */
export interface WorkSize {
  readonly linears: readonly PlannedLinear[];
  readonly hiddenSize: number;
  readonly endBytes: number;
  readonly sourceBytes: number;
  readonly outputBytes: number;
  /** Calibration tokens; 0 without calibration. */
  readonly tokens: number;
  /** Activations between blocks that are kept in memory. */
  readonly activationBytes: number;
  readonly method: Method;
  /** Options of the method. */
  readonly options: Record<string, unknown>;
  readonly transforms: readonly ChosenTransform[];
  /** Weights of embedding and output head that are quantized. */
  readonly embeddingAndHeadWeights: number;
  /** Of methods that train the whole model; otherwise null. */
  readonly training: WholeTraining | null;
}

/** Estimates peak memory in bytes: a block in float32, activations, the largest layer's work. */
export function estimateMemory(work: WorkSize): number {
  if (work.training) return wholeTrainingBytes(work, work.training);
  const blocks = byBlock(work.linears);
  const blockBytes = 4 * Math.max(...blocks.map(weightsOf));
  const widths = work.linears.map(({ inFeatures }) => inFeatures);
  const largest = Math.max(
    ...work.linears.map(({ inFeatures, outFeatures }) => 14 * inFeatures * outFeatures),
  );
  if (work.tokens === 0) return processBytes + work.endBytes + blockBytes + largest;
  const hessian = work.method.needs.statistics.includes("hessian") ? 12 : 0;
  const transforms = Math.max(0, ...work.transforms.map((each) => transformBytes(work, each)));
  const stage = 4 * Math.min(work.tokens, passTokens);
  const pass = stage * (4 * Math.max(...widths) + 8 * work.hiddenSize);
  return (
    processBytes +
    work.endBytes +
    blockBytes +
    largest +
    work.activationBytes +
    trainingBytes(work) +
    Math.max(hessian * Math.max(...widths) ** 2, transforms) +
    pass
  );
}

/**
 * Float32 weights with gradients and moments where they are trained, the linears as values of their
 * grids, what the gradients need of each block, logits, and a teacher.
 */
function wholeTrainingBytes({ linears, hiddenSize }: WorkSize, training: WholeTraining): number {
  const { parameters, blocks, microBatchTokens: tokens, recompute } = training;
  const outputs = sum(linears.map(({ outFeatures }) => outFeatures));
  const quantized = (4 * weightsOf(linears)) / (recompute ? blocks : 1);
  const ofTeacher = training.teacher ? 4 * parameters : 0;
  const parameterBytes = training.trainsWeights ? trainedParameterBytes : 4;
  const blockFloats = (2 * outputs) / blocks + 8 * hiddenSize;
  const size = { ...training, parameterBytes, hiddenSize, blockFloats, tokens };
  return estimateTrainingMemory(size) + quantized + ofTeacher;
}

/** Products of all steps: forward, twice backward, and once more where something is run again. */
function wholeTrainingFlops({ linears, hiddenSize }: WorkSize, training: WholeTraining): number {
  const { steps, accumulation, microBatchTokens, vocabularySize } = training;
  const passes = 3 + (training.recompute ? 1 : 0) + (training.teacher ? 1 : 0);
  const perToken = 2 * passes * (weightsOf(linears) + hiddenSize * vocabularySize);
  return steps * accumulation * microBatchTokens * perToken;
}

/** Trained blocks: gradients, two moments, and weights as they are multiplied, of every weight. */
function trainingBytes({ method, linears }: WorkSize): number {
  return method.epochs ? 16 * Math.max(...byBlock(linears).map(weightsOf)) : 0;
}

/** Second moments of a block's inputs, once more of the widest, and outputs to compare with. */
function transformBytes(work: WorkSize, { method, options }: ChosenTransform): number {
  const widest = Math.max(...work.linears.map(({ inFeatures }) => inFeatures));
  const gathered = method.needs.statistics.includes("hessian")
    ? 8 * Math.max(...byBlock(work.linears).map(distinctSquares)) + 16 * widest ** 2
    : 0;
  const { tokens = 0 } = method.trials?.(options) ?? {};
  return gathered + 8 * Math.min(tokens, work.tokens) * work.hiddenSize;
}

/** Estimates the time in seconds, from a short measurement of this machine's matrix product. */
export async function estimateSeconds(backend: Backend, work: WorkSize): Promise<number> {
  const weights = weightsOf(work.linears);
  const disk = (work.sourceBytes + work.outputBytes) / diskBytesPerSecond;
  const plain = (weights + work.embeddingAndHeadWeights) * secondsPerWeight + disk;
  if (work.tokens === 0) return plain;
  if (work.training) {
    const speed = trainingSpeed * (await measureFlops(backend));
    return plain + wholeTrainingFlops(work, work.training) / speed;
  }
  const epochs = work.method.epochs?.(work.options) ?? 0;
  const trials = sum(
    work.transforms.map(({ method, options }) => {
      const { passes = 0, tokens = 0 } = method.trials?.(options) ?? {};
      return work.tokens + passes * Math.min(tokens, work.tokens);
    }),
  );
  // A step forward and backward is three passes; the original block is run too.
  const training = work.tokens * (3 * epochs + (epochs > 0 ? 1 : 0));
  const passes = 2 * weights * (work.tokens * 3 + trials + training);
  const hessians = work.method.needs.statistics.includes("hessian");
  const statistics = hessians
    ? sum(byBlock(work.linears).map((block) => distinctSquares(block) * work.tokens))
    : 0;
  const solving = hessians
    ? sum(work.linears.map((l) => l.inFeatures ** 2 * (l.outFeatures + l.inFeatures)))
    : 0;
  const flops = passes + statistics + solving;
  return plain + flops / (0.7 * (await measureFlops(backend)));
}

/** The most that was measured of each backend: other programs only make it look slower. */
const fastest = new WeakMap<Backend, number>();

/** Measures the floating-point operations a second of a large matrix product here. */
export async function measureFlops(backend: Backend): Promise<number> {
  const size = backend.id === "reference" ? 96 : 512;
  const a = Tensor.zeros(backend, "f32", [size, size]);
  let best = fastest.get(backend) ?? 0;
  for (let trial = 0; trial < 3; trial++) {
    const startedMs = monotonicMs();
    const product = matmul(a, a, { transposeB: true });
    await backend.synchronize();
    best = Math.max(best, (2 * size ** 3) / ((monotonicMs() - startedMs) / 1000));
    product.release();
  }
  fastest.set(backend, best);
  return best;
}

/** Σ n² over the inputs of a block that differ: query, output, gate and down each have one. */
function distinctSquares(block: readonly PlannedLinear[]): number {
  const inputs = new Map<string, number>();
  for (const { slot, inFeatures } of block) {
    const parent = slot.split(".")[0] ?? "";
    inputs.set(`${parent} ${inFeatures}`, inFeatures ** 2);
  }
  return sum([...inputs.values()]) * 1.5;
}

function byBlock(linears: readonly PlannedLinear[]): PlannedLinear[][] {
  const blocks = new Map<number, PlannedLinear[]>();
  for (const linear of linears) {
    const members = blocks.get(linear.block);
    if (members) members.push(linear);
    else blocks.set(linear.block, [linear]);
  }
  return [...blocks.values()];
}

function weightsOf(linears: readonly PlannedLinear[]): number {
  return sum(linears.map(({ inFeatures, outFeatures }) => inFeatures * outFeatures));
}
