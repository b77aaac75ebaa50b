import type { JsonRecord } from "../util/json.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import type { WeightSource } from "../nn/weight-source.ts";
import { CheckpointWeights } from "../formats/checkpoint-weights.ts";
import { UsageError } from "../util/errors.ts";
import { InitialWeights } from "./initial-weights.ts";
import type { TrainingData } from "./prepare-data.ts";
import type { PretrainJob } from "./pretrain-job.ts";
import { decoderConfigOf, type ModelShape, modelJson } from "./pretrain-config.ts";

/** A model before its first step. */
export interface StartModel {
  /** Its `config.json`. */
  readonly json: JsonRecord;
  readonly config: DecoderConfig;
  readonly weights: WeightSource;
}

/** Describes the model that a training begins with: a new one, or a checkpoint. */
export function startModel(job: PretrainJob, { tokenizer }: TrainingData): StartModel {
  const { config, opened, options } = job;
  const { backend } = options;
  if (opened) {
    const weights = new CheckpointWeights(backend, opened.checkpoint, "float32");
    return { json: opened.checkpoint.config, config: opened.config, weights };
  }
  const shape = config.model as ModelShape;
  const vocabularySize = vocabularyOf(job, shape, tokenizer.vocabularySize);
  const decoder = decoderConfigOf(shape, vocabularySize);
  const deviation = shape.initializer_range;
  return {
    json: modelJson(shape, vocabularySize),
    config: decoder,
    weights: new InitialWeights(backend, decoder, config.seed, deviation),
  };
}

/** @throws UsageError when the tokenizer has more tokens than the model */
function vocabularyOf(
  { config, options }: PretrainJob,
  { vocab_size: asked }: ModelShape,
  tokens: number,
): number {
  if (asked === undefined || asked === tokens) return tokens;
  if (typeof config.tokenizer === "string") {
    if (tokens < asked) return asked;
    throw new UsageError(`the tokenizer has ${tokens} tokens, more than the model's ${asked}`, {
      hint: "leave out model.vocab_size, or give at least as many",
    });
  }
  const message =
    `the text gave a tokenizer of ${tokens} tokens, not ${asked}: the model has as ` + "many";
  options.emit({ type: "notice", message });
  return tokens;
}
