import type { JsonRecord } from "../../../util/json.ts";
import type { DecoderConfig } from "../../../models/decoder-config.ts";
import { cacheNames } from "./cache-names.ts";
import type { ComputeType } from "./matrix-plan.ts";
import type { TensorPlan } from "./tensor-plans.ts";

/** How transformers.js calls what a model is made of, and what it adds to names of files. */
export interface FileNaming {
  /** The `dtype` of transformers.js. */
  readonly dtype: string;
  /** Name of the model below the folder `onnx`. */
  readonly model: string;
}

/** Names by the bits of most weights (16: floats) and what is computed in. */
const namings: Readonly<Record<ComputeType, Readonly<Record<number, [string, string]>>>> = {
  f32: { 2: ["q2", "_q2"], 4: ["q4", "_q4"], 8: ["q8", "_quantized"], 16: ["fp32", ""] },
  f16: {
    2: ["q2f16", "_q2f16"],
    4: ["q4f16", "_q4f16"],
    // transformers.js has one name for 8 bits, whatever is computed in.
    8: ["q8", "_quantized"],
    16: ["fp16", "_fp16"],
  },
};

/** Names the model's file after the bits of most of its linear layers. */
export function fileNaming(plans: Iterable<TensorPlan>, compute: ComputeType): FileNaming {
  const counts = new Map<number, number>();
  let [bits, most] = [16, 0];
  for (const { stored, shape } of plans) {
    if (stored.kind !== "packed") continue;
    const count = (counts.get(stored.bits) ?? 0) + shape[0] * shape[1];
    counts.set(stored.bits, count);
    if (count > most) [bits, most] = [stored.bits, count];
  }
  const [dtype, suffix] = namings[compute][bits];
  return { dtype, model: `model${suffix}.onnx` };
}

/**
 * The config.json of an export: that of the model, and what transformers.js is to load by default.
 * @param files number of files of weights beside the model
 */
export function transformersJsConfig(
  config: JsonRecord,
  { dtype, model }: FileNaming,
  compute: ComputeType,
  files: number,
): JsonRecord {
  const { quantization_config: _, ...plain } = config;
  return {
    ...plain,
    "transformers.js_config": {
      dtype,
      use_external_data_format: { [model]: files },
      // Version 3 asks; later ones read it from the model.
      ...(compute === "f16" && { kv_cache_dtype: { [dtype]: "float16" } }),
    },
  };
}

/** Model types that onnxruntime-genai knows by name; any other decoder is a `decoder` to it. */
const genaiTypes: ReadonlySet<string> = new Set([
  "gemma",
  "gemma2",
  "gemma3_text",
  "granite",
  "llama",
  "mistral",
  "nemotron",
  "olmo",
  "phi",
  "phi3",
  "qwen2",
  "qwen3",
  "smollm3",
]);

/** What the small files of a model say that its runtimes need. */
export interface ModelSettings {
  readonly config: JsonRecord;
  /** generation_config.json; empty where there is none. */
  readonly generation: JsonRecord;
}

/** The genai_config.json of onnxruntime-genai. */
export function genaiConfig(
  decoder: DecoderConfig,
  model: string,
  { config, generation }: ModelSettings,
): JsonRecord {
  const token = (field: string): unknown => generation[field] ?? config[field];
  const [end] = [token("eos_token_id")].flat();
  const tokens = {
    bos_token_id: token("bos_token_id") ?? undefined,
    eos_token_id: token("eos_token_id") ?? undefined,
    pad_token_id: token("pad_token_id") ?? end ?? undefined,
  };
  return {
    model: {
      type: genaiTypes.has(decoder.modelType) ? decoder.modelType : "decoder",
      ...tokens,
      context_length: decoder.contextLength,
      vocab_size: decoder.vocabularySize,
      decoder: genaiDecoder(decoder, model),
    },
    search: genaiSearch(decoder, generation),
  };
}

function genaiDecoder(decoder: DecoderConfig, model: string): JsonRecord {
  return {
    session_options: { log_id: "onnxruntime-genai", provider_options: [] },
    filename: `onnx/${model}`,
    head_size: decoder.headDim,
    hidden_size: decoder.hiddenSize,
    num_attention_heads: decoder.heads,
    num_hidden_layers: decoder.layers.length,
    num_key_value_heads: decoder.kvHeads,
    inputs: {
      input_ids: "input_ids",
      attention_mask: "attention_mask",
      past_key_names: cacheNames.past("%d", "key"),
      past_value_names: cacheNames.past("%d", "value"),
    },
    outputs: {
      logits: "logits",
      present_key_names: cacheNames.present("%d", "key"),
      present_value_names: cacheNames.present("%d", "value"),
    },
  };
}

function genaiSearch({ contextLength }: DecoderConfig, generation: JsonRecord): JsonRecord {
  const { do_sample, temperature, top_k, top_p, repetition_penalty } = generation;
  return {
    do_sample: do_sample ?? false,
    max_length: contextLength,
    min_length: 0,
    num_beams: 1,
    num_return_sequences: 1,
    past_present_share_buffer: false,
    repetition_penalty: repetition_penalty ?? 1,
    temperature: temperature ?? 1,
    top_k: top_k ?? 50,
    top_p: top_p ?? 1,
  };
}
