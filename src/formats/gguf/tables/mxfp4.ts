import { decodeNibbles, doubledFloat4 } from "./nibble-codebook.ts";

/**
 * MXFP4, 32 columns: 4-bit floats times 2^(e − 127) (OCP Microscaling Formats, version 1.0).
 *
 *     byte   0   1                    17
 *            ├ e ┼ codes, 16 bytes ───┤    code i low, code i + 16 high
 */
export function decodeMxfp4(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  decodeNibbles(doubledFloat4, 2 ** (bytes[at] - 128), bytes, at + 1, 16, out, to);
}
