import { makeLinear, withRoundedInputs } from "../../nn/make-linear.ts";
import type { TrainableModel } from "../../nn/trainable-model.ts";
import { Linear } from "../../nn/linear.ts";
import { FakeQuantized } from "../../quant/fake-quantized.ts";
import type { LatentWeight } from "../../quant/latent-weight.ts";
import type { GridTraining } from "../../quant/grid.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Parameter } from "../../training/parameter.ts";
import { UnsupportedError } from "../../util/errors.ts";

/** How the linears of a model are seen while they are trained. */
export interface LatentLayers {
  /** How weights of a scheme are trained, where it is not as its grid says. */
  readonly trainingOf?: ((scheme: Scheme) => GridTraining | null) | undefined;
  /** Makes the latent weight, which takes `weight` over; left out, as the scheme's grid declares. */
  readonly latentOf?: (weight: Tensor<"f32">, scheme: Scheme) => LatentWeight;
  /** How inputs are seen; null: as the scheme says. */
  readonly inputsOf?: (scheme: Scheme) => ((x: Tensor) => Tensor) | null;
}

/**
 * A model whose linears have float weights that are seen as values of their schemes' grids: all of
 * it is trained, and the linears are packed at the end.
 */
export class LatentWeights {
  /** Everything trained, in the groups `weights` (of linears), `scales` (and zeros) and `rest`. */
  readonly parameters: readonly Parameter[];
  private readonly model: TrainableModel;
  private readonly weights: ReadonlyMap<string, LatentWeight>;

  private constructor(model: TrainableModel, weights: ReadonlyMap<string, LatentWeight>) {
    this.model = model;
    this.weights = weights;
    const latent = [...weights].flatMap(([module, weight]) => latentParameters(module, weight));
    const rest = [...this.rest()].map(([name, value]) => ({ name, value, group: "rest" }));
    this.parameters = [...latent, ...rest];
  }

  /**
   * Puts fake-quantized weights in the slots of those linears that are to have a scheme.
   * @throws UnsupportedError when one of them is quantized already
   * @throws SchemeError when a scheme's grid cannot be trained
   */
  static async of(
    model: TrainableModel,
    schemeOf: (module: string) => Scheme | null,
    layers: LatentLayers = {},
  ): Promise<LatentWeights> {
    const weights = new Map<string, LatentWeight>();
    for (const { module, at } of model.linears) {
      const scheme = schemeOf(module);
      if (!scheme) continue;
      const { layer } = at;
      if (!(layer instanceof Linear) || !(layer.weight instanceof Tensor)) {
        throw new UnsupportedError(`${module} is already quantized`, {
          hint: "start from the original checkpoint",
        });
      }
      const { backend } = layer.weight;
      const latent = await makeLatent(layer.weight as Tensor<"f32">, scheme, layers);
      const round = layers.inputsOf?.(scheme);
      at.layer = round
        ? withRoundedInputs(new Linear(backend, latent, layer.bias), round)
        : await makeLinear(backend, latent, layer.bias);
      weights.set(module, latent);
    }
    return new LatentWeights(model, weights);
  }

  /** The float weights of quantized linears. */
  get masters(): readonly Tensor<"f32">[] {
    return [...this.weights.values()].map(({ weight }) => weight);
  }

  /** Packs the linears, by their full names. */
  freeze(): Promise<Map<string, QTensor>> {
    return freezeAll(this.weights);
  }

  /** Float tensors besides the weights of quantized linears, by their names in the checkpoint. */
  rest(): Map<string, Tensor<"f32">> {
    const latent = new Set([...this.weights.keys()].map((module) => `${module}.weight`));
    return new Map([...this.model.tensors].filter(([name]) => !latent.has(name)));
  }
}

function makeLatent(
  weight: Tensor<"f32">,
  scheme: Scheme,
  { latentOf, trainingOf = ({ grid }) => grid.training }: LatentLayers,
): LatentWeight | Promise<LatentWeight> {
  return latentOf?.(weight, scheme) ?? FakeQuantized.of(weight, scheme, trainingOf(scheme));
}

/** What training changes of a linear, in the groups `weights` and `scales`. */
export function latentParameters(module: string, weight: LatentWeight): Parameter[] {
  return weight.parameters.map(({ role, value, isPerWeight = false }) => ({
    name: `${module}.${role}`,
    value,
    group: isPerWeight ? "weights" : "scales",
  }));
}

/** Packs what was trained, by name. */
export async function freezeAll(
  trained: Iterable<readonly [string, { freeze(): Promise<QTensor> }]>,
): Promise<Map<string, QTensor>> {
  const packed = new Map<string, QTensor>();
  for (const [name, weight] of trained) packed.set(name, await weight.freeze());
  return packed;
}
