import { longRopeScale } from "../../nn/rope.ts";
import { FormatError, UnsupportedError } from "../../util/errors.ts";
import { shortestFloat } from "../../util/shortest-float.ts";
import type { JsonRecord } from "../../util/json.ts";
import type { GgufFamily, GgufModelSource, LongFactors } from "./gguf-family.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";
import { fitLlama3Scaling } from "./llama3-scaling.ts";
import { ropeFactorsName } from "./tensor-names.ts";

/** Base of the wavelengths that llama.cpp takes where a file states none. */
const usualTheta = 10_000;

/**
 * Writes how positions become rotations: `rope_theta` and, where it is scaled, `rope_scaling`.
 * @throws UnsupportedError for kinds of scaling that fewbit does not compute
 * @throws FormatError when a key is of another type
 */
export function ropeFields(
  { metadata, family, ropeFactors, longFactors }: GgufModelSource,
  headDim: number,
): JsonRecord {
  const at = (key: string) => `${family.gguf.architecture}.rope.${key}`;
  const theta = metadata.number(at("freq_base")) ?? usualTheta;
  const rotated = metadata.count(at("dimension_count")) ?? headDim;
  const share = { partial_rotary_factor: rotatedShare(rotated, headDim) };
  const rest = (family.gguf.partlyRotated || rotated !== headDim) && share;
  if (longFactors)
    return { rope_theta: theta, ...longScaling(metadata, family, longFactors), ...rest };
  const scaling = statedScaling(metadata, at);
  if (ropeFactors && scaling) {
    throw new UnsupportedError(
      `${metadata.source}: rotations are scaled both by ${at("scaling.type")} and by the tensor ` +
        `${ropeFactorsName}, which is not supported`,
    );
  }
  const factors = ropeFactors && readFactors(metadata, ropeFactors, theta, headDim);
  const scaled = scaling ?? factors;
  const stated = family.gguf.sectioned ? withSections(metadata, at, scaled) : scaled;
  return { rope_theta: theta, ...(stated && { rope_scaling: stated }), ...rest };
}

/** What rotates pairs of channels by time, row and column; llama.cpp has a fourth, unused count. */
function withSections(
  metadata: GgufMetadata,
  at: (key: string) => string,
  scaled: JsonRecord | null,
): JsonRecord {
  const key = at("dimension_sections");
  const sections = metadata.numbers(key) ?? metadata.missing(key);
  return { ...(scaled ?? { type: "mrope" }), mrope_section: Array.from(sections).slice(0, 3) };
}

/** The share of a head of which so many channels are rotated, whatever it is rounded to. */
function rotatedShare(rotated: number, headDim: number): number {
  const share = rotated / headDim;
  return Math.floor(share * headDim) === rotated ? share : (rotated + 0.5) / headDim;
}

/** LongRoPE, whose factors are tensors of the file. */
function longScaling(
  metadata: GgufMetadata,
  { gguf: { architecture } }: GgufFamily,
  { short, long }: LongFactors,
): JsonRecord {
  const key = `${architecture}.rope.scaling.original_context_length`;
  const original = metadata.count(key) ?? metadata.missing(key);
  const context = metadata.count(`${architecture}.context_length`) ?? original;
  const stated = metadata.number(`${architecture}.rope.scaling.attn_factor`) ?? 1;
  const usual = longRopeScale(context / original, original);
  return {
    original_max_position_embeddings: original,
    rope_scaling: {
      type: "longrope",
      short_factor: Array.from(short, shortestFloat),
      long_factor: Array.from(long, shortestFloat),
      ...(Math.abs(stated / usual - 1) > 1e-6 && { attention_factor: stated }),
    },
  };
}

/** What the metadata says of scaling, null where there is none; llama.cpp's defaults. */
function statedScaling(metadata: GgufMetadata, at: (key: string) => string): JsonRecord | null {
  const factor = metadata.number(at("scaling.factor")) ?? metadata.number(at("scale_linear")) ?? 0;
  const type = metadata.string(at("scaling.type")) ?? "linear";
  switch (type) {
    case "none":
      return null;
    case "linear":
      return factor === 0 || factor === 1 ? null : { rope_type: "linear", factor };
    case "yarn":
      return yarnScaling(metadata, at, factor === 0 ? 1 : factor);
    default:
      throw new UnsupportedError(
        `${metadata.source}: rotations of the type "${type}" are not supported`,
        {
          hint: "supported: linear, yarn, and those of Llama 3",
        },
      );
  }
}

function yarnScaling(
  metadata: GgufMetadata,
  at: (key: string) => string,
  factor: number,
): JsonRecord {
  const share = metadata.number(at("scaling.yarn_ext_factor")) ?? 1;
  if (share !== 1 && share !== -1) {
    throw new UnsupportedError(
      `${metadata.source}: ${at("scaling.yarn_ext_factor")} ${share} is not supported, only 1`,
    );
  }
  const original = metadata.count(at("scaling.original_context_length"));
  const fast = metadata.number(at("scaling.yarn_beta_fast"));
  const slow = metadata.number(at("scaling.yarn_beta_slow"));
  const attention =
    metadata.number(at("scaling.yarn_attn_factor")) ?? metadata.number(at("scaling.attn_factor"));
  return {
    rope_type: "yarn",
    factor,
    ...(original !== null && { original_max_position_embeddings: original }),
    ...(fast !== null && { beta_fast: fast }),
    ...(slow !== null && { beta_slow: slow }),
    // llama.cpp multiplies its own factor by what the file states.
    ...(attention !== null && { attention_factor: attention * (1 + 0.1 * Math.log(factor)) }),
  };
}

/** Turns the divisors of the frequencies back into the fields that they were computed from. */
function readFactors(
  { source }: GgufMetadata,
  factors: Float32Array,
  theta: number,
  headDim: number,
): JsonRecord | null {
  if (factors.length !== headDim / 2) {
    throw new FormatError(
      `${source}: ${ropeFactorsName} has ${factors.length} values, expected ${headDim / 2}`,
    );
  }
  if (factors.every((factor) => factor === 1)) return null;
  const fitted = fitLlama3Scaling(factors, theta);
  if (fitted) return { rope_type: "llama3", ...fitted };
  throw new UnsupportedError(
    `${source}: the rotations are scaled by ${ropeFactorsName} in another way than Llama 3 scales ` +
      "them, which is not supported",
    { hint: "take the model's Hugging Face checkpoint" },
  );
}
