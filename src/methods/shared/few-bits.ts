import type { Scheme } from "../../quant/scheme.ts";

/** The caution of methods whose training gains nothing over rounding at more than 4 bits. */
export function cautionAboveFourBits(title: string): (scheme: Scheme) => string | null {
  return ({ grid, id }) =>
    grid.bits > 4
      ? `${title} is made for 2 to 4 bits; at ${id} rounding alone is as good, and takes no time`
      : null;
}
