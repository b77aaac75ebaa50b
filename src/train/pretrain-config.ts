import { z } from "zod";
import { momentDTypes } from "../training/adamw.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { readModelConfig } from "../models/index.ts";
import { FewbitError, UsageError } from "../util/errors.ts";
import { type Field, fieldsIn, fieldsOf } from "../util/fields.ts";
import { byteSize } from "../util/byte-size.ts";
import { parseValue } from "../util/parse-value.ts";

const count = z.int().positive();
const share = z.number().min(0).max(1);
const text = z.string().min(1);
const field = fieldsIn("What to do:");
const ofTraining = fieldsIn("How long and how:");

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

/** A byte-level BPE tokenizer to learn from the training text; its size is `vocab_size`. */
const tokenizerSchema = z.strictObject({
  bosToken: text.default("<s>"),
  eosToken: text.default("</s>"),
  specialTokens: z.array(text).default([]),
  digits: z.enum(["runs", "single"]).default("runs"),
  minFrequency: count.default(2),
});

const dataSchema = z.strictObject({
  /** Documents are split by `<|doc|>` lines; JSON has one a line or an item, in the field `text`. */
  files: field(z.array(text).default([]), "Training text or JSONL", {
    flag: "text",
    unit: "file",
    common: true,
  }),
  /**
   * `separate`: each document has the start token in front and the end token behind it (default).
   * `joined`: the documents of a file are one text with the start token at its very start, as
   * calibration and evaluation read it.
   */
  documents: z.enum(["separate", "joined"]).default("separate"),
  window: ofTraining(z.int().min(2).optional(), "Tokens a window", {
    unit: "tokens",
    otherwise: "256, or the context",
    common: true,
  }),
  /** Tokens from the beginning of a window to the next; the window's length unless given. */
  stride: count.optional(),
  batch: ofTraining(count.default(8), "Windows a micro-batch", { unit: "n", common: true }),
  order: z.enum(["shuffled", "random", "sequential"]).default("shuffled"),
});

const optimizerSchema = z.strictObject({
  accumulation: ofTraining(count.default(1), "Micro-batches a step", { unit: "n" }),
  learningRate: ofTraining(z.number().positive().optional(), "Largest learning rate", {
    unit: "x",
    otherwise: "0.001; of a model that was trained before 0.0001",
    common: true,
  }),
  betas: z.tuple([share, share]).default([0.9, 0.95]),
  epsilon: z.number().positive().default(1e-8),
  moments: ofTraining(
    z.enum(momentDTypes).default("f32"),
    "How moments are kept; bf16: rounded stochastically, in half the memory",
  ),
  /** Of matrices; norms and biases are not decayed. */
  weightDecay: z.number().min(0).default(0.1),
  /** Steps of warm-up, or a share of the run below 1. */
  warmUp: z.number().min(0).default(0.02),
  schedule: z.enum(["constant", "linear", "cosine"]).default("cosine"),
  /** Learning rate at the end, as a share of the largest. */
  finalRatio: share.default(0.1),
  /** Largest norm of all gradients together; null does not clip. */
  clip: z.number().positive().nullable().default(1),
});

const validationSchema = z.strictObject({
  files: field(z.array(text).min(1), "Text to measure the loss on meanwhile", {
    flag: "validation",
    unit: "file",
    common: true,
  }),
  /** Steps between two measurements; a tenth of the run unless given. */
  every: count.optional(),
  /** Windows that are measured at most. */
  windows: count.default(64),
});

/** What is trained, on what, and how: the file that `fewbit train` reads. */
export const trainConfigSchema = z.strictObject({
  /** Shape of a new model; without it `from` names a model to train further. */
  model: modelSchema.optional(),
  /** How a tokenizer is learned, or its folder. A model trained further brings its own. */
  tokenizer: z.union([text, tokenizerSchema]).optional(),
  data: dataSchema.default(() => dataSchema.parse({})),
  validation: validationSchema.optional(),
  from: field(text.optional(), "Train this checkpoint further, in place of a new model", {
    unit: "model",
    common: true,
  }),
  // One of three.
  steps: ofTraining(count.optional(), "Steps of the optimizer", { unit: "n", common: true }),
  tokens: ofTraining(count.optional(), "Tokens to train on, in place of steps", { unit: "n" }),
  epochs: ofTraining(z.number().positive().optional(), "Passes through the text", {
    unit: "n",
    otherwise: "1",
    common: true,
  }),
  optimizer: optimizerSchema.default(() => optimizerSchema.parse({})),
  // `auto` takes bf16 where the machine multiplies it faster.
  precision: ofTraining(z.enum(["auto", "f32", "bf16"]).default("auto"), "Of products of matrices"),
  memory: ofTraining(
    byteSize.optional(),
    "Most memory to use: windows at once and recomputation are chosen by it",
    { unit: "size", otherwise: "what is free" },
  ),
  windowsAtOnce: ofTraining(
    count.optional(),
    "Windows of a micro-batch in memory at once, to the same result",
    { unit: "n", otherwise: "all" },
  ),
  recompute: ofTraining(
    z.boolean().default(false),
    "Compute activations again instead of keeping them: less memory",
  ),
  dtype: ofTraining(z.enum(["bf16", "f16", "f32"]).default("bf16"), "Of the stored weights"),
  seed: ofTraining(z.int().nonnegative().default(0), "Seed of weights and batches", { unit: "n" }),
  checkpointEvery: ofTraining(count.optional(), "Steps between two kept states", {
    unit: "n",
    otherwise: "a twentieth of the run, at most 500",
  }),
});

/** The fields of a training that a command line can say. */
export const trainFields: readonly Field[] = fieldsOf(trainConfigSchema);

/** A training as a user writes it. */
export type TrainConfigInput = z.input<typeof trainConfigSchema>;
/** A training with its defaults filled in. */
export type TrainConfig = z.output<typeof trainConfigSchema>;
/** Shape of a new model. */
export type ModelShape = z.output<typeof modelSchema>;

/** Fills in defaults and checks all that needs no files. @throws UsageError that names the field */
export function parseTrainConfig(input: unknown): TrainConfig {
  const config = parseValue(
    trainConfigSchema,
    input,
    ({ text, ...fault }) => new UsageError(`the training configuration: ${text}`, fault),
  );
  const { model, from, data } = config;
  if ((model === undefined) === (from === undefined)) {
    throw new UsageError(
      model ? "a new model and a model to train further were given" : "no model was given",
      {
        hint: 'give "model" with the shape of a new one, or "from" with a checkpoint, not both',
        field: "from",
        value: from,
      },
    );
  }
  if (from !== undefined && config.tokenizer !== undefined) {
    throw new UsageError("a model that is trained further brings its own tokenizer", {
      hint: 'leave out "tokenizer"',
      field: "tokenizer",
      value: config.tokenizer,
    });
  }
  const lengths = (["steps", "tokens", "epochs"] as const).filter((key) => config[key]);
  if (lengths.length > 1) {
    throw new UsageError(`the length of the run is given twice: ${lengths.join(" and ")}`, {
      hint: "leave one of them out",
      field: lengths[1],
      value: config[lengths[1]],
    });
  }
  if (data.files.length === 0) {
    throw new UsageError("no training text was given", {
      hint: "name files with `data.files`",
      field: "data.files",
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
