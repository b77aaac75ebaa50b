import { z } from "zod";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { readModelConfig } from "../models/index.ts";
import { FewbitError, UsageError } from "../util/errors.ts";

const count = z.number().int().positive();
const share = z.number().min(0).max(1);

/** A Llama model to be made, in the names of its `config.json`. */
const modelSchema = z.strictObject({
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  /** As many as attention heads unless given. */
  num_key_value_heads: count.optional(),
  head_dim: count.optional(),
  max_position_embeddings: count.default(512),
  rope_theta: z.number().positive().default(10_000),
  rms_norm_eps: z.number().positive().default(1e-5),
  tie_word_embeddings: z.boolean().default(true),
  /** That of the tokenizer unless given. */
  vocab_size: count.optional(),
  /** Standard deviation of the weights at the start. */
  initializer_range: z.number().positive().default(0.02),
});

/**
 * A byte-level BPE tokenizer to be learned from the training text; its size is the model's
 * `vocab_size`.
 */
const tokenizerSchema = z.strictObject({
  bosToken: z.string().min(1).default("<s>"),
  eosToken: z.string().min(1).default("</s>"),
  specialTokens: z.array(z.string().min(1)).default([]),
  digits: z.enum(["runs", "single"]).default("runs"),
  minFrequency: count.default(2),
});

const dataSchema = z.strictObject({
  /** Text files, in which `<|doc|>` lines part documents, or `.jsonl` with the field `text`. */
  files: z.array(z.string().min(1)).default([]),
  /**
   * `separate`: each document has the start token in front and the end token behind it (default).
   * `joined`: the documents of a file are one text with the start token at its very start, as
   * calibration and evaluation read it.
   */
  documents: z.enum(["separate", "joined"]).default("separate"),
  /** Tokens a window; 256, or the model's context when that is shorter, unless given. */
  window: z.number().int().min(2).optional(),
  /** Tokens from the beginning of a window to the next; the window's length unless given. */
  stride: count.optional(),
  /** Windows a micro-batch. */
  batch: count.default(8),
  order: z.enum(["shuffled", "random", "sequential"]).default("shuffled"),
});

const optimizerSchema = z.strictObject({
  /** 1e-3, or 1e-4 for a model that was trained before, unless given. */
  learningRate: z.number().positive().optional(),
  betas: z.tuple([share, share]).default([0.9, 0.95]),
  epsilon: z.number().positive().default(1e-8),
  /** Of matrices; norms and biases are not decayed. */
  weightDecay: z.number().min(0).default(0.1),
  /** Steps of warm-up, or a share of the run below 1. */
  warmUp: z.number().min(0).default(0.02),
  schedule: z.enum(["constant", "linear", "cosine"]).default("cosine"),
  /** Learning rate at the end, as a share of the largest. */
  finalRatio: share.default(0.1),
  /** Largest norm of all gradients together; null does not clip. */
  clip: z.number().positive().nullable().default(1),
  /** Micro-batches a step. */
  accumulation: count.default(1),
});

const validationSchema = z.strictObject({
  /** Text that is not trained on. */
  files: z.array(z.string().min(1)).min(1),
  /** Steps between two measurements; a tenth of the run unless given. */
  every: count.optional(),
  /** Windows that are measured at most. */
  windows: count.default(64),
});

