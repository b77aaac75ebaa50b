import type { Backend } from "../backend/backend.ts";
import { Tensor } from "../tensor/tensor.ts";

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

/** How positions become rotations. */
export interface RopeConfig {
  /** Base of the wavelengths. */
  readonly theta: number;
  /** Width of a head; all of it is rotated. */
  readonly headDim: number;
  /** Absent means that positions are used as they are. */
  readonly scaling?: LinearRopeScaling | Llama3RopeScaling;
}

/**
 * Returns the angle per position of each pair of channels, `[headDim / 2]`:
 * `theta^(−2i / headDim)`, scaled. Rounded to float32 at the steps at which PyTorch rounds, because
 * at long contexts the rounding of the frequency shows in the angle. Paper: RoFormer, arXiv
 * 2104.09864.
 */
export function inverseFrequencies(config: RopeConfig): Float32Array {
  const { theta, headDim, scaling } = config;
  const frequencies = new Float32Array(headDim / 2);
  for (let i = 0; i < frequencies.length; i++) {
    const frequency = Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / headDim)));
    frequencies[i] = scaling ? scaleFrequency(frequency, scaling) : frequency;
  }
  return frequencies;
}

function scaleFrequency(frequency: number, scaling: LinearRopeScaling | Llama3RopeScaling): number {
  if (scaling.kind === "linear") return frequency / scaling.factor;
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalContext } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalContext / highFrequencyFactor) return frequency;
  if (wavelength > originalContext / lowFrequencyFactor) return frequency / factor;
  const kept =
    (originalContext / wavelength - lowFrequencyFactor) /
    (highFrequencyFactor - lowFrequencyFactor);
  return ((1 - kept) * frequency) / factor + kept * frequency;
}

/** Cosines and sines of all positions so far, `[positions, headDim / 2]` f32; grown on demand. */
export class RopeTables {
  private readonly backend: Backend;
  private readonly frequencies: Float32Array;
  private positions = 0;
  private tables: { readonly cos: Tensor<"f32">; readonly sin: Tensor<"f32"> } | undefined;

  constructor(backend: Backend, config: RopeConfig) {
    this.backend = backend;
    this.frequencies = inverseFrequencies(config);
  }

  /** Returns tables that hold at least `positions` rows. */
  upTo(positions: number): { readonly cos: Tensor<"f32">; readonly sin: Tensor<"f32"> } {
    if (!this.tables || positions > this.positions) {
      this.positions = Math.max(positions, 2 * this.positions, 64);
      this.tables = this.build(this.positions);
    }
    return this.tables;
  }

  private build(positions: number): { cos: Tensor<"f32">; sin: Tensor<"f32"> } {
    const { frequencies } = this;
    const cos = new Float32Array(positions * frequencies.length);
    const sin = new Float32Array(cos.length);
    for (let position = 0, at = 0; position < positions; position++) {
      for (let i = 0; i < frequencies.length; i++, at++) {
        const angle = Math.fround(position * frequencies[i]);
        cos[at] = Math.cos(angle);
        sin[at] = Math.sin(angle);
      }
    }
    const shape = [positions, frequencies.length];
    return {
      cos: Tensor.from(this.backend, "f32", shape, cos),
      sin: Tensor.from(this.backend, "f32", shape, sin),
    };
  }
}
