import type { Backend } from "../../backend/backend.ts";
import { accumulateMagnitudes } from "../../tensor/quantization-ops.ts";
import { asMatrix } from "../../tensor/shape.ts";
import { Tensor } from "../../tensor/tensor.ts";

/** How large each input channel of a linear layer is: mean and maximum of |x| over tokens. */
export class Magnitudes {
  private readonly sums: Tensor<"f64">;
  private readonly peaks: Tensor<"f32">;
  private tokens = 0;

  private constructor(sums: Tensor<"f64">, peaks: Tensor<"f32">) {
    this.sums = sums;
    this.peaks = peaks;
  }

  /** Empty magnitudes of `size` input channels. */
  static empty(backend: Backend, size: number): Magnitudes {
    const sums = Tensor.zeros(backend, "f64", [size]);
    return new Magnitudes(sums, Tensor.zeros(backend, "f32", [size]));
  }

  /** Adds inputs `[..., n]` f32. */
  add(inputs: Tensor): void {
    accumulateMagnitudes(this.sums, this.peaks, inputs);
    this.tokens += asMatrix(inputs.shape).rows;
  }

  /** Mean of |x| of each channel, `[n]`; zeros before anything was added. */
  async means(): Promise<Float32Array> {
    const tokens = Math.max(1, this.tokens);
    return Float32Array.from(await this.sums.read(), (sum) => sum / tokens);
  }

  /** Maximum of |x| of each channel, `[n]`. */
  maxima(): Promise<Float32Array> {
    return this.peaks.read();
  }

  /** Gives the memory back. */
  release(): void {
    this.sums.release();
    this.peaks.release();
  }
}
