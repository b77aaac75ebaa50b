import { fitColumns } from "../tensor/quantization-ops.ts";
import { multiply } from "../tensor/ops.ts";
import { fakeQuantize, roundScales } from "../tensor/training-ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { SchemeError } from "../util/errors.ts";
import { floatsToHalves, halvesToFloats } from "../util/half.ts";
import { roundHalfEven } from "../util/rounding.ts";
import { codesOfValues } from "./codes-of-values.ts";
import type { GridTraining, ScaleStart } from "./grid.ts";
import { type LatentParameter, LatentWeight } from "./latent-weight.ts";
import { QTensor } from "./q-tensor.ts";
import { groupsPerRow, type Scheme } from "./scheme.ts";
import { startScales } from "./scale-start.ts";

/**
 * A latent weight under a scheme whose scales and zero points are stored by themselves, with
 * gradients to the weight, its scales and its zero points as the grid declares them
 * (`GridTraining`). Scales are rounded to float16 on the way, gradients passing as if they were
 * not, so that what is trained is what `freeze` packs.
 */
export class FakeQuantized extends LatentWeight {
  /** Learned scales `[outFeatures, groups]`; null where they follow the weights. */
  readonly scales: Tensor<"f32"> | null;
  /** Learned zero points `[outFeatures, groups]`; null where the grid has none. */
  readonly zeros: Tensor<"f32"> | null;
  private readonly training: GridTraining;

  private constructor(
    weight: Tensor<"f32">,
    scheme: Scheme,
    training: GridTraining,
    learned: { scales: Tensor<"f32"> | null; zeros: Tensor<"f32"> | null },
  ) {
    super(weight, scheme);
    this.training = training;
    this.scales = learned.scales;
    this.zeros = learned.zeros;
  }

  /**
   * Begins with a weight `[outFeatures, inFeatures]`, which it takes over, and is trained as the grid
   * says, or as `training` does.
   * @throws SchemeError when the scheme's grid cannot be trained
   */
  static async of(
    weight: Tensor<"f32">,
    scheme: Scheme,
    training: GridTraining | null = scheme.grid.training,
  ): Promise<FakeQuantized> {
    const { zeroPoint } = scheme.grid;
    if (!training) {
      throw new SchemeError(`weights cannot be trained on the grid of ${scheme.id}`);
    }
    if (training.scale !== "learned") {
      return new FakeQuantized(weight, scheme, training, { scales: null, zeros: null });
    }
    const [rows = 0, columns = 0] = weight.shape;
    const shape = [rows, groupsPerRow(scheme, columns)];
    const found = startScales(await weight.read(), columns, scheme, training.start);
    const upload = (values: Float32Array) => Tensor.from(weight.backend, "f32", shape, values);
    return new FakeQuantized(weight, scheme, training, {
      scales: upload(found.scales),
      zeros: zeroPoint === "none" ? null : upload(found.zeros),
    });
  }

  /**
   * Begins with a weight `[outFeatures, inFeatures]`, which it takes over, and with the scales and
   * zero points of `start`, a packing of it: the weight must be where these round to its codes.
   * @throws SchemeError when the grid cannot be trained, or has no scales to learn
   */
  static startedBy(weight: Tensor<"f32">, start: QTensor): FakeQuantized {
    const { scheme, inFeatures, outFeatures } = start;
    const { training } = scheme.grid;
    if (training?.scale !== "learned") {
      throw new SchemeError(`no scales are learned on the grid of ${scheme.id}`);
    }
    const shape = [outFeatures, groupsPerRow(scheme, inFeatures)];
    const upload = (values: ArrayLike<number>) =>
      Tensor.from(weight.backend, "f32", shape, Float32Array.from(values));
    const zeros = start.unpackZeros();
    return new FakeQuantized(weight, scheme, training, {
      scales: upload(halvesToFloats(start.parts.scales)),
      zeros: zeros && upload(zeros),
    });
  }

