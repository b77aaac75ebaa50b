import { roundSoftly, type SoftRounding } from "../tensor/soft-rounding-ops.ts";
import { copyInto } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { NumericError } from "../util/errors.ts";
import { halvesToFloats } from "../util/half.ts";
import { type LatentParameter, LatentWeight } from "./latent-weight.ts";
import type { QTensor } from "./q-tensor.ts";
import { expectPlanar } from "./scheme.ts";

/**
 * A weight of which scales and zero points are fixed, and which way it is rounded is learned
 * (AdaRound, arXiv 2004.10568): between its neighbours on the grid it stands at `low + step·h(v)`,
 * with a rounding variable v each and the rectified sigmoid h, that begins where the weight lies.
 * Where no gradients by v are recorded, it is the neighbour above for v ≥ 0, and that below for
 * others: what `freeze` packs.
 */
export class RoundedWeight extends LatentWeight {
  private readonly rounding: SoftRounding;
  private readonly start: QTensor;
  /** Code of `low`, by weight. */
  private readonly codes: Uint8Array;

  private constructor(rounding: SoftRounding, start: QTensor, codes: Uint8Array) {
    super(rounding.low, start.scheme);
    this.rounding = rounding;
    this.start = start;
    this.codes = codes;
  }

  /**
   * Begins where a weight `[outFeatures, inFeatures]`, which it takes over, lies on the grid of what
   * it was rounded to; one that was chosen otherwise is moved to where it is rounded so before.
   * @throws SchemeError when codes of the scheme lie in blocks, together with scales
   */
  static async startedBy(weight: Tensor<"f32">, start: QTensor): Promise<RoundedWeight> {
    const { backend, shape } = weight;
    const { values, steps, variables, codes } = neighboursOf(await weight.read(), start);
    copyInto(weight, Tensor.from(backend, "f32", shape, values));
    const step = Tensor.from(backend, "f32", shape, steps);
    const rounding = {
      low: weight,
      step,
      variables: Tensor.from(backend, "f32", shape, variables),
    };
    return new RoundedWeight(rounding, start, codes);
  }

  get groupScales(): null {
    return null;
  }

  get learned(): readonly LatentParameter[] {
    return [{ role: "rounding", value: this.rounding.variables, isPerWeight: true }];
  }

  override get parameters(): readonly LatentParameter[] {
    return this.learned;
  }

  override releaseLearned(): void {
    super.releaseLearned();
    this.rounding.step.release();
  }

  weights(): Tensor<"f32" | "bf16"> {
    return roundSoftly(this.rounding);
  }

  async freeze(): Promise<QTensor> {
    const [steps, variables] = [
      await this.rounding.step.read(),
      await this.rounding.variables.read(),
    ];
    const chosen = this.codes.slice();
    for (let i = 0; i < chosen.length; i++) {
      if (Number.isNaN(variables[i])) throw notANumber();
      if (steps[i] !== 0 && variables[i] >= 0) chosen[i]++;
    }
    return this.start.withCodes(chosen);
  }
}

/** Where weights lie between values of the grid, row after row. */
interface Neighbours {
  /** Values below, or where a weight lies beyond the grid, the outermost. */
  readonly values: Float32Array;
  readonly codes: Uint8Array;
  /** To the value above; 0 where there is none. */
  readonly steps: Float32Array;
  readonly variables: Float32Array;
}

function neighboursOf(weights: Float32Array, start: QTensor): Neighbours {
  const { inFeatures } = start;
  const { grid, groupSize } = expectPlanar(start.scheme);
  const width = groupSize ?? inFeatures;
  const perRow = Math.ceil(inFeatures / width);
  const scales = halvesToFloats(start.parts.scales);
  const values = start.dequantize();
  const codes = start.unpackCodes();
  const steps = new Float32Array(weights.length);
  const variables = new Float32Array(weights.length);
  for (let i = 0; i < weights.length; i++) {
    if (!Number.isFinite(weights[i])) throw notANumber();
    const row = Math.floor(i / inFeatures);
    const step = grid.step * scales[row * perRow + Math.floor((i % inFeatures) / width)];
    // In a group of zeros all codes are one value.
    const away = step === 0 ? 0 : (weights[i] - values[i]) / step;
    const floor = Math.floor(away);
    variables[i] = variableOf(away - floor);
    const below = codes[i] + floor;
    if (step === 0 || below < 0 || below + 1 >= grid.levels) continue;
    steps[i] = step;
    values[i] += floor * step;
    codes[i] = below;
  }
  return { values, codes, steps, variables };
}

/** `v` with `h(v) = share`, for a share from 0 to 1. */
function variableOf(share: number): number {
  return -Math.log(1.2 / (share + 0.1) - 1);
}

function notANumber(): NumericError {
  return new NumericError("a weight or its rounding is NaN or infinite", {
    hint: "training diverged: use a lower learning rate",
  });
}
