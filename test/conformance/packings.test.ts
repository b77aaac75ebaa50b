import { describe, expect, test } from "vitest";
import { packedRowBytes } from "../../src/quant/packing.ts";
import { packings } from "../../src/quant/packings/index.ts";
import { Prng } from "../../src/util/prng.ts";

/** The first bytes of each packing for codes 0, 1, 2, ... modulo the number of levels. */
const goldenBytes: Record<string, number[]> = {
  bits1: [0xaa, 0xaa],
  trits5: [0 + 3 + 18 + 0 + 81, 2 + 0 + 9 + 54 + 0, 1 + 6 + 0 + 27 + 162],
  bits2: [0b11_10_01_00, 0b11_10_01_00],
  bits3: [0b10_001_000, 0b1_100_011_0, 0b111_110_10],
  bits4: [0x10, 0x32, 0x54],
  bits8: [0, 1, 2],
};

describe.each(Object.values(packings))("packing $packing", (packing) => {
  test("its bytes are those of the documented layout", () => {
    const codes = Uint8Array.from({ length: 40 }, (_, i) => i % packing.levels);
    const out = new Uint8Array(packedRowBytes(packing, codes.length));
    packing.pack(codes, 0, codes.length, out, 0);
    const expected = goldenBytes[packing.packing];
    expect([...out.subarray(0, expected.length)]).toEqual(expected);
  });

  test("unpack(pack(codes)) = codes for every length and offset, and neighbours stay untouched", () => {
    const prng = new Prng(1);
    for (let count = 1; count <= 70; count++) {
      const from = prng.below(5);
      const codes = Uint8Array.from({ length: from + count }, () => prng.below(packing.levels));
      const rowBytes = packedRowBytes(packing, count);
      const bytes = new Uint8Array(rowBytes + 8).fill(0xee);
      packing.pack(codes, from, count, bytes, 4);
      expect([...bytes.subarray(0, 4)]).toEqual([0xee, 0xee, 0xee, 0xee]);
      expect([...bytes.subarray(4 + rowBytes)]).toEqual([0xee, 0xee, 0xee, 0xee]);
      const back = new Uint8Array(count + 2).fill(0xee);
      packing.unpack(bytes, 4, count, back, 1);
      expect([...back.subarray(1, 1 + count)]).toEqual([...codes.subarray(from)]);
      expect([back[0], back[count + 1]]).toEqual([0xee, 0xee]);
    }
  });

  test("stored bits are at least log2(levels) and rows are whole 32-bit words", () => {
    const storedBits = (8 * packing.bytesPerUnit) / packing.codesPerUnit;
    expect(storedBits).toBeGreaterThanOrEqual(Math.log2(packing.levels));
    expect(storedBits).toBeLessThan(Math.log2(packing.levels) + 0.02);
    for (const count of [1, 31, 32, 172, 352]) {
      expect(packedRowBytes(packing, count) % 4).toBe(0);
      expect(packedRowBytes(packing, count) * 8).toBeGreaterThanOrEqual(storedBits * count);
    }
  });
});
