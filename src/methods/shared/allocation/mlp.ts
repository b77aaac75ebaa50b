import type { Prng } from "../../../util/prng.ts";

/** Weights `[out, in]` and biases of a layer, with the moments of Adam. */
interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  /** Weights, then biases. */
  readonly values: Float64Array;
  readonly gradient: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/** What a pass leaves for the way back: the input of each layer, and the output. */
export type MlpPass = readonly Float64Array[];

/** A small network of full layers with ReLU between them; the last is linear, or a sigmoid. */
export class Mlp {
  private readonly layers: readonly Layer[];
  private readonly sigmoid: boolean;
  private steps = 0;

  /** Widths from input to output. Weights are drawn uniformly as wide as `1/√in`, the last ±0.003. */
  constructor(widths: readonly number[], sigmoid: boolean, random: Prng) {
    this.sigmoid = sigmoid;
    this.layers = widths.slice(1).map((outputs, i) => {
      const inputs = widths[i];
      const bound = i + 2 === widths.length ? 0.003 : 1 / Math.sqrt(inputs);
      const count = outputs * (inputs + 1);
      const values = Float64Array.from({ length: count }, () => bound * (2 * random.uniform() - 1));
      const zeros = (): Float64Array => new Float64Array(count);
      return { inputs, outputs, values, gradient: zeros(), first: zeros(), second: zeros() };
    });
  }

  forward(input: Float64Array): MlpPass {
    const pass = [input];
    for (const [i, { inputs, outputs, values }] of this.layers.entries()) {
      const x = pass[i];
      const isLast = i + 1 === this.layers.length;
      const y = new Float64Array(outputs);
      for (let row = 0; row < outputs; row++) {
        let sum = values[outputs * inputs + row];
        for (let j = 0; j < inputs; j++) sum += values[row * inputs + j] * x[j];
        if (isLast) y[row] = this.sigmoid ? 1 / (1 + Math.exp(-sum)) : sum;
        else y[row] = Math.max(0, sum);
      }
      pass.push(y);
    }
    return pass;
  }

  /** Adds the gradients of a pass, given that by the output; returns that by the input. */
  backward(pass: MlpPass, byOutput: Float64Array): Float64Array {
    let by = byOutput;
    for (let i = this.layers.length - 1; i >= 0; i--) {
      const { inputs, outputs, values, gradient } = this.layers[i];
      const [x, y] = [pass[i], pass[i + 1]];
      const isLast = i + 1 === this.layers.length;
      const before = new Float64Array(inputs);
      for (let row = 0; row < outputs; row++) {
        const slope = isLast ? (this.sigmoid ? y[row] * (1 - y[row]) : 1) : y[row] > 0 ? 1 : 0;
        const own = by[row] * slope;
        if (own === 0) continue;
        gradient[outputs * inputs + row] += own;
        for (let j = 0; j < inputs; j++) {
          gradient[row * inputs + j] += own * x[j];
          before[j] += own * values[row * inputs + j];
        }
      }
      by = before;
    }
    return by;
  }

  /** One step of Adam down the gradients that were added, which are forgotten. */
  step(rate: number): void {
    this.steps++;
    const [bias1, bias2] = [1 - 0.9 ** this.steps, 1 - 0.999 ** this.steps];
    for (const { values, gradient, first, second } of this.layers) {
      for (let i = 0; i < values.length; i++) {
        first[i] = 0.9 * first[i] + 0.1 * gradient[i];
        second[i] = 0.999 * second[i] + 0.001 * gradient[i] ** 2;
        values[i] -= (rate * (first[i] / bias1)) / (Math.sqrt(second[i] / bias2) + 1e-8);
      }
      gradient.fill(0);
    }
  }

  /** Forgets gradients. */
  clear(): void {
    for (const { gradient } of this.layers) gradient.fill(0);
  }

  /** Moves towards another network of the same shape: `own ← (1 − share)·own + share·other`. */
  follow(other: Mlp, share: number): void {
    for (const [i, { values }] of this.layers.entries()) {
      const theirs = other.layers[i].values;
      for (let j = 0; j < values.length; j++) values[j] += share * (theirs[j] - values[j]);
    }
  }
}
