import type { LayerActivations } from "../quant/activation-grid.ts";
import type { Block } from "../nn/quantizable-model.ts";
import type { LayerInputs } from "../calibration/statistics/layer-inputs.ts";
import type { QuantizedBlock, ScalableChannels } from "../methods/define-method.ts";
import type { LinearSlot } from "../nn/linear.ts";
import { floatLinear, inputSlot } from "../nn/scale-channels.ts";
import { isMoreThanWeights } from "../quant/scheme.ts";
import { startOf } from "../recipe/recipe.ts";
import { monotonicMs } from "../platform/node.ts";
import { LayerError } from "../run/layer-error.ts";
import type { BlockRecord } from "../run/run-record.ts";
import { UsageError } from "../util/errors.ts";
import type { ActivationCache } from "./activations.ts";
import type { BlockJob } from "./block-job.ts";
import { tokensOf } from "./few-tokens.ts";
import { gatherInputs } from "./gather-inputs.ts";
import { SlotRanges } from "./slot-ranges.ts";
import { blockProblem, makeStart } from "./make-start.ts";
import { importanceOf, putDecoded, putLayer, statisticsOf } from "./quantize-linears.ts";
import { changedInBlock, quantizedGroups, quantizedScores } from "./scale-groups.ts";

/** Tokens whose inputs of the layers are enough to tell how far each layer is off. */
const sampledTokens = 256;

const unseenExpert = "no token came to this expert: its weights are those that training began with";

/** Quantizes the linears of one block together, and puts the decoded weights in their slots. */
export async function quantizeWholeBlock(block: Block, job: BlockJob): Promise<BlockRecord> {
  const { index, streams } = job;
  const { method, recipe, options } = job.job;
  const startedMs = monotonicMs();
  const slots = job.chosen(block.slots);
  if (slots.length === 0) return { block: index, figures: {}, elapsedMs: 0 };
  if (!method.quantizeBlock || !streams?.original) {
    throw new UsageError(`${method.title} needs calibration text, and none was given`);
  }
  const known = await observe(block, job, streams.quantized, slots);
  const startedAtMs = monotonicMs();
  const starter = startOf(recipe);
  const start = starter && (await makeStart(block, job, starter));
  const startMs = monotonicMs() - startedAtMs;
  const made = await method.quantizeBlock({
    ...blockProblem(block, job, { quantized: streams.quantized, original: streams.original }),
    activationsOf: (slot) => known.activations.get(slot) ?? null,
    startOf: (slot) => start?.get(slot) ?? null,
    importanceOf: (slot) => known.importance.get(slot) ?? null,
    ...(job.scales && { scalable: scalableIn(job, known.samples) }),
    options: recipe.options,
  });
  const { samples, errors } = made.scaled
    ? await sampleAgain(block, job, streams.quantized, { slots, ...known })
    : known;
  if (job.scales) await writeScaled(block, job);
  const { fallback } = made;
  if (fallback !== undefined) {
    options.emit({ type: "notice", message: `${block.name}: ${fallback}` });
  }
  const elapsedMs = monotonicMs() - startedMs;
  const { expertTokens } = known;
  await finishSlots(block, job, made, { slots, errors, expertTokens, elapsedMs });
  samples.release();
  const begun = starter && { start: { method: starter.method.id, elapsedMs: startMs } };
  return { block: index, figures: made.figures, ...begun, elapsedMs };
}

/** What the linears of a block do with their float weights on inputs that were sampled. */
interface SampledErrors {
  readonly samples: LayerInputs;
  readonly errors: ReadonlyMap<string, LayerError>;
}

/** What a pass of the calibration text through a block tells of its linears. */
interface BlockObservations extends SampledErrors {
  readonly importance: ReadonlyMap<string, Float32Array | null>;
  readonly activations: ReadonlyMap<string, LayerActivations | null>;
  readonly expertTokens: ReadonlyMap<string, number | undefined>;
}

