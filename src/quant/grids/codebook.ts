import type { PlanarGrid } from "../grid.ts";

/**
 * Any 2^bits float16 values, chosen for each row, in the place of a scale: what clustering the
 * weights of a row leaves (SqueezeLLM, arXiv 2306.07629, section 4.1). The method chooses the values.
 */
export function codebook(bits: 2 | 3 | 4): PlanarGrid {
  return Object.freeze<PlanarGrid>({
    id: "codebook",
    bits,
    levels: 2 ** bits,
    origin: 0,
    step: 1,
    codebook: true,
    zeroPoint: "none",
    packing: `bits${bits}`,
    scaleRule: "magnitude",
    training: null,
  });
}
