import type { QualityKind } from "../../evaluation/figures.ts";
import type { Interval } from "../../evaluation/statistics/interval.ts";
import type { Better, Difference } from "../../evaluation/statistics/paired-comparison.ts";

/**
 * What a sweep says, as far as its data go: for each quality the fronts, the curves over model
 * sizes and where they cross. Ids of costs are those of figures, ids of points
 * those of `SweepPoint`.
 */
export interface SweepAnalysis {
  readonly qualities: readonly QualityAnalysis[];
}

/** Sizes that curves are drawn over: the whole file, or the weights of the linear layers alone. */
export type SizeId = "size" | "linear-size";

/**
 * What is known of one quality: `perplexity:test.txt`, `kl:test.txt`, `task:where`,
 * `repetition:continuations`, `continuation-kl:continuations`, `average:paretoq-8`; where there is no named average, `average:tasks` is the mean over all tasks.
 * Models that cut a text into other tokens have an analysis of their own under the same id, and so
 * has each model's divergence from its own original.
 */
export interface QualityAnalysis {
  readonly id: string;
  readonly kind: QualityKind;
  /** The text, task or average. */
  readonly subject: string;
  readonly better: Better;
  /** Models of the points, the smallest first. */
  readonly models: readonly string[];
  /** Points that were measured on the same tokens or items. */
  readonly points: readonly PointFigure[];
  /** Each point but the originals against the original of its model, taken as one family. */
  readonly againstOriginal: readonly PairDifference[];
  /** Methods of one model at one bit-width. */
  readonly contests: readonly Contest[];
  readonly fronts: readonly Front[];
  readonly curves: readonly SizeCurve[];
  readonly crossovers: readonly Crossover[];
}

/** A point's figure in the quality's own unit (perplexity, nats, share of right answers). */
export interface PointFigure {
  readonly id: string;
  readonly value: number;
  readonly interval: Interval;
}

/**
 * Difference `a − b` of two points: of mean losses in nats for a perplexity (so `exp` of it is the
 * ratio of perplexities), of the figures themselves otherwise.
 */
export interface PairDifference {
  readonly a: string;
  readonly b: string;
  readonly difference: Difference;
}

/** The methods that one model was quantized with at one bit-width. */
export interface Contest {
  readonly model: string;
  readonly bits: number;
  /** Best first. */
  readonly points: readonly string[];
  /** Those that cannot be told apart from the first. */
  readonly tied: readonly string[];
}

/** The best that can be had for each cost. */
export interface Front {
  /** Id of the figure. */
  readonly cost: string;
  /** Points on the front, from the cheapest. */
  readonly points: readonly string[];
  readonly dominated: readonly Dominated[];
}

/** A point that another one beats at no more cost. */
export interface Dominated {
  readonly id: string;
  /** The points of the front that beat it, from the cheapest. */
  readonly by: readonly string[];
  /** Whether a paired comparison says so, corrected for all points of the front's chart. */
  readonly clear: boolean;
}

/** One method and scheme over models of several sizes. */
export interface SizeCurve {
  /** Label of its points: `gptq w2g64`, `original`. */
  readonly label: string;
  readonly bits: number;
  readonly size: SizeId;
  /** Whether it stands for its bit-width in crossovers: the best label there over all models. */
  readonly best: boolean;
  /** Measured points, by size. */
  readonly points: readonly (PointFigure & {
    readonly sizeBytes: number;
    /**
     * Bytes of an original of the same quality, read off the curve of the originals; null for
     * originals, and where no two of them enclose the value.
     */
    readonly worth: SizeWithInterval | null;
  })[];
  /** Null with less than three sizes, and for accuracies. */
  readonly fit: ScalingCurve | null;
}

/** `L(N) = floor + scale · N^−exponent`: loss in nats a token over bytes. */
export interface ScalingCurve {
  /** Zero where the sizes do not tell whether there is one. */
  readonly floor: number;
  /** The sizes tell the floor apart from none. */
  readonly floorIdentified: boolean;
  readonly scale: number;
  readonly exponent: number;
  readonly exponentInterval: Interval;
  /** Largest deviation of a measured loss from the curve, in nats a token. */
  readonly worstResidual: number;
  /** The curve and its 95 % band in the quality's unit (perplexity), over the sizes measured. */
  readonly band: readonly SizedInterval[];
}

/** A value at a size, with its interval. */
export interface SizedInterval {
  readonly sizeBytes: number;
  readonly value: number;
  readonly interval: Interval;
}

/** Two bit-widths at equal size, by interpolation in the logarithm of the size. */
export interface Crossover {
  readonly size: SizeId;
  /** Label of the fewer bits (`a` of the differences), and of the more (`b`). */
  readonly fewer: { readonly label: string; readonly bits: number };
  readonly more: { readonly label: string; readonly bits: number };
  /** Sizes where both have points around. */
  readonly from: number;
  readonly to: number;
  /** Mean of the difference over those sizes (in their logarithm); unit as in `PairDifference`. */
  readonly mean: Difference;
  /** The difference at sizes from `from` to `to`. */
  readonly along: readonly SizedInterval[];
  /**
   * Points of a larger model in the fewer bits (`a`) against those of a smaller one in the more
   * bits (`b`), where the sizes differ by less than a tenth.
   */
  readonly neighbours: readonly PairDifference[];
  /** Sizes at which the curves cross. */
  readonly crossings: readonly SizeWithInterval[];
}

/** A size, with its 95 % interval where nearly all draws have one. */
export interface SizeWithInterval {
  readonly sizeBytes: number;
  readonly interval: Interval | null;
}
