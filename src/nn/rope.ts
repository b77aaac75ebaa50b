import type { Backend } from "../backend/backend.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UnsupportedError } from "../util/errors.ts";

/** Llama 3's stretching of low frequencies (the `rope_type: "llama3"` of Hugging Face configs). */
export interface Llama3RopeScaling {
  readonly kind: "llama3";
  /** Factor by which the longest wavelengths are stretched. */
  readonly factor: number;
  /** Wavelengths above `originalContext / lowFrequencyFactor` are stretched whole. */
  readonly lowFrequencyFactor: number;
  /** Wavelengths below `originalContext / highFrequencyFactor` stay as they are. */
  readonly highFrequencyFactor: number;
  /** Context length the model was first trained with, in tokens. */
  readonly originalContext: number;
}

/** Positions divided by a factor (position interpolation). Paper: arXiv 2306.15595. */
export interface LinearRopeScaling {
  readonly kind: "linear";
  readonly factor: number;
}

/**
 * YaRN: channels that turn often within the original context stay, those that turn seldom are
 * stretched, those between are blended; cosines and sines are scaled. Paper: arXiv 2309.00071.
 */
export interface YarnRopeScaling {
  readonly kind: "yarn";
  readonly factor: number;
  /** Context length the model was first trained with, in tokens. */
  readonly originalContext: number;
  /** Channels that turn at least as often within the original context stay (paper: beta). */
  readonly fastRotations: number;
  /** Channels that turn at most as often are stretched whole (paper: alpha). */
  readonly slowRotations: number;
  /** Whether the bounds are rounded outwards to whole channels. */
  readonly wholeChannels: boolean;
  /** What cosines and sines are multiplied by; null for the paper's, of the factor. */
  readonly attentionFactor: number | null;
  /** Weights of the logarithm in a quotient of two such factors (DeepSeek); 0 for none. */
  readonly magnitudes: { readonly some: number; readonly all: number };
}

/** NTK scaling that begins beyond the context: up to there positions are used as they are. */
export interface DynamicRopeScaling {
  readonly kind: "dynamic";
  /** Longest sequence that is left as it is, in tokens. */
  readonly context: number;
}

/**
 * LongRoPE: the wavelength of each pair of channels has a factor of its own, one for sequences
 * within the original context, another for longer ones; cosines and sines are scaled. Paper: arXiv
 * 2402.13753.
 */
export interface LongRopeScaling {
  readonly kind: "longrope";
  /** One for each pair of channels that is rotated. */
  readonly shortFactors: readonly number[];
  readonly longFactors: readonly number[];
  /** Longest sequence, in tokens, that takes the short factors. */
  readonly originalContext: number;
  /** By what the context has grown. */
  readonly factor: number;
  /** What cosines and sines are multiplied by; null for the paper's, of the factor. */
  readonly attentionFactor: number | null;
}

/** Ways to make positions reach further than a model was trained for. */
export type RopeScaling =
  | LinearRopeScaling
  | Llama3RopeScaling
  | YarnRopeScaling
  | DynamicRopeScaling
  | LongRopeScaling;

/** How positions become rotations. */
export interface RopeConfig {
  /** Base of the wavelengths. */
  readonly theta: number;
  /** Width of a head. */
  readonly headDim: number;
  /** How many channels of a head are rotated, the first ones; absent means all. */
  readonly rotated?: number;
  /** Whether neighbouring channels are rotated together, not those of the two halves. */
  readonly interleaved?: boolean;
  /** Absent means that positions are used as they are. */
  readonly scaling?: RopeScaling;
}

/**
 * Returns the angle per position of each pair of channels that is rotated, `[rotated / 2]`:
 * `theta^(−2i / rotated)`, scaled; of LongRoPE for sequences of `length` tokens. Rounded to float32
 * at the steps at which PyTorch rounds, because at long contexts the rounding of the frequency
 * shows in the angle. Paper: RoFormer, arXiv 2104.09864.
 */
