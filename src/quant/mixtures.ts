import type { BlockFormatId } from "./blocks/block-format.ts";

/** A type that a mixture gives to a weight: a block format, or plain floats. */
export type MixtureType = BlockFormatId | "f16" | "bf16";

/** What a mixture goes by, besides the weight itself. */
export interface MixedModel {
  readonly blocks: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** Experts of a block; 1 for models without. */
  readonly experts: number;
  /** Whether the embedding is the output head, too. */
  readonly tied: boolean;
  /** Whether the importance of columns is known. */
  readonly importance: boolean;
}

/** The type of the weights of one kind in block `block`; null: that of most weights. */
export type MixtureRule = (block: number, model: MixedModel) => BlockFormatId | null;

/** A mixture of types by the name that llama-quantize gives it. */
export interface Mixture {
  readonly name: string;
  /** Type of most weights. */
  readonly usual: MixtureType;
  /** Type of the embedding where it is not the head; default that of most weights. */
  readonly embedding?: BlockFormatId;
  readonly values?: MixtureRule;
  /** Type of a joined projection of queries, keys and values. */
  readonly joined?: BlockFormatId;
  readonly attentionOutput?: MixtureRule;
  readonly down?: MixtureRule;
  /** Of models with eight experts, in the place of `attentionOutput`. */
  readonly attentionOutputOfEight?: MixtureRule;
  /** Whether llama-quantize makes it only with importance. */
  readonly needsImportance?: boolean;
}

type Where = (block: number, model: MixedModel) => boolean;

const always: Where = () => true;
/** First block of n parts. */
const firstPart =
  (parts: number): Where =>
  (block, { blocks }) =>
    block < Math.floor(blocks / parts);
const firstBlocks =
  (count: number): Where =>
  (block) =>
    block < count;
/** Four or more heads that share keys and values: these weights are few. */
const grouped: Where = (_, { heads, kvHeads }) => heads / kvHeads >= 4;
/** The first and the last eighth, and every third block between. */
const moreBits: Where = (block, { blocks }) => {
  const eighth = Math.floor(blocks / 8);
  return block < eighth || block >= Math.floor((7 * blocks) / 8) || (block - eighth) % 3 === 2;
};
const importantFirst: Where = (block, model) => model.importance && firstPart(8)(block, model);

function give(
  where: Where,
  type: BlockFormatId,
  otherwise: BlockFormatId | null = null,
): MixtureRule {
  return (block, model) => (where(block, model) ? type : otherwise);
}

const fiveBits = give(always, "q5_k");

/**
 * Mixtures by name. A weight that no rule names has the usual type; the head has Q6_K or, of Q8_0,
 * Q8_0. Source: `llama_tensor_get_type_impl` of llama-quant.cpp, ggml-org/llama.cpp.
 */
export const mixtures: readonly Mixture[] = [
  {
    name: "Q2_K",
    usual: "q2_k",
    values: give(grouped, "q4_k", "q3_k"),
    attentionOutput: give(always, "q3_k"),
    attentionOutputOfEight: fiveBits,
    down: give(always, "q3_k"),
  },
  {
    name: "Q2_K_S",
    usual: "q2_k",
    values: give(grouped, "q4_k"),
    down: give(firstPart(8), "q4_k"),
    needsImportance: true,
  },
  { name: "Q3_K_S", usual: "q3_k", attentionOutputOfEight: fiveBits },
  {
    name: "Q3_K_M",
    usual: "q3_k",
    joined: "q4_k",
    values: give(firstBlocks(2), "q5_k", "q4_k"),
    attentionOutput: give(always, "q4_k"),
    attentionOutputOfEight: fiveBits,
    down: give(firstPart(16), "q5_k", "q4_k"),
  },
  {
    name: "Q3_K_L",
    usual: "q3_k",
    joined: "q4_k",
    values: fiveBits,
    attentionOutput: fiveBits,
    down: fiveBits,
  },
  {
    name: "Q4_K_S",
    usual: "q4_k",
    values: give(firstBlocks(4), "q5_k"),
    attentionOutputOfEight: fiveBits,
    down: give(firstPart(8), "q5_k"),
  },
  {
    name: "Q4_K_M",
    usual: "q4_k",
    joined: "q5_k",
    values: give(moreBits, "q6_k"),
    attentionOutputOfEight: fiveBits,
    down: give(moreBits, "q6_k"),
  },
  { name: "Q5_K_S", usual: "q5_k" },
  {
    name: "Q5_K_M",
    usual: "q5_k",
    joined: "q6_k",
    values: give(moreBits, "q6_k"),
    down: give(moreBits, "q6_k"),
  },
  { name: "Q6_K", usual: "q6_k" },
  { name: "Q4_0", usual: "q4_0", down: give(importantFirst, "q4_1") },
  { name: "Q4_1", usual: "q4_1" },
  { name: "Q5_0", usual: "q5_0", down: give(importantFirst, "q5_1") },
  { name: "Q5_1", usual: "q5_1" },
  { name: "Q8_0", usual: "q8_0" },
  { name: "TQ1_0", usual: "tq1_0", embedding: "q4_k" },
  { name: "TQ2_0", usual: "tq2_0", embedding: "q4_k" },
  { name: "Q1_0", usual: "q1_0" },
  { name: "Q2_0", usual: "q2_0", embedding: "q4_k" },
  { name: "F16", usual: "f16" },
  { name: "BF16", usual: "bf16" },
];

const byName: ReadonlyMap<string, Mixture> = new Map(
  mixtures.map((mixture) => [mixture.name, mixture]),
);

/** Returns the mixture of a name, which is in upper case; undefined when there is none. */
export function findMixture(name: string): Mixture | undefined {
  return byName.get(name);
}
