import type { Packing, PackingId } from "../packing.ts";
import { bits1, bits2, bits3, bits4, bits8 } from "./bits.ts";
import { trits5 } from "./trits.ts";

/** All packings, one line each. */
export const packings: Readonly<Record<PackingId, Packing>> = {
  bits1,
  trits5,
  bits2,
  bits3,
  bits4,
  bits8,
};
