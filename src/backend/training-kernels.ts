import type { PackedOperand } from "./packed-operand.ts";
import type { TensorView } from "./tensor-view.ts";

/** How queries saw keys in the pass whose gradient is wanted; every key of the window is valid. */
export interface AttentionBackwardOptions {
  /** Factor on the scores. */
  readonly scale: number;
  /** A query at position p saw keys in `(p − window, p]`; absent means all keys up to p. */
  readonly window?: number;
  /** Scores were capped, see `AttentionOptions`. */
  readonly softCap?: number;
}

/**
 * How a weight w becomes a value of a grid with scale s, and which gradients flow through that;
 * `u = (w − o)/s`, 0 where s is 0, with the offset o of the group (0 without), which is added to
 * each value below: `∂ŵ/∂o = 1 − ∂ŵ/∂w`; `t = u + v` with the shift v of the weight (0 without):
 * `∂ŵ/∂v = s·∂ŵ/∂w`.
 *
 * - `round`: `ŵ = s·(rne(clip(t, low, high)·resolution − shift) + shift)/resolution`.
 *   `∂ŵ/∂s = lowSlope` for t < low, `highSlope` for t > high, otherwise `ŵ/s − u`; `∂ŵ/∂w = 1`
 *   inside [low, high], else 0 (1 everywhere with `passOutside`). Covers LSQ (resolution 1, shift
 *   0), SEQ of ParetoQ and absmean ternary.
 * - `zero-point`: `ŵ = s·(q − z)`, `q = clip(rne(t) + z, 0, high)` with z = clip(rne(zero), 0,
 *   high); `∂ŵ/∂w = I`, `∂ŵ/∂s = (q − z) − I·u`, `∂ŵ/∂zero = −s·(1 − I)`, I = 1 where `rne(t) + z`
 *   is inside [0, high] and, for `∂zero` only, 0 where rne(zero) is outside [0, high].
 *   EfficientQAT, and SignRound with its shifts.
 * - `sign`: `ŵ = s·sign(t)`, sign(0) = +1; `∂ŵ/∂s = sign(t)`; `∂ŵ/∂w = 1` for `−1 ≤ t ≤ 1`, else 0
 *   (elastic binarization). Without scales s = 1 and `∂ŵ/∂w = 1.001 − tanh²(t)` (OneBit).
 */
export interface StraightThrough {
  readonly rule: "round" | "zero-point" | "sign";
  readonly low: number;
  readonly high: number;
  readonly resolution: number;
  readonly shift: number;
  readonly lowSlope: number;
  readonly highSlope: number;
  readonly passOutside: boolean;
}

/** Parameters of fake quantization, `[rows, ceil(n/groupSize)]` f32 each; null means 1, 0 and 0. */
export interface FakeQuantizeGroups {
  readonly scales: TensorView | null;
  readonly zeros: TensorView | null;
  readonly offsets: TensorView | null;
  /** `[rows, n]`, one for each weight: moves it before it is rounded, in units of the scale. */
  readonly shifts: TensorView | null;
  /** Columns a group; the last group of a row may be shorter. */
  readonly groupSize: number;
}

/** What gradients of fake quantization are written to; null where one is not wanted. */
export interface FakeQuantizeGradients {
  /** `[rows, n]` f32 */
  readonly dWeight: TensorView | null;
  /** `[rows, groups]` f32, as are the others. */
  readonly dScales: TensorView | null;
  readonly dZeros: TensorView | null;
  readonly dOffsets: TensorView | null;
  /** `[rows, n]` f32 */
  readonly dShifts: TensorView | null;
}

/**
 * Ranges of groups and how much of them is kept, all `[rows, groups]` f32: `[low, high]` with zero
 * within, of which `[a, b] = [low·lowFactor, high·highFactor]` is left.
 */
export interface FactoredRanges {
  readonly low: TensorView;
  readonly high: TensorView;
  readonly lowFactors: TensorView;
  readonly highFactors: TensorView;
}

/**
 * How scales and zero points follow from the range `[a, b]` that is kept:
 *
 * - asymmetric: `s = (b − a)/top`, `z = −a/s`, for codes 0 … top.
 * - symmetric: `s = max(−a, b)/top`, negative where `b ≥ −a`, `z = top`, for codes 0 … 2·top − 1: what
 *   lies farthest from zero has the code 0, of the largest magnitude.
 * - centred: `s = max(−a, b)/top`, for values that lie evenly on both sides of zero; no zero point.
 *
 * s is rounded to float16, its magnitude in [least, 65504].
 */
