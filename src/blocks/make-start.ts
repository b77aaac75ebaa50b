import type { WholeBlockProblem } from "../methods/define-method.ts";
import type { Block } from "../nn/quantizable-model.ts";
import { floatLinear, readWeights, replaceWeight } from "../nn/scale-channels.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import type { ChosenMethod } from "../recipe/recipe.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import type { BlockJob } from "./block-job.ts";
import { outputGradients, type Streams } from "./output-gradients.ts";
import { putDecoded, quantizeLinear, visitStages } from "./quantize-linears.ts";

/**
 * Lets a quantizer make of a block what the training of another method begins with: packed weights
 * by slot. The block holds its float weights again when it is done.
 */
export async function makeStart(
  block: Block,
  job: BlockJob,
  starter: ChosenMethod,
): Promise<Map<string, QTensor>> {
  const names = job.chosen(block.slots).map(({ name }) => name);
  const floats = await readWeights(block, names);
  try {
    return await quantizeBy(starter, block, job);
  } finally {
    for (const [name, values] of floats) {
      const { backend, shape } = floatLinear(block, name).weight;
      replaceWeight(block, name, Tensor.from(backend, "f32", shape, values));
    }
  }
}

/** What methods that quantize whole blocks are told of one, besides their options. */
export function blockProblem(
  block: Block,
  work: BlockJob,
  streams: Streams,
): Omit<WholeBlockProblem<unknown>, "options"> {
  const { index, job, model, schemeOf, report, signal } = work;
  const { quantized: inputs, original: targets } = streams;
  const seed = job.recipe.seed + index;
  const gradients = () => outputGradients(block, work, streams);
  const problem = { model, block, inputs, targets, outputGradients: gradients };
  return { ...problem, schemeOf, seed, report, signal };
}

async function quantizeBy(
  starter: ChosenMethod,
  block: Block,
  job: BlockJob,
): Promise<Map<string, QTensor>> {
  const { method, options } = starter;
  const { quantized, original } = job.streams ?? {};
  if (method.quantizeBlock) {
    if (!quantized || !original) {
      throw new UsageError(`${method.title} needs calibration text, and none was given`);
    }
    const problem = blockProblem(block, job, { quantized, original });
    const { weights } = await method.quantizeBlock({ ...problem, options });
    return new Map(weights);
  }
  const made = new Map<string, QTensor>();
  await visitStages(block, job, starter, async (slot, inputs) => {
    const { name } = slot;
    job.report(`${method.id}: ${name}`);
    const quantized = await quantizeLinear(block, slot, inputs, starter, job);
    if (!quantized) return;
    made.set(name, quantized.weight);
    await putDecoded(block, name, quantized.weight);
  });
  return made;
}
