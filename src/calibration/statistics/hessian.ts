import type { Backend } from "../../backend/backend.ts";
import { accumulateGram, diagonal, inverseCholesky } from "../../tensor/quantization-ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { meanOf } from "../../util/sums.ts";

/** How a Hessian is made positive definite before it is factorised. */
export interface DampingOptions {
  /** Added to the diagonal, as a fraction of its mean. */
  readonly damping: number;
  /** Added to that fraction after each failure. */
  readonly dampingStep: number;
  /** How many fractions are tried. */
  readonly dampingTries: number;
}

/** Upper factor U of a damped inverse Hessian, `H⁻¹ = Uᵀ·U`, and the fraction it took. */
export interface InverseFactor {
  readonly factor: Tensor<"f32">;
  readonly damping: number;
}

/**
 * Second moments of a linear layer's inputs: `Σ x·xᵀ` over the calibration tokens, `[n, n]` f64. Up
 * to a constant that cancels it is the Hessian of the layer's output error. Layers with the same
 * input share it.
 */
export class Hessian {
  readonly size: number;
  private readonly gram: Tensor<"f64">;
  private measuredEnergies: Float64Array | null = null;
  private cached: { key: string; order: Int32Array | null; result: InverseFactor | null } | null =
    null;

  private constructor(gram: Tensor<"f64">) {
    this.size = gram.shape[0] ?? 0;
    this.gram = gram;
  }

  /** An empty Hessian of `size` input channels. */
  static empty(backend: Backend, size: number): Hessian {
    return new Hessian(Tensor.zeros(backend, "f64", [size, size]));
  }

  /** Takes over second moments `[n, n]` f64 that were gathered elsewhere. */
  static of(gram: Tensor<"f64">): Hessian {
    return new Hessian(gram);
  }

  /** Adds inputs `[..., n]` f32; they may be rounded to bfloat16: its errors average out. */
  add(inputs: Tensor): void {
    accumulateGram(this.gram, inputs, "bf16");
  }

  /** All elements, `[n, n]`, both triangles; a copy. Not to be called after `inverseFactor`. */
  moments(): Promise<Float64Array> {
    return this.gram.read();
  }

  /** The Hessian of inputs divided by `divisors [n]`. Not to be called after `inverseFactor`. */
  async divided(divisors: Float32Array): Promise<Hessian> {
    const values = await this.gram.read();
    for (let i = 0, at = 0; i < this.size; i++) {
      for (let j = 0; j < this.size; j++, at++) values[at] /= divisors[i] * divisors[j];
    }
    return new Hessian(Tensor.from(this.gram.backend, "f64", this.gram.shape, values));
  }

  /** Diagonal: the energy of each input channel, `Σ x²`. */
  async energies(): Promise<Float64Array> {
    this.measuredEnergies ??= await diagonal(this.gram).read();
    return this.measuredEnergies;
  }

  /**
   * Factorises the damped inverse, with rows and columns in `order` when given. Channels that never
   * fired get a unit diagonal. The last result is kept for the next layer that shares these inputs.
   * @returns null when no damping within the tries makes it positive definite
   */
  async inverseFactor(
    options: DampingOptions,
    order: Int32Array | null,
  ): Promise<InverseFactor | null> {
    const key = `${options.damping} ${options.dampingStep} ${options.dampingTries}`;
    const { cached } = this;
    if (cached?.key === key && sameOrder(cached.order, order)) return cached.result;
    const energies = await this.energies();
    cached?.result?.factor.release();
    this.cached = null;
    const result = await factorise(this.gram, energies, order, options);
    this.cached = { key, order, result };
    return result;
  }

  /** Gives the memory back. */
  release(): void {
    this.cached?.result?.factor.release();
    this.cached = null;
    this.gram.release();
  }
}

/** The gram keeps what is below its diagonal; the factor is made in the rest of it. */
async function factorise(
  gram: Tensor<"f64">,
  energies: Float64Array,
  order: Int32Array | null,
  { damping, dampingStep, dampingTries }: DampingOptions,
): Promise<InverseFactor | null> {
  const meanEnergy = meanOf(energies);
  if (!Number.isFinite(meanEnergy)) return null;
  const { backend } = gram;
  const size = [energies.length];
  const ordered = order ? Float64Array.from(order, (column) => energies[column]) : energies;
  const places = order && Tensor.from(backend, "i32", size, order);
  for (let tries = 0; tries < dampingTries; tries++) {
    const fraction = damping + tries * dampingStep;
    const damped = ordered.map((energy) => (energy || 1) + fraction * meanEnergy);
    const onDiagonal = Tensor.from(backend, "f64", size, damped);
    const { u, status } = inverseCholesky(gram, onDiagonal, places);
    if ((await status.read())[0] === 0) return { factor: u, damping: fraction };
    u.release();
  }
  return null;
}

function sameOrder(a: Int32Array | null, b: Int32Array | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((column, i) => column === b[i]);
}