export function inverseFrequencies(
  { theta, headDim, rotated = headDim, scaling }: RopeConfig,
  length = 0,
): Float32Array {
  const powers = Float32Array.from({ length: rotated / 2 }, (_, i) =>
    Math.fround(theta ** Math.fround((2 * i) / rotated)),
  );
  if (scaling?.kind === "longrope") {
    const { shortFactors, longFactors, originalContext } = scaling;
    const factors = length > originalContext ? longFactors : shortFactors;
    return powers.map((power, i) => 1 / Math.fround(Math.fround(factors[i]) * power));
  }
  if (scaling?.kind === "yarn") return blendFrequencies(powers, theta, scaling);
  return powers.map((power) => {
    const frequency = Math.fround(1 / power);
    if (scaling?.kind === "linear") return frequency / scaling.factor;
    return scaling?.kind === "llama3" ? stretchFrequency(frequency, scaling) : frequency;
  });
}

/** What LongRoPE multiplies cosines and sines by where a context has grown by a factor. */
export function longRopeScale(factor: number, originalContext: number): number {
  return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalContext));
}

/** Returns what cosines and sines are multiplied by. */
export function attentionScale({ scaling }: RopeConfig): number {
  if (scaling?.kind === "longrope") {
    return scaling.attentionFactor ?? longRopeScale(scaling.factor, scaling.originalContext);
  }
  if (scaling?.kind !== "yarn") return 1;
  const { factor, attentionFactor, magnitudes } = scaling;
  if (attentionFactor !== null) return attentionFactor;
  const magnitude = (weight: number) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  const { some, all } = magnitudes;
  return some !== 0 && all !== 0 ? magnitude(some) / magnitude(all) : magnitude(1);
}

function stretchFrequency(frequency: number, scaling: Llama3RopeScaling): number {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalContext } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength > originalContext / lowFrequencyFactor) return frequency / factor;
  if (wavelength < originalContext / highFrequencyFactor) return frequency;
  const kept =
    (originalContext / wavelength - lowFrequencyFactor) /
    (highFrequencyFactor - lowFrequencyFactor);
  return ((1 - kept) * frequency) / factor + kept * frequency;
}

