import {
  ActivationRanges,
  type RangeEstimator,
} from "../calibration/statistics/activation-ranges.ts";
import type { LinearSlot } from "../nn/linear.ts";
import { fitActivations, type LayerActivations } from "../quant/activation-grid.ts";
import { hasFixedActivations, type Scheme } from "../quant/scheme.ts";
import type { Tensor } from "../tensor/tensor.ts";

interface LayerRanges {
  readonly input: ActivationRanges;
  /** Null where outputs stay in floats. */
  readonly output: ActivationRanges | null;
}

/** Ranges of the inputs and outputs of those linears whose schemes fix their activations. */
export class SlotRanges {
  private readonly bySlot = new Map<string, LayerRanges>();

  constructor(slots: readonly LinearSlot[], schemeOf: (slot: string) => Scheme | null) {
    for (const { name } of slots) {
      const scheme = schemeOf(name);
      if (!scheme || !hasFixedActivations(scheme)) continue;
      const output = scheme.activation?.mode === "integer" ? new ActivationRanges() : null;
      this.bySlot.set(name, { input: new ActivationRanges(), output });
    }
  }

  /** Whether the schemes of some slots fix activations. */
  get some(): boolean {
    return this.bySlot.size > 0;
  }

  /** Takes in the input of a slot, and what its layer makes of it now. */
  readonly observe = (slot: LinearSlot, input: Tensor): void => {
    const ranges = this.bySlot.get(slot.name);
    ranges?.input.add(input);
    ranges?.output?.add(slot.layer.forward(input));
  };

  /** Scales and zero points of a slot; null where its scheme does not fix them. */
  async activations(slot: string, estimator: RangeEstimator): Promise<LayerActivations | null> {
    const ranges = this.bySlot.get(slot);
    if (!ranges) return null;
    const fit = async (of: ActivationRanges) => {
      const { low, high } = await of.range(estimator);
      return fitActivations(low, high);
    };
    return {
      input: await fit(ranges.input),
      output: ranges.output && (await fit(ranges.output)),
    };
  }

  /** Gives the memory back. */
  release(): void {
    for (const { input, output } of this.bySlot.values()) {
      input.release();
      output?.release();
    }
  }
}
