import type { Backend } from "../backend/backend.ts";
import { multiply } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { roundToHalf } from "../tensor/training-ops.ts";
import { floatsToHalves, halvesToFloats } from "../util/half.ts";
import type { BlockFormat, BlockScales } from "./blocks/block-format.ts";
import type { LatentParameter } from "./latent-weight.ts";

/** A vector of blocks that is learned as `factor` times what is stored. */
interface Scaled {
  readonly latent: Tensor<"f32">;
  /** `[blocks of a row]`: 1/factor each. */
  readonly inverse: Tensor<"f32">;
}

/**
 * Scales and offsets of blocks `[rows, blocks]` that are learned. Each is kept times the largest
 * factor that a group may have, so that a step of training moves the scale of a group by no more
 * than it would one that is stored by itself. They are rounded to float16 on the way, gradients
 * passing as if they were not.
 */
export class LatentBlockScales {
  private readonly scales: Scaled;
  private readonly offsets: Scaled | null;

  private constructor(scales: Scaled, offsets: Scaled | null) {
    this.scales = scales;
    this.offsets = offsets;
  }

  /** Begins with the scales and offsets of stored blocks, `blocks` of them a row. */
  static of(
    backend: Backend,
    format: BlockFormat,
    blocks: number,
    stored: Pick<BlockScales, "scales" | "offsets">,
  ): LatentBlockScales {
    const scaled = (halves: Uint16Array, factor: number): Scaled => {
      const values = halvesToFloats(halves).map((value) => value * factor);
      const inverse = new Float32Array(blocks).fill(1 / factor);
      return {
        latent: Tensor.from(backend, "f32", [values.length / blocks, blocks], values),
        inverse: Tensor.from(backend, "f32", [blocks], inverse),
      };
    };
    const [, highest] = format.subScaleRange ?? [0, 1];
    return new LatentBlockScales(
      scaled(stored.scales, highest),
      stored.offsets && scaled(stored.offsets, format.largestSubOffset ?? 1),
    );
  }

  /** What training changes. */
  get learned(): readonly LatentParameter[] {
    const { scales, offsets } = this;
    return [
      { role: "scales", value: scales.latent },
      ...(offsets ? [{ role: "offsets", value: offsets.latent }] : []),
    ];
  }

  /** Scales and offsets `[rows, blocks]` as they are stored, in float32. */
  current(): { readonly scales: Tensor<"f32">; readonly offsets: Tensor<"f32"> | null } {
    const { scales, offsets } = this;
    return { scales: stored(scales), offsets: offsets && stored(offsets) };
  }

  /** The bits with which they are stored. */
  async freeze(): Promise<Pick<BlockScales, "scales"> & { offsets: Uint16Array | null }> {
    const { scales, offsets } = this.current();
    const frozen = {
      scales: floatsToHalves(await scales.read()),
      offsets: offsets && floatsToHalves(await offsets.read()),
    };
    scales.release();
    offsets?.release();
    return frozen;
  }

  /** Gives the memory back. */
  release(): void {
    for (const part of [this.scales, this.offsets]) {
      part?.latent.release();
      part?.inverse.release();
    }
  }
}

function stored({ latent, inverse }: Scaled): Tensor<"f32"> {
  return roundToHalf(multiply(latent, inverse));
}
