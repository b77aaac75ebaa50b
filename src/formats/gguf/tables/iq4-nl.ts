import { readHalf } from "./block-fields.ts";
import { decodeNibbles } from "./nibble-codebook.ts";

/** Values of IQ4_NL and IQ4_XS. Source: `kvalues_iq4nl` in ggml-common.h (ggml, MIT). */
export const iq4Codebook: readonly number[] = [
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

/**
 * IQ4_NL, 32 columns: `d·codebook[c]`.
 *
 *     byte   0   2                    18
 *            ├ d ┼ codes, 16 bytes ───┤    code i low, code i + 16 high
 */
export function decodeIq4Nl(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  decodeNibbles(iq4Codebook, readHalf(bytes, at), bytes, at + 2, 16, out, to);
}
