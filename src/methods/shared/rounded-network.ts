import { withRoundedTokens } from "../../nn/make-linear.ts";
import type { DerivedTensor, Turn } from "../../nn/model-rotation.ts";
import { Linear } from "../../nn/linear.ts";
import type { TrainableModel } from "../../nn/trainable-model.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { addInto, copyInto } from "../../tensor/ops.ts";
import { linear } from "../../tensor/products.ts";
import { emptyLike, Tensor } from "../../tensor/tensor.ts";
import type { PassMemory } from "../../training/loss-in-parts.ts";
import { nextTokenLoss } from "../../training/next-token-loss.ts";
import type { Gradients } from "../../training/parameter.ts";
import type { TokenBatch } from "../../training/token-batches.ts";
import type { MicroBatch } from "../../training/training-loop.ts";
import type { TapePrecision } from "../../tensor/tape.ts";
import { transposed } from "../../util/elementwise.ts";
import { chooseBlocks } from "./block-search.ts";
import { roundInPlace } from "./quantize-columns.ts";
import { type RotationTensors, TurnedWeight } from "./turned-weight.ts";

/** What a network is made of whose rotations are learned. */
export interface RoundedParts {
  /** Norms folded, nothing turned. Its weights are overwritten. */
  readonly model: TrainableModel;
  /** What takes rotations up, by name. */
  readonly tensors: ReadonlyMap<string, DerivedTensor>;
  /** The scheme of a linear layer by its full name; null: it stays as it is. */
  readonly schemeOf: (module: string) => Scheme | null;
  readonly rotations: RotationTensors;
}

/** A tensor of a block as the model multiplies by it now. */
interface Place {
  readonly name: string;
  readonly weight: TurnedWeight;
  /** Overwritten at each step. */
  readonly value: Tensor<"f32">;
  readonly scheme: Scheme | null;
}

/**
 * A model with rotations that are folded into its weights, these rounded to nearest as their schemes
 * say, and so are the inputs of layers whose schemes say so: the network whose loss rotations are
 * learned by. Gradients pass straight through the roundings. Embedding and head stay as they are; the
 * stream is turned behind the one and turned back in front of the other.
 */
export class RoundedNetwork {
  private readonly model: TrainableModel;
  private readonly places: readonly Place[];
  private readonly rotations: RotationTensors;

  constructor({ model, tensors, schemeOf, rotations }: RoundedParts) {
    this.model = model;
    this.rotations = rotations;
    const inBlocks = [...model.tensors].filter(([name]) =>
      model.blocks.some((block) => name.startsWith(`${block.name}.`)),
    );
    this.places = inBlocks.flatMap(([name, value]) => {
      const { turns = [] } = tensors.get(name) ?? {};
      const scheme = schemeOf(moduleOf(name));
      if (turns.length === 0 && !scheme) return [];
      const original = emptyLike(value);
      copyInto(original, value);
      return { name, weight: new TurnedWeight(original, turns), value, scheme };
    });
    for (const { module, at } of model.linears) {
      const { activation = null } = schemeOf(module) ?? {};
      if (activation && at.layer instanceof Linear) {
        at.layer = withRoundedTokens(at.layer, activation);
      }
    }
  }

  /**
   * The mean cross-entropy of the next token of a batch, and its gradients by those rotations that
   * are `wanted`, in their order.
   */
  async loss(
    batch: TokenBatch,
    wanted: readonly Turn["by"][],
    { precision, ...memory }: PassMemory & { readonly precision: TapePrecision },
  ): Promise<MicroBatch> {
    await this.turn();
    const stream = this.rotations("stream") as Tensor<"f32">;
    const back = await turnedOver(stream);
    const places = wanted.length === 0 ? [] : this.places;
    const ends = wanted.length === 0 ? [] : [stream, back];
    const watched = [...places.map(({ value }) => value), ...ends];
    const turns = {
      enter: (x: Tensor<"f32">) => linear(x, back),
      leave: (x: Tensor<"f32">) => linear(x, stream),
    };
    const prediction = { model: this.model, ...memory, stream: turns };
    const parameters = watched.map((value, i) => ({ name: `${i}`, value, group: "" }));
    const { loss, gradients } = nextTokenLoss(prediction, batch, { parameters, precision });
    back.release();
    return { loss, gradients: await this.gradientsBy(wanted, gradients) };
  }

  /** Gradients by rotations, from those by tensors and by the turns at the ends, which it takes. */
  private async gradientsBy(
    wanted: readonly Turn["by"][],
    gradients: Gradients,
  ): Promise<Tensor<"f32">[]> {
    const sums = wanted.map((by) => zerosLike(this.rotations(by) as Tensor<"f32">));
    const sumOf = (by: Turn["by"]): Tensor<"f32"> | null => sums[wanted.indexOf(by)] ?? null;
    for (const [i, gradient] of gradients.entries()) {
      if (!gradient) continue;
      if (i < this.places.length) {
        this.places[i].weight.addGradients(gradient, this.rotations, sumOf);
      } else {
        const isBack = i > this.places.length;
        const own = isBack ? await turnedOver(gradient) : gradient;
        addInto(sumOf("stream") as Tensor<"f32">, own);
        if (isBack) own.release();
      }
      gradient.release();
    }
    return sums;
  }

  /** Gives all weights back. */
  release(): void {
    for (const { weight } of this.places) weight.release();
    this.model.release();
  }

  /** Makes the weights those of the rotations as they are now. */
  private async turn(): Promise<void> {
    for (const { weight, value, scheme } of this.places) {
      const turned = weight.turned(this.rotations);
      if (scheme?.blocks) {
        const packed = await chooseBlocks(turned, scheme, null);
        copyInto(value, Tensor.from(value.backend, "f32", value.shape, packed.dequantize()));
      } else {
        if (scheme) roundInPlace(turned, scheme);
        copyInto(value, turned);
      }
      turned.release();
    }
  }
}

const weightSuffix = ".weight";

/** The layer that a tensor is the weight of; of others a name that no layer has. */
function moduleOf(name: string): string {
  return name.endsWith(weightSuffix) ? name.slice(0, -weightSuffix.length) : "";
}

function zerosLike({ backend, shape }: Tensor): Tensor<"f32"> {
  return Tensor.zeros(backend, "f32", shape);
}

async function turnedOver(x: Tensor<"f32">): Promise<Tensor<"f32">> {
  const [size = 0] = x.shape;
  const values = await x.look((own) => transposed(own, size));
  return Tensor.from(x.backend, "f32", x.shape, values);
}
