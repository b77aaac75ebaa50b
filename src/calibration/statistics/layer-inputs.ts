import type { LinearSlot } from "../../nn/linear.ts";
import { cast } from "../../tensor/ops.ts";
import { scaleRows } from "../../tensor/quantization-ops.ts";
import { asMatrix } from "../../tensor/shape.ts";
import { keep, type Tensor } from "../../tensor/tensor.ts";
import { Energies } from "./energies.ts";
import { Hessian } from "./hessian.ts";
import { Magnitudes } from "./magnitudes.ts";

const sampledTokens = 256;

/**
 * What can be gathered of a layer's inputs besides a sample: second moments, magnitudes, sums of
 * squares.
 */
export type Statistic = "hessian" | "magnitudes" | "energies";

/** What was gathered of the inputs of a slot, shared by all slots with the same input. */
export interface InputStatistics {
  readonly hessian: Hessian | null;
  readonly magnitudes: Magnitudes | null;
  readonly energies: Energies | null;
  /** Some inputs, `[tokens, inFeatures]` f32, tokens ≤ 256: what output errors are measured on. */
  readonly sample: Tensor<"f32">;
}

/** Gathers statistics of layer inputs: hand `observe` to block passes, `nextPass` before each. */
export class LayerInputs {
  private readonly needs: ReadonlySet<Statistic>;
  private readonly bySlot = new Map<string, InputStatistics>();
  private readonly seen = new Map<Tensor, InputStatistics>();

  /** @param needs what is gathered besides a sample */
  constructor(needs: readonly Statistic[]) {
    this.needs = new Set(needs);
  }

  /** Forgets which tensors were seen: the next pass has inputs of its own. */
  nextPass(): void {
    this.seen.clear();
  }

  /**
   * Takes in the input `[..., inFeatures]` of a slot. Slots shown the same tensor share. Second
   * moments and magnitudes are those of the input times `factors [tokens]`, where there are some.
   */
  readonly observe = (
    slot: LinearSlot,
    input: Tensor,
    factors: Tensor<"f32"> | null = null,
  ): void => {
    const shared = this.seen.get(input);
    if (shared) {
      this.bySlot.set(slot.name, shared);
      return;
    }
    const statistics = this.bySlot.get(slot.name) ?? this.begin(input);
    this.bySlot.set(slot.name, statistics);
    this.seen.set(input, statistics);
    const { hessian, magnitudes, energies } = statistics;
    const scaled = factors && (hessian || magnitudes) ? scaleRows(input, factors) : input;
    hessian?.add(scaled);
    magnitudes?.add(scaled);
    energies?.add(input);
    if (scaled !== input) scaled.release();
  };

  /** Returns what was gathered for a slot; undefined when it was never observed. */
  of(slot: Pick<LinearSlot, "name">): InputStatistics | undefined {
    return this.bySlot.get(slot.name);
  }

  /** Gives the memory back. */
  release(): void {
    for (const { hessian, magnitudes, energies, sample } of new Set(this.bySlot.values())) {
      hessian?.release();
      magnitudes?.release();
      energies?.release();
      sample.release();
    }
    this.bySlot.clear();
    this.seen.clear();
  }

  private begin(input: Tensor): InputStatistics {
    const { rows, columns } = asMatrix(input.shape);
    const some = input.reshape([rows, columns]).slice(0, Math.min(rows, sampledTokens));
    return {
      hessian: this.needs.has("hessian") ? Hessian.empty(input.backend, columns) : null,
      magnitudes: this.needs.has("magnitudes") ? Magnitudes.empty(input.backend, columns) : null,
      energies: this.needs.has("energies") ? Energies.empty(input.backend, columns) : null,
      sample: keep(cast(some, "f32")),
    };
  }
}
