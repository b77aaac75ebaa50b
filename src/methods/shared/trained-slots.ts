import { Linear, type LinearLike, type LinearSlot } from "../../nn/linear.ts";
import { LearnedInputStep } from "../../nn/learned-input-step.ts";
import { withRoundedInputs, withRoundedTokens } from "../../nn/make-linear.ts";
import { floatLinear } from "../../nn/scale-channels.ts";
import type { LatentWeight } from "../../quant/latent-weight.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { copyInto } from "../../tensor/ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Parameter } from "../../training/parameter.ts";
import type { WholeBlockProblem } from "../define-method.ts";
import { latentParameters } from "./latent-weights.ts";

/** A linear layer whose weight is to be trained. */
export interface SlotToTrain {
  readonly name: string;
  /** `W [out, in]`, which the latent weight takes over and may change. */
  readonly weight: Tensor<"f32">;
  readonly scheme: Scheme;
  readonly importance: Float32Array | null;
  /** What another quantizer made of it, to begin with; null: nothing. */
  readonly start: QTensor | null;
}

/** A weight as it is trained. */
export interface LatentStart {
  readonly weight: LatentWeight;
  /** What it is packed as where training does not help; left out, as it packs at the start. */
  readonly packed?: QTensor;
  /** What stands in the slot, given the bias there; left out, a layer that multiplies by it. */
  readonly layerOf?: (bias: Tensor<"f32"> | null) => LinearLike;
}

interface TrainedSlot extends LatentStart {
  readonly slot: LinearSlot;
  readonly scheme: Scheme;
  readonly original: LinearLike;
  /** Of inputs that are rounded to a scale; null where they are not. */
  readonly step: LearnedInputStep | null;
}

/** A layer that multiplies by a weight as it is trained, its inputs rounded as the scheme says. */
function latentLayer(
  layer: Linear,
  { activation }: Scheme,
  step: LearnedInputStep | null,
): LinearLike {
  if (step) return withRoundedInputs(layer, (x) => step.round(x));
  return activation ? withRoundedTokens(layer, activation) : layer;
}

/** The linears of a block while their weights are trained: latent weights stand in the slots. */
export class TrainedSlots {
  readonly parameters: readonly Parameter[];
  private readonly slots: readonly TrainedSlot[];

  private constructor(block: string, slots: readonly TrainedSlot[], shared: readonly Parameter[]) {
    this.slots = slots;
    const own = slots.flatMap(({ slot, weight, step }) => {
      const module = `${block}.${slot.name}`;
      const input = step && { name: `${module}.input`, value: step.factor, group: "activations" };
      return [...latentParameters(module, weight), ...(input ? [input] : [])];
    });
    this.parameters = [...own, ...shared];
  }

  /**
   * Puts latent weights into all slots that have a scheme.
   * @param shared what is trained besides, of several slots together
   */
  static async of(
    {
      block,
      schemeOf,
      startOf = () => null,
      activationsOf = () => null,
      importanceOf = () => null,
    }: WholeBlockProblem<unknown>,
    latentOf: (slot: SlotToTrain) => Promise<LatentStart>,
    shared: readonly Parameter[] = [],
  ): Promise<TrainedSlots> {
    const trained: TrainedSlot[] = [];
    for (const slot of block.slots) {
      const { name, layer: original } = slot;
      const scheme = schemeOf(name);
      if (!scheme) continue;
      const { weight, bias } = floatLinear(block, name);
      const importance = importanceOf(name);
      const begun = await latentOf({ name, weight, scheme, importance, start: startOf(name) });
      const activations = begun.layerOf ? null : activationsOf(name);
      const step = activations && new LearnedInputStep(weight.backend, activations.input);
      const layer = new Linear(weight.backend, begun.weight, bias);
      slot.layer = begun.layerOf?.(bias) ?? latentLayer(layer, scheme, step);
      trained.push({ slot, scheme, original, step, ...begun });
    }
    return new TrainedSlots(block.name, trained, shared);
  }

  get weights(): LatentWeight[] {
    return this.slots.map(({ weight }) => weight);
  }

  /** Runs `body`, which does not wait, with the layers in the slots that stood there before. */
  withOriginals<R>(body: () => R): R {
    const layers = this.slots.map(({ slot }) => slot.layer);
    for (const { slot, original } of this.slots) slot.layer = original;
    try {
      return body();
    } finally {
      for (const [i, { slot }] of this.slots.entries()) slot.layer = layers[i];
    }
  }

  /** Packs what training begins with, by slot. */
  async packStart(): Promise<Map<string, QTensor>> {
    return this.finish(({ packed, weight }) => packed ?? weight.freeze());
  }

  /** Packs the weights as they are now, by slot. */
  pack(): Promise<Map<string, QTensor>> {
    return this.finish(({ weight }) => weight.freeze());
  }

  private async finish(
    weightOf: (slot: TrainedSlot) => QTensor | Promise<QTensor>,
  ): Promise<Map<string, QTensor>> {
    const packed = new Map<string, QTensor>();
    for (const trained of this.slots) {
      const { slot, scheme, step } = trained;
      const weight = await weightOf(trained);
      const activations = step && { input: await step.parameters(), output: null };
      const rounds = scheme.activation !== null;
      packed.set(slot.name, rounds ? weight.withActivations(scheme, activations) : weight);
    }
    return packed;
  }

  /** Keeps what the parameters are now, to be put back any number of times. */
  async snapshot(): Promise<{ restore(): void }> {
    const kept = await Promise.all(this.parameters.map(({ value }) => value.read()));
    const restore = (): void => {
      for (const [i, { value }] of this.parameters.entries()) {
        copyInto(value, Tensor.from(value.backend, "f32", value.shape, kept[i].slice()));
      }
    };
    return { restore };
  }

  /** Puts the layers back that stood in the slots, and gives what was learned back. */
  restore(): void {
    for (const { slot, original, weight, step } of this.slots) {
      slot.layer = original;
      step?.release();
      weight.releaseLearned();
    }
  }
}

/** Packs the weights of a block, by slot, as training would begin with them. */
export async function packUntrained(
  problem: WholeBlockProblem<unknown>,
  latentOf: (slot: SlotToTrain) => Promise<LatentStart>,
): Promise<Map<string, QTensor>> {
  const slots = await TrainedSlots.of(problem, latentOf);
  try {
    return await slots.pack();
  } finally {
    slots.restore();
  }
}
