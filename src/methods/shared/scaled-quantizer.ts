import type { Hessian } from "../../calibration/statistics/hessian.ts";
import type { ScaleGroup } from "../../nn/quantizable-model.ts";
import { floatLinear, inputSlot, readWeights, scaleColumns } from "../../nn/scale-channels.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { NumericError } from "../../util/errors.ts";
import type { BlockProblem } from "../define-method.ts";
import { roundToBlocks } from "./block-quantizer.ts";
import type { Candidates } from "./group-loss.ts";
import { importanceOfEnergies } from "./importance-of-energies.ts";
import { roundInPlace } from "./quantize-columns.ts";

/** Returns the decoded values of the quantized weight `[out, in]` of a slot, which it takes over. */
type Quantize = (slot: string, weight: Tensor<"f32">) => Promise<Float32Array>;

/**
 * Returns what gives `Q(W·diag t)·diag(1/t)` of every consumer of a group for factors t of its
 * channels. Q is the quantizer behind the transform, given the second moments of inputs that are
 * divided by t, where it works from these; elsewhere it rounds to nearest, and blocks are searched
 * with the importance that columns have then.
 */
export async function scaledQuantizer(
  problem: BlockProblem<unknown>,
  group: ScaleGroup,
): Promise<(factors: Float32Array) => Promise<Candidates>> {
  const { block, schemeOf, statisticsOf } = problem;
  const { consumers, channelOf } = group;
  const hessian = statisticsOf(inputSlot(group))?.hessian;
  if (!hessian) throw new NumericError(`${block.name}.${consumers[0]}: no Hessian was gathered`);
  const weights = await readWeights(block, consumers);
  return async (factors) => {
    const ofColumns = channelOf ? Float32Array.from(channelOf, (c) => factors[c]) : factors;
    const inverse = factors.map((factor) => 1 / factor);
    const { quantize, release } = await quantizerFor(problem, group, hessian, ofColumns);
    const candidates = new Map<string, Float32Array>();
    for (const [name, values] of weights) {
      if (!schemeOf(name)) continue;
      const { backend, shape } = floatLinear(block, name).weight;
      const scaled = scaleColumns(values, factors, channelOf);
      const decoded = await quantize(name, Tensor.from(backend, "f32", shape, scaled));
      candidates.set(name, scaleColumns(decoded, inverse, channelOf));
    }
    release();
    return candidates;
  };
}

/** How weights whose inputs are divided by `factors`, by column, are quantized. */
async function quantizerFor(
  { tryQuantizer, schemeOf }: BlockProblem<unknown>,
  { consumers }: ScaleGroup,
  hessian: Hessian,
  factors: Float32Array,
): Promise<{ quantize: Quantize; release: () => void }> {
  if (tryQuantizer) {
    const divided = await hessian.divided(factors);
    const quantize: Quantize = async (slot, weight) => {
      const decoded = (await tryQuantizer(slot, weight, divided)).dequantize();
      weight.release();
      return decoded;
    };
    return { quantize, release: () => divided.release() };
  }
  const hasBlocks = consumers.some((name) => schemeOf(name)?.blocks);
  const importance = hasBlocks
    ? importanceOfEnergies((await hessian.energies()).map((e, c) => e / factors[c] ** 2))
    : null;
  const quantize: Quantize = async (slot, weight) => {
    const scheme = schemeOf(slot);
    if (scheme?.blocks) roundToBlocks(weight, scheme, importance);
    else if (scheme) roundInPlace(weight, scheme);
    const decoded = await weight.read();
    weight.release();
    return decoded;
  };
  return { quantize, release: () => {} };
}
