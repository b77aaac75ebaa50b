import type { Grid } from "../grid.ts";
import type { BlockFormat } from "./block-format.ts";

/**
 * The values of the codes of a block format, in units of the scale of a group. Offsets of groups
 * stand apart: they are no multiples of the scale.
 */
export function blockGrid(format: BlockFormat): Grid {
  const { id, bits, levels, origin, step } = format;
  return Object.freeze<Grid>({
    id,
    bits,
    levels,
    origin,
    step,
    zeroPoint: format.offset === "none" ? "none" : "offset",
    packing: null,
    scaleRule: scaleRule(format),
    training: null,
  });
}

function scaleRule({ offset, levels }: BlockFormat): Grid["scaleRule"] {
  if (offset !== "none") return "range";
  return levels === 2 ? "mean" : "magnitude";
}