function blendFrequencies(
  powers: Float32Array,
  theta: number,
  scaling: YarnRopeScaling,
): Float32Array {
  const { factor, originalContext, wholeChannels } = scaling;
  const width = 2 * powers.length;
  const channelOf = (rotations: number) =>
    (width * Math.log(originalContext / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const [fast, slow] = [channelOf(scaling.fastRotations), channelOf(scaling.slowRotations)];
  const low = Math.max(wholeChannels ? Math.floor(fast) : fast, 0);
  const high = Math.min(wholeChannels ? Math.ceil(slow) : slow, width - 1);
  const span = low === high ? 0.001 : high - low;
  return powers.map((power, i) => {
    const stretched = Math.fround(Math.min(Math.max((i - low) / span, 0), 1));
    const kept = Math.fround(1 - stretched);
    const frequencyKept = Math.fround(1 / power);
    const frequencyStretched = Math.fround(1 / Math.fround(factor * power));
    return Math.fround(frequencyStretched * Math.fround(1 - kept)) + frequencyKept * kept;
  });
}

/**
 * Returns the order of a head's channels in which those that are rotated together lie `headDim / 2`
 * apart, `[headDim]`; null where they do. Channels that are not rotated fill both halves. Scores do
 * not change where queries and keys both have this order.
 */
export function rotationOrder(config: RopeConfig): Int32Array | null {
  const { headDim, rotated = headDim, interleaved = false } = config;
  if (rotated === headDim && !interleaved) return null;
  const [half, pairs] = [headDim / 2, rotated / 2];
  return Int32Array.from({ length: headDim }, (_, to) => {
    const [side, i] = [to < half ? 0 : 1, to % half];
    if (i < pairs) return interleaved ? 2 * i + side : i + side * pairs;
    return rotated + side * (half - pairs) + (i - pairs);
  });
}

interface AngleTables {
  readonly cos: Tensor<"f32">;
  readonly sin: Tensor<"f32">;
}

/**
 * Cosines and sines of all positions so far, `[positions, headDim / 2]` f32; grown on demand. Pairs
 * that are not rotated have the angle 0.
 */
export class RopeTables {
  private readonly backend: Backend;
  private readonly config: RopeConfig;
  /** Sequences must not be longer. */
  private readonly longest: number;
  /** Longer sequences have other frequencies. */
  private readonly short: number;
  private readonly tables = new Map<boolean, { positions: number; tables: AngleTables }>();
  /** Tables of `byPosition` beyond the length at which frequencies change. */
  private mixed: { readonly positions: number; readonly tables: AngleTables } | null = null;

  constructor(backend: Backend, config: RopeConfig) {
    this.backend = backend;
    this.config = config;
    const { scaling } = config;
    this.longest = scaling?.kind === "dynamic" ? scaling.context : Infinity;
    this.short = scaling?.kind === "longrope" ? scaling.originalContext : Infinity;
  }

  /**
   * Returns tables for a sequence of `positions` tokens that hold at least as many rows.
   * @throws UnsupportedError when the frequencies would change with the length
   */
  upTo(positions: number): AngleTables {
    if (positions > this.longest) {
      throw new UnsupportedError(
        `${positions} tokens are more than the context of ${this.longest}: beyond it the ` +
          'frequencies of rope_type "dynamic" change with the length, which is not supported',
        { hint: "stay within the context" },
      );
    }
    const isLong = positions > this.short;
    const known = this.tables.get(isLong);
    if (known && known.positions >= positions) return known.tables;
    const rows = Math.max(positions, 2 * (known?.positions ?? 0), 64);
    const tables = this.build(rows, inverseFrequencies(this.config, positions));
    this.tables.set(isLong, { positions: rows, tables });
    return tables;
  }

  /**
   * Returns tables whose row p has the angles of a text that ends there: what a token gives when it
   * is read does not depend on those behind it. At least `positions` rows.
   */
  byPosition(positions: number): AngleTables {
    if (positions <= this.short) return this.upTo(positions);
    if (this.mixed && this.mixed.positions >= positions) return this.mixed.tables;
    const rows = Math.max(positions, 2 * (this.mixed?.positions ?? 0));
    const [early, late] = [this.short, rows].map((length) =>
      angleTables(this.config, length, inverseFrequencies(this.config, length)),
    );
    late.cos.set(early.cos);
    late.sin.set(early.sin);
    const tables = this.place(rows, late);
    this.mixed = { positions: rows, tables };
    return tables;
  }

  private build(positions: number, frequencies: Float32Array): AngleTables {
    return this.place(positions, angleTables(this.config, positions, frequencies));
  }

  private place(
    positions: number,
    { cos, sin }: { readonly cos: Float32Array; readonly sin: Float32Array },
  ): AngleTables {
    const shape = [positions, this.config.headDim / 2];
    return {
      cos: Tensor.from(this.backend, "f32", shape, cos),
      sin: Tensor.from(this.backend, "f32", shape, sin),
    };
  }
}

/** Cosines and sines of positions, `[positions, headDim / 2]`, given the angle per position of pairs. */
export function angleTables(
  config: RopeConfig,
  positions: number,
  frequencies: Float32Array,
): { readonly cos: Float32Array; readonly sin: Float32Array } {
  const scale = attentionScale(config);
  const half = config.headDim / 2;
  const cos = new Float32Array(positions * half).fill(1);
  const sin = new Float32Array(cos.length);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < frequencies.length; i++) {
      const at = position * half + i;
      const angle = Math.fround(position * frequencies[i]);
      cos[at] = Math.fround(Math.cos(angle)) * scale;
      sin[at] = Math.fround(Math.sin(angle)) * scale;
    }
  }
  return { cos, sin };
}
