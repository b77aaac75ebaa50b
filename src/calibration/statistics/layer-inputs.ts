import type { LinearSlot } from "../../nn/linear.ts";
import { cast } from "../../tensor/ops.ts";
import { scaleRows } from "../../tensor/quantization-ops.ts";
import { asMatrix } from "../../tensor/shape.ts";
import { joinRows } from "../../tensor/route-ops.ts";
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
  /** Tokens that came. */
  readonly tokens: number;
  /** Some inputs, `[tokens, inFeatures]` f32, tokens ≤ 256: what output errors are measured on. */
  readonly sample: Tensor<"f32">;
}

/** The same, still growing. */
interface GrowingStatistics extends InputStatistics {
  tokens: number;
  sample: Tensor<"f32">;
}

/** Gathers statistics of layer inputs: hand `observe` to block passes, `nextPass` before each. */
export class LayerInputs {
  private readonly needs: ReadonlySet<Statistic>;
  private readonly bySlot = new Map<string, GrowingStatistics>();
  private readonly seen = new Map<Tensor, GrowingStatistics>();

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
    const known = this.bySlot.get(slot.name);
    if (known) grow(known, input);
    const statistics = known ?? this.begin(input);
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

  private begin(input: Tensor): GrowingStatistics {
    const { rows, columns } = asMatrix(input.shape);
    return {
      hessian: this.needs.has("hessian") ? Hessian.empty(input.backend, columns) : null,
      magnitudes: this.needs.has("magnitudes") ? Magnitudes.empty(input.backend, columns) : null,
      energies: this.needs.has("energies") ? Energies.empty(input.backend, columns) : null,
      tokens: rows,
      sample: keep(firstRows(input, sampledTokens)),
    };
  }
}

/** Counts what comes, and takes of it what the sample still lacks. */
function grow(statistics: GrowingStatistics, input: Tensor): void {
  const { sample } = statistics;
  statistics.tokens += asMatrix(input.shape).rows;
  const lacking = sampledTokens - (sample.shape[0] ?? 0);
  if (lacking === 0) return;
  const more = firstRows(input, lacking);
  statistics.sample = keep(joinRows([sample, more]));
  sample.release();
  keep(more).release();
}

/** At most `count` rows of x `[..., n]`, f32. */
function firstRows(x: Tensor, count: number): Tensor<"f32"> {
  const { rows, columns } = asMatrix(x.shape);
  return cast(x.reshape([rows, columns]).slice(0, Math.min(rows, count)), "f32");
}
