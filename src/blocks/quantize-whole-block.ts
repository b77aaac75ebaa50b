import type { LayerActivations } from "../quant/activation-grid.ts";
import type { Block } from "../nn/quantizable-model.ts";
import { floatLinear } from "../nn/scale-channels.ts";
import { startOf } from "../recipe/recipe.ts";
import { monotonicMs } from "../platform/node.ts";
import { LayerError } from "../run/layer-error.ts";
import type { BlockRecord } from "../run/run-record.ts";
import { UsageError } from "../util/errors.ts";
import type { BlockJob } from "./block-job.ts";
import { tokensOf } from "./few-tokens.ts";
import { gatherInputs } from "./gather-inputs.ts";
import { SlotRanges } from "./slot-ranges.ts";
import { blockProblem, makeStart } from "./make-start.ts";
import { importanceOf, putDecoded, statisticsOf } from "./quantize-linears.ts";

/** Tokens whose inputs of the layers are enough to tell how far each layer is off. */
const sampledTokens = 256;

const unseenExpert = "no token came to this expert: its weights are those that training began with";

/** Quantizes the linears of one block together, and puts the decoded weights in their slots. */
export async function quantizeWholeBlock(block: Block, job: BlockJob): Promise<BlockRecord> {
  const { index, streams } = job;
  const { method, recipe } = job.job;
  const startedMs = monotonicMs();
  const slots = job.chosen(block.slots);
  if (slots.length === 0) return { block: index, figures: {}, elapsedMs: 0 };
  if (!method.quantizeBlock || !streams?.original) {
    throw new UsageError(`${method.title} needs calibration text, and none was given`);
  }
  const statistics = statisticsOf(slots, job, { method, options: recipe.options });
  const ranges = new SlotRanges(slots, job.schemeOf);
  // Energies and ranges are those of all tokens, and so are the tokens of experts.
  const ofAll = statistics.length > 0 || block.experts !== undefined || ranges.some;
  const gathering = {
    slots,
    statistics,
    observe: ranges.observe,
    ...(!ofAll && { tokens: sampledTokens }),
  };
  const samples = await gatherInputs(block, job, streams.quantized, gathering);
  const errors = new Map<string, LayerError>();
  const importance = new Map<string, Float32Array | null>();
  const activations = new Map<string, LayerActivations | null>();
  const expertTokens = new Map<string, number | undefined>();
  for (const slot of slots) {
    const { name } = slot;
    const inputs = samples.of({ name }) ?? null;
    errors.set(name, await LayerError.of(floatLinear(block, name).weight, inputs?.sample ?? null));
    expertTokens.set(name, tokensOf(block, slot, { inputs, calibrated: true }).tokens);
    activations.set(name, await ranges.activations(name, recipe.activationRange));
    if (!method.usesImportance) continue;
    importance.set(name, await importanceOf(`${block.name}.${name}`, inputs, job));
  }
  ranges.release();
  const startedAtMs = monotonicMs();
  const starter = startOf(recipe);
  const start = starter && (await makeStart(block, job, starter));
  const startMs = monotonicMs() - startedAtMs;
  const made = await method.quantizeBlock({
    ...blockProblem(block, job, { quantized: streams.quantized, original: streams.original }),
    activationsOf: (slot) => activations.get(slot) ?? null,
    startOf: (slot) => start?.get(slot) ?? null,
    importanceOf: (slot) => importance.get(slot) ?? null,
    options: recipe.options,
  });
  const { fallback } = made;
  if (fallback !== undefined) {
    job.job.options.emit({ type: "notice", message: `${block.name}: ${fallback}` });
  }
  const elapsedMs = monotonicMs() - startedMs;
  for (const { name } of slots) {
    const stored = made.weights.get(name);
    const error = errors.get(name);
    if (!stored || !error) throw new UsageError(`${method.title} left out ${block.name}.${name}`);
    const tokens = expertTokens.get(name);
    const why = fallback ?? (tokens === 0 ? unseenExpert : undefined);
    const decoded = await putDecoded(block, name, stored);
    const share = {
      elapsedMs: elapsedMs / slots.length,
      ...(tokens !== undefined && { tokens }),
      ...(why !== undefined && { fallback: why }),
    };
    await job.finishLinear(block, name, { stored, error, decoded, ...share });
  }
  samples.release();
  const begun = starter && { start: { method: starter.method.id, elapsedMs: startMs } };
  return { block: index, figures: made.figures, ...begun, elapsedMs };
}
