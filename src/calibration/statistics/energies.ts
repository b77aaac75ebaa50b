import type { Backend } from "../../backend/backend.ts";
import { accumulateEnergies } from "../../tensor/quantization-ops.ts";
import { asMatrix } from "../../tensor/shape.ts";
import { Tensor } from "../../tensor/tensor.ts";

/** Sums of squares of each input channel of a linear layer over tokens, in float64. */
export class Energies {
  private readonly total: Tensor<"f64">;
  /** Tokens that were added. */
  tokens = 0;

  private constructor(total: Tensor<"f64">) {
    this.total = total;
  }

  /** Empty sums of `size` input channels. */
  static empty(backend: Backend, size: number): Energies {
    return new Energies(Tensor.zeros(backend, "f64", [size]));
  }

  /** Adds inputs `[..., n]` f32. */
  add(inputs: Tensor): void {
    accumulateEnergies(this.total, inputs);
    this.tokens += asMatrix(inputs.shape).rows;
  }

  /** `Σ x²` of each channel, `[n]`. */
  sums(): Promise<Float64Array> {
    return this.total.read();
  }

  /** Mean of x² of each channel, `[n]`; zeros before anything was added. */
  async means(): Promise<Float32Array> {
    const tokens = Math.max(1, this.tokens);
    return Float32Array.from(await this.sums(), (sum) => sum / tokens);
  }

  /** Gives the memory back. */
  release(): void {
    this.total.release();
  }
}
