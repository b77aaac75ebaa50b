import type { PlanarGrid } from "../grid.ts";

/**
 * NormalFloat of 4 bits: 16 values from −1 to 1, zero among them, each of which is as likely under a
 * normal distribution; the scale of a group is its max|w|. Source: QLoRA, arXiv 2305.14314,
 * appendix E; the values to float32, as bitsandbytes has them.
 */
export const nf4: PlanarGrid = Object.freeze<PlanarGrid>({
  id: "nf4",
  bits: 4,
  levels: 16,
  origin: -1,
  step: 2 / 15,
  // biome-ignore format: negative values, zero, positive ones
  values: Float32Array.of(
    -1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036,
    0,
    0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1,
  ),
  zeroPoint: "none",
  packing: "bits4",
  scaleRule: "magnitude",
  training: null,
});
