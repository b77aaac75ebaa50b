import { z } from "zod";
import { FormatError } from "../util/errors.ts";

/** Experts of blocks that are mixtures. */
export interface ExpertConfig {
  /** How many a block has. */
  readonly count: number;
  /** How many a token goes to. */
  readonly used: number;
  /** Width of an expert's MLP. */
  readonly intermediateSize: number;
  /** Width of the MLP that every token goes to besides; null where there is none. */
  readonly sharedSize: number | null;
  /** Whether the weights of a token's experts sum to 1. */
  readonly normalized: boolean;
}

/** The three layers of an MLP with a gate. */
export interface MlpNames {
  readonly gate: string;
  readonly up: string;
  readonly down: string;
}

/** What the parts of a mixture are called, by names below the block. */
export interface ExpertNames {
  /** What sends tokens to experts. */
  readonly router: string;
  /** In front of the names of experts: expert i is `experts.i`. */
  readonly experts: string;
  /** Layers of an expert, by names below it. */
  readonly layers: MlpNames;
  /** Layers of the MLP that every token goes to. */
  readonly shared?: MlpNames;
  /** What says how much of that is added, token by token. */
  readonly sharedGate?: string;
}

/**
 * What transformers 5 calls the experts of a block where it keeps them in two tensors, and what
 * sends tokens to them, in every family: `[experts, 2 · width, hidden]`, the rows of gates in front,
 * and `[experts, hidden, width]`.
 */
export const fusedNames = {
  gateUp: "mlp.experts.gate_up_proj",
  down: "mlp.experts.down_proj",
  router: "mlp.gate.weight",
} as const;

const mlpNames = { gate: "gate_proj", up: "up_proj", down: "down_proj" } as const;

/** Names of mixtures in Qwen's models, and in those that came after them. */
export const qwenExpertNames: ExpertNames = {
  router: "mlp.gate",
  experts: "mlp.experts",
  layers: mlpNames,
};

/** The same, with an MLP for every token besides. */
export const sharedExpertNames: ExpertNames = {
  ...qwenExpertNames,
  shared: {
    gate: "mlp.shared_expert.gate_proj",
    up: "mlp.shared_expert.up_proj",
    down: "mlp.shared_expert.down_proj",
  },
  sharedGate: "mlp.shared_expert_gate",
};

const count = z.number().int().positive();

/** Fields of config.json that say which blocks are mixtures. */
export const sparseFields = {
  decoder_sparse_step: count.default(1),
  mlp_only_layers: z.array(z.number().int()).nullish(),
};

/** Lets those blocks be mixtures that the fields name: every so manieth but for a few. */
export function sparseLayers<T extends object>(
  layers: readonly T[],
  fields: { decoder_sparse_step: number; mlp_only_layers?: readonly number[] | null | undefined },
): (T & { readonly sparse: boolean })[] {
  const dense = new Set(fields.mlp_only_layers ?? []);
  return layers.map((layer, index) => ({
    ...layer,
    sparse: !dense.has(index) && (index + 1) % fields.decoder_sparse_step === 0,
  }));
}

/** Many more experts than any model has in a block: more would only fill the memory with names. */
const mostExperts = 10_000;

/**
 * Checks that a token can go to as many experts as it should.
 * @throws FormatError when a block has fewer, or more than any model has
 */
export function expectExperts(experts: ExpertConfig): ExpertConfig {
  if (experts.count > mostExperts) {
    throw new FormatError(
      `config.json: a block has ${experts.count} experts, expected at most ${mostExperts}`,
    );
  }
  if (experts.used <= experts.count) return experts;
  throw new FormatError(
    `config.json: num_experts_per_tok is ${experts.used}, but a block has ${experts.count} experts`,
  );
}
