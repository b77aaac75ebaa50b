import { LayerInputs } from "../calibration/statistics/layer-inputs.ts";
import type { BlockProblem, Method, TransformedPart } from "../methods/define-method.ts";
import type { Block } from "../nn/quantizable-model.ts";
import { inputSlot } from "../nn/scale-channels.ts";
import { monotonicMs } from "../platform/node.ts";
import { withoutActivations } from "../quant/scheme.ts";
import { blockTransformsOf } from "../recipe/recipe.ts";
import type { TransformRecord } from "../run/run-record.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { throwIfCancelled, UsageError } from "../util/errors.ts";
import type { BlockJob } from "./block-job.ts";
import { gatherInputs } from "./gather-inputs.ts";
import { changedInBlock, quantizedGroups } from "./scale-groups.ts";
import type { TokenFactors } from "./token-factors.ts";

/** Runs the transforms of a recipe on a block, and writes what they changed besides matrices. */
export async function transformBlock(block: Block, job: BlockJob): Promise<TransformRecord[]> {
  const { recipe, plan, options } = job.job;
  const transforms = blockTransformsOf(recipe);
  if (transforms.length === 0) return [];
  const { index, model, streams, signal } = job;
  const groups = quantizedGroups(model, plan.linears, index);
  const records: TransformRecord[] = [];
  for (const { method, options: chosen } of transforms) {
    throwIfCancelled(signal);
    const { transformBlock: change } = method;
    if (!change) continue;
    const startedMs = monotonicMs();
    const factors = job.factorsFor({ method, options: chosen });
    const tries = quantizerOf(block, job);
    const { tokens = 0, tokensPerColumn: perColumn = Number.POSITIVE_INFINITY } =
      method.trials?.(chosen, tries !== null) ?? {};
    const inputs = await gather(block, method, { factors, perColumn }, job);
    try {
      const transform = (hidden: readonly Tensor<"f32">[]): Promise<readonly TransformedPart[]> =>
        change({
          model,
          block,
          groups: groups.filter((group) => !streams || inputs.of({ name: inputSlot(group) })),
          inputs: hidden,
          tokenFactors: factors?.ofPasses(hidden.length) ?? null,
          statisticsOf: (slot) => inputs.of({ name: slot }) ?? (streams ? null : fail(method)),
          schemeOf: job.schemeOf,
          compensated: job.job.method.compensates ?? false,
          tryQuantizer: tries,
          options: chosen,
          report: (activity) => job.report(`${method.id}: ${activity}`),
          signal,
        });
      const parts = await (streams?.quantized.withFirst(tokens, transform) ?? transform([]));
      records.push({
        method: method.id,
        block: index,
        parts,
        elapsedMs: monotonicMs() - startedMs,
      });
    } finally {
      inputs.release();
    }
  }
  for (const [name, tensor] of job.scales ? [] : changedInBlock(block, groups)) {
    await job.writeChanged(name, await tensor.read());
  }
  for (const transform of records) options.emit({ type: "transform", transform });
  return records;
}

/** What the inputs of layers are multiplied by, and how many tokens are looked at for a column. */
interface Gathered {
  readonly factors: TokenFactors | null;
  readonly perColumn: number;
}

/** Gathers what a transform needs; of a block with experts from all tokens, as these share them. */
async function gather(
  block: Block,
  { id, needs }: Method,
  { factors, perColumn }: Gathered,
  job: BlockJob,
): Promise<LayerInputs> {
  const { statistics } = needs;
  if (!job.streams || statistics.length === 0) return new LayerInputs(statistics);
  job.report(`${id}: inputs`);
  const slots = [...job.chosen(block.slots), ...(block.gates ?? [])];
  const widest = Math.max(...slots.map(({ layer }) => layer.inFeatures));
  const tokens = block.gates ? Number.POSITIVE_INFINITY : perColumn * widest;
  return gatherInputs(block, job, job.streams.quantized, { slots, statistics, factors, tokens });
}

/** How the quantizer of the recipe quantizes a layer, where second moments are what it needs. */
function quantizerOf(block: Block, job: BlockJob): BlockProblem<unknown>["tryQuantizer"] {
  const { method, recipe } = job.job;
  const { quantizeLinear, needs } = method;
  if (!quantizeLinear || !needs.statistics.includes("hessian")) return null;
  return async (slot, weight, hessian) => {
    const scheme = job.schemeOf(slot);
    if (!scheme) throw new UsageError(`${block.name}.${slot} is not to be quantized`);
    const made = await quantizeLinear({
      name: `${block.name}.${slot}`,
      weight,
      scheme: withoutActivations(scheme),
      hessian,
      options: recipe.options,
    });
    return made.weight;
  };
}

function fail(method: Method): never {
  throw new UsageError(`${method.title} needs calibration text, and none was given`);
}