async function observe(
  block: Block,
  job: BlockJob,
  stream: ActivationCache,
  slots: readonly LinearSlot[],
): Promise<BlockObservations> {
  const { method, recipe } = job.job;
  const statistics = statisticsOf(slots, job, { method, options: recipe.options });
  const ranges = new SlotRanges(slots, job.schemeOf);
  // Energies and ranges are those of all tokens, and so are the tokens of experts.
  const ofAll = statistics.length > 0 || block.experts !== undefined || ranges.some;
  const samples = await gatherInputs(block, job, stream, {
    slots: [...slots, ...(job.scales ? (block.gates ?? []) : [])],
    statistics,
    observe: ranges.observe,
    ...(!ofAll && { tokens: sampledTokens }),
  });
  const errors = await errorsOf(block, slots, samples);
  const importance = new Map<string, Float32Array | null>();
  const activations = new Map<string, LayerActivations | null>();
  const expertTokens = new Map<string, number | undefined>();
  for (const slot of slots) {
    const { name } = slot;
    const inputs = samples.of({ name }) ?? null;
    expertTokens.set(name, tokensOf(block, slot, { inputs, calibrated: true }).tokens);
    activations.set(name, await ranges.activations(name, recipe.activationRange));
    if (!method.usesImportance) continue;
    importance.set(name, await importanceOf(`${block.name}.${name}`, inputs, job));
  }
  ranges.release();
  return { samples, errors, importance, activations, expertTokens };
}

/** Samples a block whose layers have other weights and inputs than before; gives the old ones back. */
async function sampleAgain(
  block: Block,
  job: BlockJob,
  stream: ActivationCache,
  { slots, samples: old, errors }: SampledErrors & { readonly slots: readonly LinearSlot[] },
): Promise<SampledErrors> {
  for (const error of errors.values()) error.release();
  old.release();
  const few = { slots, statistics: [], ...(!block.experts && { tokens: sampledTokens }) };
  const samples = await gatherInputs(block, job, stream, few);
  return { samples, errors: await errorsOf(block, slots, samples) };
}

/** What is known of the slots of a block beside their weights. */
interface SlotNotes {
  readonly slots: readonly LinearSlot[];
  readonly errors: ReadonlyMap<string, LayerError>;
  readonly expertTokens: ReadonlyMap<string, number | undefined>;
  readonly elapsedMs: number;
}

/** Puts what was made in the slots, and writes it. */
async function finishSlots(
  block: Block,
  job: BlockJob,
  made: QuantizedBlock,
  { slots, errors, expertTokens, elapsedMs }: SlotNotes,
): Promise<void> {
  for (const slot of slots) {
    const { name } = slot;
    const stored = made.weights.get(name);
    const error = errors.get(name);
    if (!stored || !error)
      throw new UsageError(`${job.job.method.title} left out ${block.name}.${name}`);
    const tokens = expertTokens.get(name);
    const why = made.fallback ?? (tokens === 0 ? unseenExpert : undefined);
    const decoded = await putDecoded(block, name, stored);
    const share = {
      elapsedMs: elapsedMs / slots.length,
      ...(tokens !== undefined && { tokens }),
      ...(why !== undefined && { fallback: why }),
    };
    await job.finishLinear(block, name, { stored, error, decoded, ...share });
    if (isMoreThanWeights(stored.scheme)) await putLayer(block, slot, stored);
  }
}

/** Notes what each layer does with its float weight on the inputs that were sampled. */
async function errorsOf(
  block: Block,
  slots: readonly LinearSlot[],
  samples: LayerInputs,
): Promise<Map<string, LayerError>> {
  const errors = new Map<string, LayerError>();
  for (const { name } of slots) {
    const sample = samples.of({ name })?.sample ?? null;
    errors.set(name, await LayerError.of(floatLinear(block, name).weight, sample));
  }
  return errors;
}

/** What a method may scale in the block. */
function scalableIn({ job, model, index }: BlockJob, samples: LayerInputs): ScalableChannels {
  const { linears } = job.plan;
  const statisticsOf: ScalableChannels["statisticsOf"] = (name) => samples.of({ name }) ?? null;
  const groups = quantizedGroups(model, linears, index);
  return {
    groups: groups.filter((group) => statisticsOf(inputSlot(group)) !== null),
    scores: quantizedScores(model, linears, index),
    statisticsOf,
  };
}

/** Writes what scaling changes besides matrices, whether it did or not. */
async function writeScaled(block: Block, job: BlockJob): Promise<void> {
  const { index, model } = job;
  const { linears } = job.job.plan;
  const groups = quantizedGroups(model, linears, index);
  const slots = job.chosen(block.slots).map(({ name }) => name);
  for (const [name, tensor] of changedInBlock(block, groups, slots)) {
    await job.writeChanged(name, await tensor.read());
  }
}