  get groupScales(): Tensor<"f32"> | null {
    return this.scales;
  }

  get learned(): readonly LatentParameter[] {
    const { scales, zeros } = this;
    return [
      ...(scales ? [{ role: "scales", value: scales }] : []),
      ...(zeros ? [{ role: "zeros", value: zeros }] : []),
    ];
  }

  weights(): Tensor<"f32" | "bf16"> {
    return this.quantizeWith(this.currentScales());
  }

  async freeze(): Promise<QTensor> {
    const { outFeatures, inFeatures, scheme, zeros } = this;
    const [scales, weights] = tidy(() => {
      const current = this.currentScales();
      return [current, this.quantizeWith(current)];
    });
    const values = (await weights.read()) as Float32Array;
    const scaleValues = (await scales.read()) as Float32Array;
    scales.release();
    weights.release();
    const zeroPoints = zeros && wholeZeros(await zeros.read(), scheme.grid.levels - 1);
    return QTensor.pack(scheme, {
      outFeatures,
      inFeatures,
      codes: codesOfValues(values, scaleValues, zeroPoints, inFeatures, scheme),
      scales: floatsToHalves(scaleValues),
      ...(zeroPoints ? { zeros: zeroPoints } : {}),
    });
  }

  /** Scales `[outFeatures, groups]` as stored: float16, at least the grid's least scale. */
  private currentScales(): Tensor<"f32"> {
    const { scales, weight, training, scheme } = this;
    if (!scales) return followedScales(weight, scheme, training.start);
    const { topLevel, leastScale, thirds = false } = training;
    const factor = topLevel === null ? 1 : 1 / Math.sqrt(weight.size * topLevel);
    return roundScales(scales, leastScale, { factor, thirds });
  }

  private quantizeWith(scales: Tensor<"f32">): Tensor<"f32" | "bf16"> {
    const { weight, zeros, inFeatures, training, scheme } = this;
    const groupSize = scheme.groupSize ?? inFeatures;
    return fakeQuantize(weight, { scales, zeros, groupSize }, training.straightThrough);
  }
}

/** `mean|w|` of each group, rounded to float16. */
export function meanScales(weight: Tensor<"f32">, scheme: Scheme): Tensor<"f32"> {
  return followedScales(weight, scheme, { of: "mean", factor: 1 });
}

/**
 * `factor` times mean|w| or max|w| of each group, rounded to float16.
 * @throws SchemeError for scales by anything else
 */
function followedScales(
  weight: Tensor<"f32">,
  scheme: Scheme,
  { of, factor }: ScaleStart,
): Tensor<"f32"> {
  if (of === "span")
    throw new SchemeError("scales that follow the span of weights are not offered");
  const [rows = 0, columns = 0] = weight.shape;
  const groups = groupsPerRow(scheme, columns);
  const width = scheme.groupSize ?? columns;
  const scales = Tensor.empty(weight.backend, "f32", [rows, groups]);
  const zeros = Tensor.empty(weight.backend, "f32", [rows, groups]);
  for (let group = 0; group < groups; group++) {
    const start = group * width;
    const end = Math.min(start + width, columns);
    const range = { start, end, group, search: null };
    // Levels -1/factor to 1/factor: the outer ones lie at max|w|.
    const grid = { levels: 2 / factor + 1, origin: -1 / factor, step: 1 };
    if (of === "peak") fitColumns(scales, zeros, weight, { ...range, grid, rule: "magnitude" });
    else fitColumns(scales, zeros, weight, { ...range, grid: scheme.grid, rule: "mean" });
  }
  if (of === "peak" || factor === 1) return scales;
  const factors = new Float32Array(groups).fill(factor);
  return multiply(scales, Tensor.from(weight.backend, "f32", [groups], factors));
}

function wholeZeros(zeros: Float32Array, most: number): Uint8Array {
  return Uint8Array.from(zeros, (zero) => Math.min(Math.max(roundHalfEven(zero), 0), most));
}
