import type { Backend } from "../backend/backend.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { expectedTensors } from "../models/decoder-tensors.ts";
import type { WeightSource } from "../nn/weight-source.ts";
import { sha256 } from "../platform/node.ts";
import { elementCount, type Shape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { FormatError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";

/** Matrices that add to the residual stream: two a block. */
const residual = /\.(o_proj|down_proj)\.weight$/;

/**
 * The weights of a model before training: normal with standard deviation `deviation`, divided by
 * `√(2·blocks)` where they add to the residual stream, which keeps its variance (Radford et al.
 * 2019); norms are 1, biases 0. Each tensor has draws of its own by its name.
 */
export class InitialWeights implements WeightSource {
  private readonly backend: Backend;
  private readonly shapes: ReadonlyMap<string, Shape>;
  private readonly seed: number;
  private readonly deviation: number;
  private readonly residualDeviation: number;

  constructor(backend: Backend, config: DecoderConfig, seed: number, deviation: number) {
    this.backend = backend;
    this.shapes = new Map(expectedTensors(config));
    this.seed = seed;
    this.deviation = deviation;
    this.residualDeviation = deviation / Math.sqrt(2 * config.layers.length);
  }

  has(name: string): boolean {
    return this.shapes.has(name);
  }

  shape(name: string): Shape {
    const shape = this.shapes.get(name);
    if (shape) return shape;
    throw new FormatError(`the model has no tensor ${name}`);
  }

  async tensor(name: string): Promise<Tensor<"f32">> {
    const shape = this.shape(name);
    const values = new Float32Array(elementCount(shape));
    if (shape.length === 2) this.draw(name, values);
    else values.fill(name.endsWith(".weight") ? 1 : 0);
    return Tensor.from(this.backend, "f32", shape, values);
  }

  matrix(module: string): Promise<Tensor> {
    return this.tensor(`${module}.weight`);
  }

  storedMatrix(module: string): Promise<Tensor> {
    return this.matrix(module);
  }

  private draw(name: string, values: Float32Array): void {
    const digits = sha256(`${this.seed} ${name}`).slice(0, 8);
    const prng = new Prng(Number.parseInt(digits, 16));
    const deviation = residual.test(name) ? this.residualDeviation : this.deviation;
    for (let i = 0; i < values.length; i++) values[i] = deviation * prng.normal();
  }
}
