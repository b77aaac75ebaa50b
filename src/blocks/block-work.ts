import type { Block } from "../nn/quantizable-model.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import type { Scheme } from "../quant/scheme.ts";
import type { Prefixes } from "./prefixes.ts";
import type { ProgressMeter } from "../run/progress.ts";
import { quantizeBlock } from "./quantize-block.ts";
import { quantizeWholeBlock } from "./quantize-whole-block.ts";
import type { QuantizedOutput } from "../run/output/quantized-output.ts";
import { transformsOf } from "../recipe/recipe.ts";
import type { RunJob } from "../run/run-job.ts";
import type { BlockRecord, LinearRecord, TransformRecord } from "../run/run-record.ts";
import { changedInBlock, quantizedGroups } from "./scale-groups.ts";
import { transformBlock } from "./transform-block.ts";

/** What working on a block needs of the run. */
export interface BlockWork {
  readonly job: RunJob;
  readonly output: QuantizedOutput;
  readonly meter: ProgressMeter;
  /** Null when no calibration text was given. */
  readonly prefixes: Prefixes | null;
}

/** What was done to a block. */
export interface FinishedBlock {
  readonly transforms: TransformRecord[];
  readonly linears: LinearRecord[];
  readonly blocks: BlockRecord[];
  readonly ends: [];
  /** Fingerprint of what the block gives to the next one; null where nothing flows. */
  readonly outputs: string | null;
}

/** Transforms and quantizes one block, writes its weights, and moves the activations behind it. */
export async function workOnBlock(index: number, work: BlockWork): Promise<FinishedBlock> {
  const { prefixes, meter } = work;
  const { model } = work.job.opened;
  const { signal } = work.job.options;
  meter.report(index, "weights");
  const block = await model.loadBlock(index);
  if (prefixes?.original) {
    meter.report(index, "outputs of the original");
    await prefixes.original.advance(model, block, signal);
  }
  const transforms = await transform(block, index, work);
  const linears: LinearRecord[] = [];
  const onLinear = async (linear: LinearRecord, weight: QTensor): Promise<void> => {
    await work.output.writeLinear(linear.module, weight);
    linears.push(linear);
    meter.advance(linear.weights);
    work.job.options.emit({ type: "linear", linear });
    meter.report(index, linear.slot);
  };
  const blocks = await quantize(block, index, work, onLinear);
  let outputs: string | null = null;
  if (prefixes && index + 1 < model.blockCount) {
    meter.report(index, "outputs");
    await prefixes.quantized.advance(model, block, signal);
    outputs = await prefixes.fingerprint();
  }
  model.releaseBlock(block);
  return { transforms, linears, blocks, ends: [], outputs };
}

/** Quantizes the linears of a block, one by one or together as the method does it. */
async function quantize(
  block: Block,
  blockIndex: number,
  { job, meter, prefixes }: BlockWork,
  onLinear: (linear: LinearRecord, weight: QTensor) => Promise<void>,
): Promise<BlockRecord[]> {
  const { opened, recipe, method, plan, options } = job;
  const { model } = opened;
  const { signal } = options;
  const schemeOf = schemesOf(job, blockIndex);
  const shared = { model, method, options: recipe.options, blockIndex, schemeOf, signal, onLinear };
  if (method.quantizeBlock && prefixes) {
    const weights = plan.linears
      .filter((linear) => linear.block === blockIndex && linear.scheme)
      .reduce((sum, { inFeatures, outFeatures }) => sum + inFeatures * outFeatures, 0);
    const onActivity = (activity: string, share: number): void =>
      meter.report(blockIndex, activity, share * weights);
    const seed = recipe.seed + blockIndex;
    return [await quantizeWholeBlock(block, { ...shared, prefixes, seed, onActivity })];
  }
  await quantizeBlock(block, {
    ...shared,
    activations: prefixes?.quantized ?? null,
    trueSequential: recipe.trueSequential,
    activationRange: recipe.activationRange,
    onActivity: (activity) => meter.report(blockIndex, activity),
  });
  return [];
}

/** Runs the transforms on a block, and writes what they changed besides matrices. */
async function transform(
  block: Block,
  blockIndex: number,
  { job, output, meter, prefixes }: BlockWork,
): Promise<TransformRecord[]> {
  const { opened, plan, recipe, options } = job;
  const { model } = opened;
  const transforms = transformsOf(recipe);
  if (transforms.length === 0) return [];
  const { signal, emit } = options;
  const groups = quantizedGroups(model, plan.linears, blockIndex);
  const records = await transformBlock(block, {
    model,
    transforms,
    blockIndex,
    groups,
    activations: prefixes?.quantized ?? null,
    schemeOf: schemesOf(job, blockIndex),
    signal,
    onActivity: (activity) => meter.report(blockIndex, activity),
  });
  for (const [name, tensor] of changedInBlock(block, groups)) {
    await output.writeChanged(name, await tensor.read());
  }
  for (const record of records) emit({ type: "transform", transform: record });
  return records;
}

function schemesOf({ plan }: RunJob, index: number): (slot: string) => Scheme | null {
  const members = plan.linears.filter(({ block }) => block === index);
  const schemes = new Map(members.map(({ slot, scheme }) => [slot, scheme]));
  return (slot) => schemes.get(slot) ?? null;
}