export interface RangeRule {
  readonly kind: "asymmetric" | "symmetric" | "centred";
  readonly top: number;
  readonly least: number;
  /** How weights are rounded with these. */
  readonly rounding: StraightThrough;
}

/** One step of signed gradient descent. */
export interface SignDescentOptions {
  readonly learningRate: number;
  /** Factor on the sum of the gradients before this one. */
  readonly momentum: number;
  /** Values are kept within [low, high]. */
  readonly low: number;
  readonly high: number;
}

/** One step of AdamW. */
export interface AdamWOptions {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled: `w ← w·(1 − learningRate·weightDecay)` before the update. */
  readonly weightDecay: number;
  /** Number of this step, from 1; corrects the bias of the moments. */
  readonly step: number;
  /** Factor on the gradient before anything else, for clipping. */
  readonly gradientScale: number;
}

/**
 * The ops of training. As all ops they enqueue work and return at once; shapes are checked by the
 * caller, all tensors are f32 unless stated, and gradients are overwritten, not added to. `dX`
 * stands for the gradient of the loss by X; a null output is not wanted. Results do not depend on
 * the number of threads.
 */
export interface TrainingKernels {
  /**
   * Gradients of `attention`: q, out, dQ `[batch, length, heads, headDim]`, k, v, dK, dV
   * `[batch, length, kvHeads,
   * headDim]`. Scores are made again for a strip of queries at a time, never as a whole matrix.
   */
  attentionBackward(
    dQ: TensorView,
    dK: TensorView,
    dV: TensorView,
    dOut: TensorView,
    q: TensorView,
    k: TensorView,
    v: TensorView,
    options: AttentionBackwardOptions,
  ): void;
  /** `dX` of `rope`: rotation by the negative angle; shapes as in `rope`. `dX` may be `dOut`. */
  ropeBackward(
    dX: TensorView,
    dOut: TensorView,
    cos: TensorView,
    sin: TensorView,
    start: number,
  ): void;
  /** Gradients of `rmsNorm` of x `[T, n]` by x and by the weight `[n]`. */
  rmsNormBackward(
    dX: TensorView | null,
    dWeight: TensorView | null,
    dOut: TensorView,
    x: TensorView,
    weight: TensorView,
    eps: number,
  ): void;
  /** Gradients of `layerNorm` of x `[T, n]` by x, weight `[n]`, bias `[n]`; null weight means 1. */
  layerNormBackward(
    dX: TensorView | null,
    dWeight: TensorView | null,
    dBias: TensorView | null,
    dOut: TensorView,
    x: TensorView,
    weight: TensorView | null,
    eps: number,
  ): void;
  /** Gradients of `swiglu`, all of one shape. `dGate` or `dUp` may be `dOut`. */
  swigluBackward(
    dGate: TensorView,
    dUp: TensorView,
    dOut: TensorView,
    gate: TensorView,
    up: TensorView,
  ): void;
  /** Gradient of `gelu`. `dX` may be `dOut`. */
  geluBackward(
    dX: TensorView,
    dOut: TensorView,
    x: TensorView,
    approximation: "none" | "tanh",
  ): void;
  /** `dX = dOut` where x is above 0, elsewhere 0. `dX` may be `dOut`. */
  reluBackward(dX: TensorView, dOut: TensorView, x: TensorView): void;
  /** Gradient of `softCap` from its result y: `dOut · (1 − (y / cap)²)`. `dX` may be `dOut`. */
  softCapBackward(dX: TensorView, dOut: TensorView, y: TensorView, cap: number): void;
  /**
   * `dX [T, m]` of `takeColumns`: dOut `[T, n]` in the columns that were taken, 0 in the others.
   */
  takeColumnsBackward(dX: TensorView, dOut: TensorView, columns: TensorView): void;
  /** Gradient of `softmax` from its result `y [T, n]`: `y·(dOut − Σ dOut·y)`; may be `dOut`. */
  softmaxBackward(dX: TensorView, dOut: TensorView, y: TensorView): void;
  /**
   * `dLogits [T, vocabulary] = scale·(softmax(logits) − onehot(target))`; rows whose target (i32)
   * is negative give 0, as their loss is 0. `dLogits` may be `logits`.
   */
  crossEntropyBackward(
    dLogits: TensorView,
    logits: TensorView,
    targets: TensorView,
    scale: number,
  ): void;
  /**
   * `dStudent [T, vocabulary] = scale·(softmax(student) − softmax(teacher))`: gradient of
   * `scale·Σ_t KL(teacher ‖ student)`. `dStudent` may be `student`.
   */
  klDivergenceBackward(
    dStudent: TensorView,
    teacher: TensorView,
    student: TensorView,
    scale: number,
  ): void;
  /**
   * `dTable [vocabulary, d]`: row v is the sum of the rows of `dOut [T, d]` with id (i32) v; where it
   * `adds`, that and what the row was.
   */
  embeddingBackward(dTable: TensorView, dOut: TensorView, ids: TensorView, adds: boolean): void;
  /** `out [n] = Σ_t x[t]` for x `[T, n]`, summed in float64. */
  columnSums(out: TensorView, x: TensorView): void;
  /** `sum [1] f64 += Σ x²`. */
  sumSquares(sum: TensorView, x: TensorView): void;
  /**
   * `total [1] f64 = Σ_t weights[t]·Σ (a[t] − b[t])²` for rows of `[T, n]`, and
   * `difference[t] = scale·weights[t]·(a[t] − b[t])`, which may be `a`; null weights mean 1.
   */
  squaredError(
    total: TensorView,
    difference: TensorView,
    a: TensorView,
    b: TensorView,
    weights: TensorView | null,
    scale: number,
  ): void;
  /**
   * `errors [T] = ‖teacher/‖teacher‖ − student/‖student‖‖²` for rows of `[T, n]`, and
   * `dStudent = scale ·
   * ∂errors[t]/∂student`; norms are at least 1e-12. Source: OneBit, arXiv 2402.11295, section 3.4.
   */
  directionError(
    errors: TensorView,
    dStudent: TensorView | null,
    teacher: TensorView,
    student: TensorView,
    scale: number,
  ): void;
  /**
   * `out [rows, n]` (f32 or bf16) = ŵ of `weight [rows, n]` by `how`. The scales are used as they
   * are: a caller that stores them in 16 bits rounds them first.
   */
  fakeQuantize(
    out: TensorView,
    weight: TensorView,
    groups: FakeQuantizeGroups,
    how: StraightThrough,
  ): void;
  /**
   * Gradients of `fakeQuantize`, those of groups summed over each; `dWeight` or `dShifts` may be
   * `dOut`.
   */
  fakeQuantizeBackward(
    gradients: FakeQuantizeGradients,
    dOut: TensorView,
    weight: TensorView,
    groups: FakeQuantizeGroups,
    how: StraightThrough,
  ): void;
  /**
   * `out = clip(scales, least, 65504)` rounded to float16, of one shape. With `thirds` it is first
   * rounded to three times a number of 9 bits. `out` may be `scales`.
   */
  roundScales(out: TensorView, scales: TensorView, least: number, thirds: boolean): void;
  /**
   * `errors [rows, groups] = Σ over a group of importance·(ŵ − w)²` with ŵ as `fakeQuantize` gives it
   * and the importance of columns `[n]`, 1 without.
   */
  roundingErrors(
    errors: TensorView,
    importance: TensorView | null,
    weight: TensorView,
    groups: FakeQuantizeGroups,
    how: StraightThrough,
  ): void;
  /** `scales` and `zeros [rows, groups]` of ranges by `how`; zero points are not rounded yet. */
  rangeScales(scales: TensorView, zeros: TensorView, ranges: FactoredRanges, how: RangeRule): void;
  /**
   * Gradients of `rangeScales` by the factors, with roundings as if there were none, and none through
   * a scale that was clipped; `dLowFactors` and `dHighFactors` may be `dScales` and `dZeros`. Where
   * both sides of a symmetric range are equal, each counts for half.
   */
  rangeScalesBackward(
    dLowFactors: TensorView,
    dHighFactors: TensorView,
    dScales: TensorView,
    dZeros: TensorView,
    ranges: FactoredRanges,
    how: RangeRule,
  ): void;
  /**
   * `out = low + step·h(v)` (f32 or bf16), all of one shape: weights between the grid's values below
   * and above them, by the rectified sigmoid `h(v) = clip(1.2·σ(v) − 0.1, 0, 1)`; with `hard` by 1
   * for v ≥ 0, else 0. Source: AdaRound, arXiv 2004.10568, equations 22 and 23.
   */
  roundSoftly(
    out: TensorView,
    low: TensorView,
    step: TensorView,
    v: TensorView,
    hard: boolean,
  ): void;
  /** `dV = dOut·step·h'(v)` of `roundSoftly` without `hard`; h' is 0 where h is clipped. */
  roundSoftlyBackward(dV: TensorView, dOut: TensorView, step: TensorView, v: TensorView): void;
  /**
   * `dV += weight·∂/∂v Σ (1 − |2·h(v) − 1|^power)`, of one shape: what pushes roundings to 0 or 1.
   * Source: AdaRound, equation 24.
   */
  addRoundingPenalty(dV: TensorView, v: TensorView, weight: number, power: number): void;
  /**
   * `low`, `high [rows, groups]`: least and largest weight of each group of `weight [rows, n]`, with
   * zero among them. The last group of a row may be shorter than `groupSize`.
   */
  groupRanges(low: TensorView, high: TensorView, weight: TensorView, groupSize: number): void;
  /**
   * Adds to `dWeight [rows, n]` what flows to the ends of the ranges that `groupRanges` found, given
   * the gradients of `rangeScalesBackward` by the factors of both sides: `dFactor · factor / end`,
   * shared evenly by all weights of the group that lie there. An end of 0 is no weight's.
   */
  groupRangesBackward(
    dWeight: TensorView,
    dLowFactors: TensorView,
    dHighFactors: TensorView,
    weight: TensorView,
    ranges: FactoredRanges,
    groupSize: number,
  ): void;
  /** `out = 1/(1 + e^−x)`, elementwise; for few values. */
  sigmoid(out: TensorView, x: TensorView): void;
  /** Gradient of `sigmoid` from its result y: `dOut · y · (1 − y)`. `dX` may be `dOut`. */
  sigmoidBackward(dX: TensorView, dOut: TensorView, y: TensorView): void;
  /** `out = 1/x`, elementwise; for few values. */
  reciprocal(out: TensorView, x: TensorView): void;
  /** Gradient of `reciprocal` from its result y: `−dOut · y²`. `dX` may be `dOut`. */
  reciprocalBackward(dX: TensorView, dOut: TensorView, y: TensorView): void;
  /** Rounds each row of x `[T, n]` to `s·rne(x/s)`, `s = max|x|/levels` (0 stays 0); in place. */
  fakeQuantizeRows(out: TensorView, x: TensorView, levels: number): void;
  /**
   * `out [outFeatures, inFeatures]` (f32 or bf16): the decoded weight of a packed operand with
   * `scales [outFeatures, groups]` f32 in place of its own; where rows are runs of blocks, with
   * `scales` and, unless null, `offsets`, both `[outFeatures, blocks]`, in place of those of the
   * blocks: `scales·subScale·(origin + step·code) ± offsets·subOffset`.
   */
  decodePacked(
    out: TensorView,
    operand: PackedOperand,
    scales: TensorView,
    offsets: TensorView | null,
  ): void;
  /**
   * `dScales [outFeatures, groups] = Σ_group dOut [outFeatures, inFeatures] · value / scale`; of
   * blocks `Σ_block dOut · (value less its offset) / scale`, and `dOffsets = Σ_block ±dOut ·
   * subOffset` unless null.
   */
  decodePackedBackward(
    dScales: TensorView,
    dOffsets: TensorView | null,
    dOut: TensorView,
    operand: PackedOperand,
  ): void;
  /**
   * `m ← momentum·m + gradient`, `value ← clip(value − learningRate·sign(m), low, high)` in place,
   * sign(0) = 0; without moments m is the gradient. All of one shape.
   */
  signDescent(
    value: TensorView,
    moments: TensorView | null,
    gradient: TensorView,
    options: SignDescentOptions,
  ): void;
  /**
   * `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`, `w ← w·(1 − lr·wd) − lr·m̂/(√v̂ + ε)` in place,
   * where `g = gradientScale · gradient`, `m̂ = m/(1−β₁^step)`, `v̂ = v/(1−β₂^step)`. All of one
   * shape; m and v f32, or both bf16: then they are rounded stochastically, by a hash of step and
   * element. Source: arXiv 1711.05101, in PyTorch's order.
   */
  adamw(
    weight: TensorView,
    m: TensorView,
    v: TensorView,
    gradient: TensorView,
    options: AdamWOptions,
  ): void;
}
