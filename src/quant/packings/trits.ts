import type { Packing } from "../packing.ts";

const powers = [1, 3, 9, 27, 81] as const;

/**
 * Ternary codes, five to a byte in base 3, first code least significant: `byte = Σ cᵢ·3ⁱ ≤ 242`.
 * 1.6 stored bits a code against log2(3) = 1.585.
 */
export const trits5: Packing = Object.freeze<Packing>({
  packing: "trits5",
  codesPerUnit: 5,
  bytesPerUnit: 1,
  levels: 3,
  pack(codes, from, count, out, at) {
    for (let i = 0; i < count; i += 5) {
      let byte = 0;
      for (let j = 0; j < 5 && i + j < count; j++) byte += codes[from + i + j] * powers[j];
      out[at + i / 5] = byte;
    }
  },
  unpack(bytes, at, count, out, to) {
    for (let i = 0; i < count; i += 5) {
      let rest = bytes[at + i / 5];
      for (let j = 0; j < 5 && i + j < count; j++) {
        out[to + i + j] = rest % 3;
        rest = Math.floor(rest / 3);
      }
    }
  },
});
