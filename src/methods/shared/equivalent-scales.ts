import type { LinearLike } from "../../nn/linear.ts";
import type { Block, ScaleGroup, ScorePair } from "../../nn/quantizable-model.ts";
import {
  canShift,
  channelCount,
  scaleChannels,
  scaleScores,
  shiftChannels,
} from "../../nn/scale-channels.ts";
import { tokenLevels } from "../../quant/activation-grid.ts";
import type { LatentWeight } from "../../quant/latent-weight.ts";
import { add, copyInto, multiply } from "../../tensor/ops.ts";
import { linear } from "../../tensor/products.ts";
import { reciprocal } from "../../tensor/rounding-ops.ts";
import { takeElements, weighRows } from "../../tensor/route-ops.ts";
import { fakeQuantizeRows, roundScales } from "../../tensor/training-ops.ts";
import { Tensor, tidy } from "../../tensor/tensor.ts";
import type { Parameter } from "../../training/parameter.ts";
import type { ScalableChannels } from "../define-method.ts";
import { smoothGroup } from "./smoothing-factors.ts";

/** Factors are at least this, as OmniQuant's authors have it. */
const leastFactor = 1e-2;

/** Factors `[channels]` that are learned, and what they begin with. */
interface LearnedFactors {
  readonly value: Tensor<"f32">;
  readonly start: Float32Array;
}

/** What is learned of a scale group. */
interface LearnedGroup {
  readonly factors: LearnedFactors;
  /** What is subtracted from each channel before it is divided; null for nothing. */
  readonly shifts: Tensor<"f32"> | null;
}

/** Which of some factors each row or column of a weight has, and whether it is divided by it. */
interface Use {
  readonly factors: LearnedFactors;
  readonly places: Tensor<"i32"> | null;
  readonly divides: boolean;
}

/**
 * Learned equivalent scales of a block (OmniQuant, arXiv 2308.13137, section 3.3): a factor for each
 * channel of a scale group, by which what produces it is divided and the columns of its consumers
 * multiplied, and for each pair of channels of queries and keys, by which one is divided and the
 * other multiplied; behind norms with biases shifts, too. While they are trained the linears behind a
 * norm shift and divide their inputs themselves; `fold` moves all into norms, weights and biases.
 */
export class EquivalentScales {
  /** All factors and shifts, in the group `channels`. */
  readonly parameters: readonly Parameter[];
  private readonly groups: ReadonlyMap<ScaleGroup, LearnedGroup>;
  private readonly scores: { readonly pair: ScorePair; readonly factors: LearnedFactors } | null;
  private readonly columns = new Map<string, Use>();
  /** Factors that inputs are divided by in the slot: a norm gives them as they are. */
  private readonly inputs = new Map<string, Use>();
  private readonly shifts = new Map<string, Tensor<"f32">>();
  private readonly rows = new Map<string, Use>();

  private constructor(
    block: Block,
    groups: ReadonlyMap<ScaleGroup, LearnedGroup>,
    scores: EquivalentScales["scores"],
  ) {
    this.groups = groups;
    this.scores = scores;
    const parameter = (name: string, value: Tensor<"f32">): Parameter => {
      return { name: `${block.name}.${name}`, value, group: "channels" };
    };
    this.parameters = [
      ...[...groups].flatMap(([{ producer }, { factors, shifts }]) => [
        parameter(`${producer}.factors`, factors.value),
        ...(shifts ? [parameter(`${producer}.shifts`, shifts)] : []),
      ]),
      ...(scores ? [parameter("scores.factors", scores.factors.value)] : []),
    ];
    for (const [group, { factors, shifts }] of groups) {
      const { producer, producerKind, consumers, channelOf } = group;
      const places = channelOf ? indices(factors.value, channelOf) : null;
      const inverse = { factors, places: null, divides: true };
      for (const slot of consumers) {
        this.columns.set(slot, { factors, places, divides: false });
        if (producerKind === "norm") this.inputs.set(slot, inverse);
        if (shifts) this.shifts.set(slot, shifts);
      }
      if (producerKind === "linear") this.rows.set(producer, inverse);
    }
    if (!scores) return;
    const { pair, factors } = scores;
    const [query, key] = [pair.factorOfQuery, pair.factorOfKey].map((of) =>
      indices(factors.value, of),
    );
    this.rows.set(pair.query, { factors, places: query, divides: true });
    this.rows.set(pair.key, { factors, places: key, divides: false });
  }

