import rtn from "../../methods/ptq/rtn.ts";
import type { LinearLike } from "../../nn/linear.ts";
import { makeLinear } from "../../nn/make-linear.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { addInto, multiplyInto } from "../../tensor/ops.ts";
import { matmul } from "../../tensor/products.ts";
import { accumulateEnergies } from "../../tensor/quantization-ops.ts";
import { addSumOfSquares } from "../../tensor/training-ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { UsageError } from "../../util/errors.ts";
import type { DamageMeasure } from "../../methods/shared/allocation/damage-measure.ts";

/** A layer's weight under a scheme, rounded to nearest. */
interface Candidate {
  readonly weight: QTensor;
  readonly layer: LinearLike;
}

/** What one pass of a layer tells: its inputs `[tokens, in]`, and gradients by its outputs. */
interface ScoredPass {
  readonly input: Tensor<"f32">;
  /** `[tokens, out]`; null where the measure needs none. */
  readonly gradient: Tensor<"f32"> | null;
}

/**
 * Rounds a weight `[out, in]` to a scheme, searching for scales: the stand-in for any quantizer.
 * @throws UsageError where the scheme is not for rounding
 */
export async function roundWeight(
  name: string,
  weight: Tensor<"f32">,
  scheme: Scheme,
): Promise<QTensor> {
  const options = rtn.options.parse({ mse: true });
  const values = await weight.read();
  const own = Tensor.from(weight.backend, "f32", weight.shape, values);
  const made = await rtn.quantizeLinear?.({ name, weight: own, scheme, hessian: null, options });
  own.release();
  if (made) return made.weight;
  throw new UsageError(`weights cannot be rounded to ${scheme.id}`);
}

/** Adds up what each candidate scheme does to a layer. */
export class SlotDamages {
  private readonly measure: DamageMeasure;
  private readonly weight: Tensor<"f32">;
  private readonly candidates: readonly Candidate[];
  private readonly sums: Tensor<"f64">[];
  private readonly energies: Tensor<"f64">;
  private readonly absolute: Float64Array;
  /** Tokens that came to the layer. */
  tokens = 0;

  private constructor(
    measure: DamageMeasure,
    weight: Tensor<"f32">,
    candidates: readonly Candidate[],
  ) {
    const { backend, shape } = weight;
    this.measure = measure;
    this.weight = weight;
    this.candidates = candidates;
    this.sums = candidates.map(() => Tensor.zeros(backend, "f64", [1]));
    this.energies = Tensor.zeros(backend, "f64", [shape[1] ?? 0]);
    this.absolute = new Float64Array(candidates.length);
  }

  /** Begins with a layer, whose float weight stays the caller's. */
  static async of(
    name: string,
    weight: Tensor<"f32">,
    schemes: readonly Scheme[],
    measure: DamageMeasure,
  ): Promise<SlotDamages> {
    const candidates: Candidate[] = [];
    for (const scheme of schemes) {
      const rounded = await roundWeight(name, weight, scheme);
      candidates.push({ weight: rounded, layer: await makeLinear(weight.backend, rounded) });
    }
    return new SlotDamages(measure, weight, candidates);
  }

  /** Adds a pass. */
  async add(pass: ScoredPass): Promise<void> {
    this.tokens += pass.input.shape[0] ?? 0;
    if (this.measure === "importance") accumulateEnergies(this.energies, pass.input);
    else if (pass.gradient && this.measure === "fisher") this.addFisher(pass.input, pass.gradient);
    else if (pass.gradient) await this.addElementwise(pass.input, pass.gradient);
  }

  /** What was added up, by candidate. */
  async read(): Promise<number[]> {
    if (this.measure === "importance") return this.weightErrors();
    if (this.measure === "gradient") return [...this.absolute];
    return Promise.all(this.sums.map(async (sum) => (await sum.read())[0]));
  }

  /** Gives the memory back, but that of the weight. */
  release(): void {
    for (const sum of [...this.sums, this.energies]) sum.release();
    for (const { layer } of this.candidates) layer.release?.();
  }

  /** `Σ (∂L/∂Y ⊙ (Ŷ − Y))²` over tokens and outputs. */
  private addFisher(input: Tensor<"f32">, gradient: Tensor<"f32">): void {
    const exact = matmul(input, this.weight, { transposeB: true, alpha: -1 });
    for (const [i, { layer }] of this.candidates.entries()) {
      const change = layer.forward(input);
      addInto(change, exact);
      multiplyInto(change, gradient);
      addSumOfSquares(this.sums[i], change);
      change.release();
    }
    exact.release();
  }

  /** `Σ |g ⊙ ΔW|` with the gradient of the pass by the weight. */
  private async addElementwise(input: Tensor<"f32">, gradient: Tensor<"f32">): Promise<void> {
    const byWeight = matmul(gradient, input, { transposeA: true });
    const slopes = await byWeight.read();
    byWeight.release();
    const floats = await this.weight.read();
    for (const [i, { weight }] of this.candidates.entries()) {
      const decoded = weight.dequantize();
      let sum = 0;
      for (let at = 0; at < floats.length; at++) {
        sum += Math.abs(slopes[at] * (decoded[at] - floats[at]));
      }
      this.absolute[i] += sum;
    }
  }

  /**
   * `Σ_j h_j Σ_i (Ŵ − W)_ij² / Σ_j h_j Σ_i W_ij²`, h the mean squares of the inputs, times the
   * number of weights: layers of other magnitudes are then alike.
   */
  private async weightErrors(): Promise<number[]> {
    const energies = await this.energies.read();
    const floats = await this.weight.read();
    const columns = energies.length;
    const weigh = (error: (at: number) => number): number => {
      let sum = 0;
      for (let at = 0; at < floats.length; at++) sum += energies[at % columns] * error(at) ** 2;
      return sum;
    };
    const whole = weigh((at) => floats[at]);
    return this.candidates.map(({ weight }) => {
      const decoded = weight.dequantize();
      const error = weigh((at) => decoded[at] - floats[at]);
      return whole > 0 ? (floats.length * error) / whole : 0;
    });
  }
}
