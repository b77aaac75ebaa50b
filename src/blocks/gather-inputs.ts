import { LayerInputs, type Statistic } from "../calibration/statistics/layer-inputs.ts";
import type { LinearSlot } from "../nn/linear.ts";
import type { Block } from "../nn/quantizable-model.ts";
import { takeElements } from "../tensor/route-ops.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ActivationCache } from "./activations.ts";
import type { BlockJob } from "./block-job.ts";
import type { TokenFactors } from "./token-factors.ts";

/** Which inputs are wanted, and what is gathered of them. */
export interface Gathering {
  readonly slots: readonly LinearSlot[];
  /** What is gathered besides a sample. */
  readonly statistics: readonly Statistic[];
  /** Hears of each input too. */
  readonly observe?: (slot: LinearSlot, input: Tensor) => void;
  /** Only the windows that make up the first `tokens`. */
  readonly tokens?: number;
  /**
   * What inputs of the last stage are multiplied by for second moments and magnitudes; null: by
   * nothing.
   */
  readonly factors?: TokenFactors | null;
}

/**
 * Runs a block on its calibration inputs, as far as the last slot that is wanted, and gathers what
 * comes to its linear layers.
 */
export async function gatherInputs(
  block: Block,
  { model, signal }: Pick<BlockJob, "model" | "signal">,
  activations: ActivationCache,
  { slots, statistics, observe, tokens, factors }: Gathering,
): Promise<LayerInputs> {
  const inputs = new LayerInputs(statistics);
  const wanted = new Set(slots);
  const untilStage = Object.keys(block.stages).findLast((stage) =>
    block.stages[stage].some((slot) => wanted.has(slot)),
  );
  const last = new Set(Object.values(block.stages).at(-1));
  let pass = -1;
  const onInput = (slot: LinearSlot, input: Tensor, rows?: Tensor<"i32">): void => {
    if (!wanted.has(slot)) return;
    const weights = last.has(slot) ? factors?.ofPass(pass) : null;
    inputs.observe(slot, input, weights && rows ? takeElements(weights, rows) : weights);
    observe?.(slot, input);
  };
  const visit = (hidden: Tensor<"f32">): void => {
    inputs.nextPass();
    pass++;
    model.forwardBlock(block, hidden, { position: 0, observe: onInput, untilStage });
  };
  await activations.forEach(visit, signal, tokens);
  return inputs;
}