/** What is trained, on what, and how: the file that `fewbit train` reads. */
export const trainConfigSchema = z.strictObject({
  /** Shape of a new model; without it `from` names a model to train further. */
  model: modelSchema.optional(),
  /** Checkpoint to train further, in place of a new model: a directory, or `hf:owner/name`. */
  from: z.string().min(1).optional(),
  /**
   * How a tokenizer is learned, or the folder to take it from. A model that is trained further
   * brings its own.
   */
  tokenizer: z.union([z.string().min(1), tokenizerSchema]).optional(),
  data: dataSchema.default(() => dataSchema.parse({})),
  /**
   * How long: optimizer steps, tokens, or passes through the text. One of them; one epoch unless
   * given.
   */
  steps: count.optional(),
  tokens: count.optional(),
  epochs: z.number().positive().optional(),
  optimizer: optimizerSchema.default(() => optimizerSchema.parse({})),
  validation: validationSchema.optional(),
  /** How matrices are multiplied: `auto` takes bf16 where the machine multiplies it faster. */
  precision: z.enum(["auto", "f32", "bf16"]).default("auto"),
  /** Compute the activations of a block again in the backward pass, instead of keeping them. */
  recompute: z.boolean().default(false),
  seed: z.number().int().nonnegative().default(0),
  /**
   * Steps between two states that a run can resume from; a twentieth of the run, at most 500,
   * unless given.
   */
  checkpointEvery: count.optional(),
  /** How the trained weights are stored. */
  dtype: z.enum(["bf16", "f16", "f32"]).default("bf16"),
});

/** A training as a user writes it. */
export type TrainConfigInput = z.input<typeof trainConfigSchema>;
/** A training with its defaults filled in. */
export type TrainConfig = z.output<typeof trainConfigSchema>;
/** Shape of a new model. */
export type ModelShape = z.output<typeof modelSchema>;

/**
 * Fills in defaults, and checks a configuration as far as it can be without reading files.
 * @throws UsageError that names the field
 */
export function parseTrainConfig(input: unknown): TrainConfig {
  const result = trainConfigSchema.safeParse(input);
  if (!result.success) throw describeIssue(result.error.issues[0]);
  const config = result.data;
  const { model, from, data } = config;
  if ((model === undefined) === (from === undefined)) {
    throw new UsageError(
      model ? "a new model and a model to train further were given" : "no model was given",
      { hint: 'give "model" with the shape of a new one, or "from" with a checkpoint, not both' },
    );
  }
  if (from !== undefined && config.tokenizer !== undefined) {
    throw new UsageError("a model that is trained further brings its own tokenizer", {
      hint: 'leave out "tokenizer"',
    });
  }
  const lengths = (["steps", "tokens", "epochs"] as const).filter((key) => config[key]);
  if (lengths.length > 1) {
    throw new UsageError(`the length of the run is given twice: ${lengths.join(" and ")}`, {
      hint: "leave one of them out",
    });
  }
  if (data.files.length === 0) {
    throw new UsageError("no training text was given", {
      hint: "name files with --text, or in data.files",
    });
  }
  if (model) decoderConfigOf(model, model.vocab_size ?? 1);
  return config;
}

/** The `config.json` of a new model. */
export function modelJson(model: ModelShape, vocabularySize: number): Record<string, unknown> {
  const { initializer_range, vocab_size: _, ...shape } = model;
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    ...shape,
    num_key_value_heads: model.num_key_value_heads ?? model.num_attention_heads,
    head_dim: model.head_dim ?? model.hidden_size / model.num_attention_heads,
    vocab_size: vocabularySize,
    hidden_act: "silu",
    attention_bias: false,
    mlp_bias: false,
    initializer_range,
    use_cache: true,
  };
}

/** @throws UsageError when the sizes do not fit together */
export function decoderConfigOf(model: ModelShape, vocabularySize: number): DecoderConfig {
  try {
    return readModelConfig(modelJson(model, vocabularySize));
  } catch (error) {
    if (!(error instanceof FewbitError)) throw error;
    throw new UsageError(`model: ${error.message.replace(/^config\.json: /, "")}`, {
      cause: error,
    });
  }
}

function describeIssue(issue: z.core.$ZodIssue): UsageError {
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const field = path ? ` in ${path}` : "";
    return new UsageError(
      `the training configuration has unknown fields${field}: ${issue.keys.join(", ")}`,
      {
        hint: "check their spelling; docs/guide.md lists all fields",
      },
    );
  }
  return new UsageError(`the training configuration: ${path || "document"}: ${issue.message}`);
}
