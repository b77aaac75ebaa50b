import type { GgufValue } from "../../../formats/gguf/gguf-metadata.ts";
import { longFactorsNames, ropeFactorsName } from "../../../formats/gguf/tensor-names.ts";
import type { GgufTraits } from "../../../models/architecture.ts";
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
  /** Tensors that the frequencies are divided by, `[rotated / 2]`, by name. */
  readonly ropeFactors: ReadonlyMap<string, Float32Array>;
  /** Where llama.cpp computes otherwise than the model, a sentence each. */
  readonly notices: readonly string[];
}

/**
 * Describes a decoder under the keys of its architecture.
 * Source: docs/gguf.md of ggml-org/ggml, `set_gguf_parameters` of llama.cpp's converter.
 * @throws UnsupportedError for what the architecture cannot compute there
 */
export function modelMetadata(config: DecoderConfig, traits: GgufTraits): ModelMetadata {
  const { headDim, norm } = config;
  const rope = mainRotation(config, traits);
  const eps = norm.kind === "rms" ? "layer_norm_rms_epsilon" : "layer_norm_epsilon";
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
    [`attention.${eps}`, float(norm.eps)],
    ...(rope ? rotation(rope) : []),
    ...slidingWindow(config, traits),
    ...expertCounts(config, traits),
    ...positionSections(config),
    ...ownKeys(config, traits),
  ];
  const named = values.map(([key, value]) => [`${traits.architecture}.${key}`, value] as const);
  return {
    entries: new Map(named),
    ropeFactors: new Map(rope ? factorTensors(rope) : []),
    notices: [
      ...(traits.notices ?? []),
      ...(traits.windows ? [] : windowNotices(config)),
      ...(rope ? ropeNotices(rope) : []),
    ],
  };
}

function rotation(rope: RopeConfig): (readonly [string, GgufValue])[] {
  return [
    ["rope.dimension_count", count(rope.rotated ?? rope.headDim)],
    ["rope.freq_base", float(rope.theta)],
    ...ropeScaling(rope),
  ];
}

function ownKeys(config: DecoderConfig, { keys = [] }: GgufTraits) {
  return keys.flatMap(({ key, of }): (readonly [string, GgufValue])[] => {
    const value = of(config);
    if (value === null) return [];
    return [[key, typeof value === "boolean" ? { type: "bool", value } : float(value)]];
  });
}

function expertCounts(
  { experts }: DecoderConfig,
  { experts: fields }: GgufTraits,
): (readonly [string, GgufValue])[] {
  if (!experts || !fields) return [];
  const { sharedSize } = experts;
  return [
    ["expert_count", count(experts.count)],
    ["expert_used_count", count(experts.used)],
    ...(fields.width === "intermediate_size"
      ? []
      : [["expert_feed_forward_length", count(experts.intermediateSize)] as const]),
    ...(sharedSize === null
      ? []
      : [["expert_shared_feed_forward_length", count(sharedSize)] as const]),
  ];
}

/** llama.cpp has a fourth count, of positions that no text and no image has. */
function positionSections({
  positionSections: sections,
}: DecoderConfig): (readonly [string, GgufValue])[] {
  if (!sections) return [];
  const values = Int32Array.from([...sections, 0]);
  const { length } = values;
  return [["rope.dimension_sections", { type: "array", elements: "i32", length, values }]];
}

/** Computed by llama.cpp in some architectures, and read again by fewbit in all that have windows. */
function slidingWindow(
  { layers, contextLength }: DecoderConfig,
  { windows }: GgufTraits,
): (readonly [string, GgufValue])[] {
  const stated = layers.find((layer) => layer.window !== null)?.window ?? null;
  // Where llama.cpp slides unless it is told otherwise, no window is a pattern of none.
  const window = stated ?? (windows ? contextLength : null);
  if (window === null) return [];
  const slides = Uint8Array.from(layers, (layer) => (layer.window === null ? 0 : 1));
  const pattern = {
    type: "array",
    elements: "bool",
    length: slides.length,
    values: slides,
  } as const;
  const isNeeded = windows !== undefined || slides.includes(0);
  return [
    ["attention.sliding_window", count(window)],
    ...(isNeeded ? [["attention.sliding_window_pattern", pattern] as const] : []),
  ];
}

/** Tensors that scale rotations, by their names. */
function factorTensors(rope: RopeConfig): (readonly [string, Float32Array])[] {
  const { scaling } = rope;
  if (scaling?.kind === "llama3") return [[ropeFactorsName, frequencyFactors(rope)]];
  if (scaling?.kind !== "longrope") return [];
  return [
    [longFactorsNames.long, Float32Array.from(scaling.longFactors)],
    [longFactorsNames.short, Float32Array.from(scaling.shortFactors)],
  ];
}

function ropeScaling({ scaling }: RopeConfig): (readonly [string, GgufValue])[] {
  if (scaling?.kind === "linear") {
    return [
      ["rope.scaling.type", { type: "string", value: "linear" }],
      ["rope.scaling.factor", float(scaling.factor)],
    ];
  }
  if (scaling?.kind === "longrope") {
    return [
      ["rope.scaling.type", { type: "string", value: "longrope" }],
      ["rope.scaling.original_context_length", count(scaling.originalContext)],
      ["rope.scaling.attn_factor", float(attentionScale({ theta: 1, headDim: 2, scaling }))],
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

/**
 * Returns the rotation of all blocks that have one; where llama.cpp rotates sliding blocks by a base
 * of their own, that of the others. Null where no block is rotated.
 * @throws UnsupportedError where they are not rotated alike, or as llama.cpp does not scale them
 */
function mainRotation(config: DecoderConfig, { scalings, keys }: GgufTraits): RopeConfig | null {
  const { layers, modelType } = config;
  const ownBase = keys?.some(({ key }) => key === slidingBaseKey) ?? false;
  const full = layers.filter(({ window }) => window === null);
  const main = ownBase && full.length > 0 ? full : layers;
  const [rope = null, ...others] = new Set(main.flatMap((layer) => layer.rope ?? []));
  const kind = rope?.scaling?.kind ?? "linear";
  const isScaled = kind === "dynamic" || (scalings ?? usualScalings).includes(kind);
  if (others.length === 0 && isScaled) return rope;
  throw new UnsupportedError(
    `GGUF files of a ${modelType} are not written: its blocks are rotated ` +
      (others.length > 0
        ? "in several ways"
        : `by ${kind}, which llama.cpp does not compute there`),
    { hint: "use the checkpoint with fewbit as it is, or export it with `format: hf`" },
  );
}

/** The base of sliding blocks, where llama.cpp has one. */
const slidingBaseKey = "rope.freq_base_swa";

/** Scalings that llama.cpp computes in all architectures. */
const usualScalings = ["linear", "yarn"];

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
  if (scaling?.kind === "longrope") {
    return [
      `in contexts that are longer than ${scaling.originalContext} tokens, llama.cpp takes the ` +
        "long factors of positions for short texts, too",
    ];
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
