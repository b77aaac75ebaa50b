import type { LinearSlot } from "../../nn/linear.ts";
import { cast } from "../../tensor/ops.ts";
import { asMatrix } from "../../tensor/shape.ts";
import { keep, type Tensor } from "../../tensor/tensor.ts";
import { Hessian } from "./hessian.ts";

const sampledTokens = 256;

/** What was gathered of the inputs of a slot, shared by all slots with the same input. */
export interface InputStatistics {
  readonly hessian: Hessian | null;
  /** Some of the inputs, `[tokens, inFeatures]` f32, tokens ≤ 256: what output errors are measured on. */
  readonly sample: Tensor<"f32">;
}

/**
 * Gathers statistics of linear layers' inputs while blocks run: hand `observe` to the block pass, and
 * call `nextPass` before each.
 */
export class LayerInputs {
  private readonly needsHessian: boolean;
  private readonly bySlot = new Map<string, InputStatistics>();
  private readonly seen = new Map<Tensor, InputStatistics>();

  /** @param needsHessian whether second moments are gathered, or only a sample */
  constructor(needsHessian: boolean) {
    this.needsHessian = needsHessian;
  }

  /** Forgets which tensors were seen: the next pass has inputs of its own. */
  nextPass(): void {
    this.seen.clear();
  }

  /** Takes in the input `[..., inFeatures]` of a slot. Slots that are shown the same tensor share. */
  readonly observe = (slot: LinearSlot, input: Tensor): void => {
    const shared = this.seen.get(input);
    if (shared) {
      this.bySlot.set(slot.name, shared);
      return;
    }
    const statistics = this.bySlot.get(slot.name) ?? this.begin(input);
    this.bySlot.set(slot.name, statistics);
    this.seen.set(input, statistics);
    statistics.hessian?.add(input);
  };

  /** Returns what was gathered for a slot; undefined when it was never observed. */
  of(slot: LinearSlot): InputStatistics | undefined {
    return this.bySlot.get(slot.name);
  }

  /** Gives the memory back. */
  release(): void {
    for (const { hessian, sample } of new Set(this.bySlot.values())) {
      hessian?.release();
      sample.release();
    }
    this.bySlot.clear();
    this.seen.clear();
  }

  private begin(input: Tensor): InputStatistics {
    const { rows, columns } = asMatrix(input.shape);
    const some = input.reshape([rows, columns]).slice(0, Math.min(rows, sampledTokens));
    return {
      hessian: this.needsHessian ? Hessian.empty(input.backend, columns) : null,
      sample: keep(cast(some, "f32")),
    };
  }
}
