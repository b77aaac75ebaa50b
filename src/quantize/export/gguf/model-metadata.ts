import type { GgufValue } from "../../../formats/gguf/gguf-metadata.ts";
import type { DecoderConfig } from "../../../models/decoder-config.ts";
import {
  attentionScale,
  inverseFrequencies,
  type RopeConfig,
  type YarnRopeScaling,
} from "../../../nn/rope.ts";
import { UnsupportedError } from "../../../util/errors.ts";

/** What llama.cpp has to be told of a model, besides its tensors' names and shapes. */
export interface ModelMetadata {
  readonly entries: ReadonlyMap<string, GgufValue>;
  /** What `rope_freqs.weight` divides the frequencies by, `[headDim / 2]`; null without scaling. */
  readonly ropeFactors: Float32Array | null;
  /** Where llama.cpp computes otherwise than the model, a sentence each. */
  readonly notices: readonly string[];
}

/**
 * Describes a decoder under the keys of its architecture.
 * Source: docs/gguf.md of ggml-org/ggml, `set_gguf_parameters` of llama.cpp's converter.
 * @param architecture `general.architecture`: `llama`, `qwen2`, ...
 * @throws UnsupportedError for what the architecture cannot compute there
 */
export function modelMetadata(config: DecoderConfig, architecture: string): ModelMetadata {
  expectComputed(config, architecture);
  const { headDim } = config;
  const rope = oneRotation(config);
  const values: readonly (readonly [string, GgufValue])[] = [
    ["vocab_size", count(config.vocabularySize)],
    ["context_length", count(config.contextLength)],
    ["embedding_length", count(config.hiddenSize)],
    ["block_count", count(config.layers.length)],
    ["feed_forward_length", count(config.intermediateSize)],
    ["attention.head_count", count(config.heads)],
    ["attention.head_count_kv", count(config.kvHeads)],
    ["attention.key_length", count(headDim)],
    ["attention.value_length", count(headDim)],
    ["attention.layer_norm_rms_epsilon", float(config.norm.eps)],
    ["rope.dimension_count", count(headDim)],
    ["rope.freq_base", float(rope.theta)],
    ...ropeScaling(rope),
    ...slidingWindow(config),
  ];
  const named = values.map(([key, value]) => [`${architecture}.${key}`, value] as const);
  return {
    entries: new Map(named),
    ropeFactors: rope.scaling?.kind === "llama3" ? frequencyFactors(rope) : null,
    notices: [...windowNotices(config), ...ropeNotices(rope)],
  };
}

/** Not computed by llama.cpp in these architectures, but read again by fewbit. */
function slidingWindow({ layers }: DecoderConfig): (readonly [string, GgufValue])[] {
  const window = layers.find((layer) => layer.window !== null)?.window ?? null;
  if (window === null) return [];
  const slides = Uint8Array.from(layers, (layer) => (layer.window === null ? 0 : 1));
  const pattern = {
    type: "array",
    elements: "bool",
    length: slides.length,
    values: slides,
  } as const;
  return [
    ["attention.sliding_window", count(window)],
    ...(slides.includes(0) ? [["attention.sliding_window_pattern", pattern] as const] : []),
  ];
}

function ropeScaling({ scaling }: RopeConfig): (readonly [string, GgufValue])[] {
  if (scaling?.kind === "linear") {
    return [
      ["rope.scaling.type", { type: "string", value: "linear" }],
      ["rope.scaling.factor", float(scaling.factor)],
    ];
  }
  if (scaling?.kind !== "yarn") return [];
  return [
    ["rope.scaling.type", { type: "string", value: "yarn" }],
    ["rope.scaling.factor", float(scaling.factor)],
    ["rope.scaling.original_context_length", count(scaling.originalContext)],
    ["rope.scaling.attn_factor", float(yarnAttentionFactor(scaling))],
    ["rope.scaling.yarn_beta_fast", float(scaling.fastRotations)],
    ["rope.scaling.yarn_beta_slow", float(scaling.slowRotations)],
  ];
}

/** What is left of the scale of cosines and sines: llama.cpp multiplies by the paper's factor. */
function yarnAttentionFactor(scaling: YarnRopeScaling): number {
  const { factor } = scaling;
  const own = factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1;
  return attentionScale({ theta: 1, headDim: 2, scaling }) / own;
}

/** Frequencies as they were over frequencies as they are scaled. */
function frequencyFactors(rope: RopeConfig): Float32Array {
  const { theta, headDim } = rope;
  const scaled = inverseFrequencies(rope);
  return inverseFrequencies({ theta, headDim }).map((frequency, i) => frequency / scaled[i]);
}

/** @throws UnsupportedError for what the architecture cannot compute in llama.cpp */
function expectComputed(config: DecoderConfig, architecture: string): void {
  const { activation, layers, modelType } = config;
  if (activation !== "silu") {
    throw new UnsupportedError(
      `llama.cpp has no ${architecture} model whose gate is ${activation}: it computes silu`,
      { hint: "use the checkpoint with fewbit as it is, or export it with `format: hf`" },
    );
  }
  const rotates = (index: number): boolean =>
    architecture !== "smollm3" || (index + 1) % noRopeInterval !== 0;
  const other = layers.findIndex(({ rope }, index) => (rope !== null) !== rotates(index));
  if (other < 0) return;
  throw new UnsupportedError(
    `block ${other} ${layers[other].rope ? "is" : "is not"} rotated by positions, which ` +
      `llama.cpp does not compute: in its ${architecture} models ` +
      (architecture === "smollm3" ? `every fourth block is not rotated` : "all are rotated"),
    {
      hint: `use the ${modelType} checkpoint with fewbit as it is`,
    },
  );
}

/**
 * Returns the rotation of all blocks that have one.
 * @throws UnsupportedError where they are not rotated alike, or none is
 */
function oneRotation({ layers, modelType }: DecoderConfig): RopeConfig {
  const [rope, ...others] = new Set(layers.flatMap((layer) => layer.rope ?? []));
  if (rope && others.length === 0) return rope;
  throw new UnsupportedError(
    `GGUF files of a ${modelType} are not written: its blocks are ` +
      (rope ? "rotated in several ways" : "not rotated"),
    { hint: "use the checkpoint with fewbit as it is, or export it with `format: hf`" },
  );
}

/** Every such block of a SmolLM3 has no positions in llama.cpp, whatever the configuration says. */
const noRopeInterval = 4;

function windowNotices({ layers, contextLength }: DecoderConfig): string[] {
  const windows = layers.flatMap(({ window }) => window ?? []);
  const narrowest = Math.min(...windows);
  if (windows.length === 0 || narrowest >= contextLength) return [];
  return [
    `in ${windows.length} of ${layers.length} blocks a token sees ${narrowest} tokens; llama.cpp ` +
      "lets it see all before it, and gives other results beyond that",
  ];
}

function ropeNotices({ scaling }: RopeConfig): string[] {
  if (scaling?.kind === "dynamic") {
    return [`positions are scaled beyond ${scaling.context} tokens (dynamic), not in llama.cpp`];
  }
  if (scaling?.kind !== "yarn" || scaling.wholeChannels) return [];
  return ["llama.cpp rounds the bounds of YaRN to whole channels, the model does not (truncate)"];
}

function count(value: number): GgufValue {
  return { type: "u32", value };
}

function float(value: number): GgufValue {
  return { type: "f32", value };
}