  /**
   * Finds what training begins with: SmoothQuant's factors of groups, 1 for queries and keys, and shifts
   * of 0, where there are any. Until `begin` all factors are 1.
   */
  static async of(
    {
      model,
      block,
    }: { readonly model: { readonly backend: Tensor["backend"] }; readonly block: Block },
    { groups, scores, statisticsOf }: ScalableChannels,
    { alpha, shifts }: { readonly alpha: number; readonly shifts: boolean },
  ): Promise<EquivalentScales> {
    const { backend } = model;
    const learned = (start: Float32Array): LearnedFactors => ({
      value: ones(backend, start),
      start,
    });
    const ofGroups = new Map<ScaleGroup, LearnedGroup>();
    for (const group of groups) {
      const smooth = await smoothGroup({ block, statisticsOf }, group, alpha);
      const channels = channelCount(block, group);
      ofGroups.set(group, {
        factors: learned(smooth ?? new Float32Array(channels).fill(1)),
        shifts: shifts && canShift(block, group) ? Tensor.zeros(backend, "f32", [channels]) : null,
      });
    }
    const pair = scores && {
      pair: scores,
      factors: learned(new Float32Array(scores.factors).fill(1)),
    };
    return new EquivalentScales(block, ofGroups, pair);
  }

  /** Sets the factors to what training begins with. */
  begin(): void {
    for (const { value, start } of this.all()) {
      copyInto(value, Tensor.from(value.backend, "f32", value.shape, start));
    }
  }

  /** What becomes of the weight of a slot, recorded. */
  scaled(slot: string): (weight: Tensor<"f32">) => Tensor<"f32"> {
    return (weight) => {
      const [rows, columns] = [current(this.rows.get(slot)), current(this.columns.get(slot))];
      const byRow = rows ? weighRows(weight, rows) : weight;
      return columns ? multiply(byRow, columns) : byRow;
    };
  }

  /** The layer of a slot with such a weight: it divides and rounds its inputs itself. */
  layerOf(slot: string, weight: LatentWeight, bias: Tensor<"f32"> | null): LinearLike {
    const { outFeatures, inFeatures, scheme } = weight;
    const levels = scheme.activation && tokenLevels(scheme.activation);
    const forward = (x: Tensor): Tensor<"f32"> => {
      const [rows, inverse] = [current(this.rows.get(slot)), current(this.inputs.get(slot))];
      const shifts = this.shifts.get(slot);
      const shifted = shifts ? add(x, negative(shifts)) : x;
      const scaled = inverse ? multiply(shifted, inverse) : shifted;
      const rounded = levels === null ? scaled : fakeQuantizeRows(scaled, levels);
      const product = linear(rounded, weight.weights());
      if (!bias) return product;
      const own = shifts ? add(bias, weightTimes(weight.weight, shifts)) : bias;
      return add(product, rows ? multiply(own, rows) : own);
    };
    return { outFeatures, inFeatures, forward };
  }

  /**
   * Moves the factors into the block, whose linears must be float ones again. Returns the smallest and
   * the largest.
   */
  async fold(block: Block): Promise<{ smallestFactor: number; largestFactor: number }> {
    let [smallestFactor, largestFactor] = [Infinity, 0];
    const read = async ({ value }: LearnedFactors): Promise<Float32Array> => {
      const rounded = tidy(() => roundScales(value, leastFactor));
      const factors = await rounded.read();
      rounded.release();
      smallestFactor = factors.reduce((least, factor) => Math.min(least, factor), smallestFactor);
      largestFactor = factors.reduce((most, factor) => Math.max(most, factor), largestFactor);
      return factors;
    };
    for (const [group, { factors, shifts }] of this.groups) {
      if (shifts) shiftChannels(block, group, shifts);
      await scaleChannels(block, group, await read(factors));
    }
    if (this.scores) await scaleScores(block, this.scores.pair, await read(this.scores.factors));
    return { smallestFactor, largestFactor };
  }

  /** Gives the memory back. */
  release(): void {
    for (const { value } of this.all()) value.release();
    for (const { shifts } of this.groups.values()) shifts?.release();
    for (const { places } of [...this.rows.values(), ...this.columns.values()]) places?.release();
  }

  private all(): LearnedFactors[] {
    const ofGroups = [...this.groups.values()].map(({ factors }) => factors);
    return [...ofGroups, ...(this.scores ? [this.scores.factors] : [])];
  }
}

/** What rows or columns are multiplied by now, recorded; null for nothing. */
function current(use: Use | undefined): Tensor<"f32"> | null {
  if (!use) return null;
  const { factors, places, divides } = use;
  const kept = roundScales(factors.value, leastFactor);
  const each = places ? takeElements(kept, places) : kept;
  return divides ? reciprocal(each) : each;
}

function negative(x: Tensor<"f32">): Tensor<"f32"> {
  const minus = new Float32Array(x.size).fill(-1);
  return multiply(x, Tensor.from(x.backend, "f32", x.shape, minus));
}

/** `W·x` of a weight `[out, in]` and a vector `[in]`. */
function weightTimes(weight: Tensor<"f32">, x: Tensor<"f32">): Tensor<"f32"> {
  return linear(x.reshape([1, x.size]), weight).reshape([weight.shape[0] ?? 0]);
}

function ones(backend: Tensor["backend"], { length }: Float32Array): Tensor<"f32"> {
  return Tensor.from(backend, "f32", [length], new Float32Array(length).fill(1));
}

function indices({ backend }: Tensor, of: Int32Array): Tensor<"i32"> {
  return Tensor.from(backend, "i32", [of.length], of);
}
