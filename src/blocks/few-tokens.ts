import type { InputStatistics } from "../calibration/statistics/layer-inputs.ts";
import type { LinearSlot } from "../nn/linear.ts";
import type { Block } from "../nn/quantizable-model.ts";

/** What is known of the tokens that came to a slot. */
export interface SlotTokens {
  /** Calibration tokens that the router sent there. */
  readonly tokens?: number;
  /** Why their statistics are too poor to go by. */
  readonly tooFew?: string;
}

/** Whether a slot is an expert's: it gets some tokens only. */
function isExpert({ experts = [] }: Block, slot: string): boolean {
  return experts.some((slots) => slots.some(({ name }) => name === slot));
}

/**
 * Counts the tokens of an expert's slot, and says where they are fewer than its columns: then GPTQ
 * does worse on other tokens than rounding does (docs/methods/gptq.md). Empty for other slots, which
 * get every token, and without calibration text.
 */
export function tokensOf(
  block: Block,
  { name, layer }: LinearSlot,
  { inputs, calibrated }: { inputs: InputStatistics | null; calibrated: boolean },
): SlotTokens {
  if (!calibrated || !isExpert(block, name)) return {};
  const tokens = inputs?.tokens ?? 0;
  const needed = layer.inFeatures;
  if (tokens >= needed) return { tokens };
  const came = tokens === 1 ? "1 token came" : `${tokens} tokens came`;
  return { tokens, tooFew: `${came} for ${needed} columns` };
}
