import type { Packing, PackingId } from "../packing.ts";
import { readBitStream, writeBitStream } from "./bit-stream.ts";

/**
 * Codes of a whole number of bits as one continuous little-endian stream: code j occupies bits
 * `[bits·j, bits·j + bits)`, bit 0 being the lowest bit of the first byte.
 *
 *     bits2   byte 0: c3 c3 c2 c2 c1 c1 c0 c0
 *     bits3   byte 0: c2 c2 c1 c1 c1 c0 c0 c0   byte 1: c5 c4 c4 c4 c3 c3 c3 c2   byte 2: c7 … c5
 */
function defineBits(id: PackingId, bits: 1 | 2 | 3 | 4 | 8): Packing {
  return Object.freeze<Packing>({
    packing: id,
    codesPerUnit: bits === 3 ? 8 : 8 / bits,
    bytesPerUnit: bits === 3 ? 3 : 1,
    levels: 1 << bits,
    pack(codes, from, count, out, at) {
      writeBitStream(codes.subarray(from, from + count), bits, out, at);
    },
    unpack(bytes, at, count, out, to) {
      readBitStream(bytes, at, bits, out.subarray(to, to + count));
    },
  });
}

/** 1-bit codes, eight to a byte. */
export const bits1: Packing = defineBits("bits1", 1);
/** 2-bit codes, four to a byte. */
export const bits2: Packing = defineBits("bits2", 2);
/** 3-bit codes, eight to three bytes. */
export const bits3: Packing = defineBits("bits3", 3);
/** 4-bit codes, two to a byte. */
export const bits4: Packing = defineBits("bits4", 4);
/** 8-bit codes, one to a byte. */
export const bits8: Packing = defineBits("bits8", 8);
