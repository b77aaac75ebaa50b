import { floatToHalfBits } from "../../src/util/half.ts";
import { Prng } from "../../src/util/prng.ts";

/*
 * Random weights in the block formats of GGUF, made as bytes, without quantizing anything: random
 * codes under scales that give the weights a standard deviation of about 0.02 and a mean of zero.
 * Layouts as ggml describes them (github.com/ggml-org/ggml, docs/gguf.md and ggml-common.h).
 */

/** A type of tensor data, by the name that GGUF tools use. */
export type GgmlType = "F32" | "Q4_0" | "Q8_0" | "Q2_K" | "Q4_K" | "Q6_K" | "TQ2_0";

interface BlockFormat {
  /** Number of the type in a file. */
  readonly id: number;
  /** Weights of a block, which lie in one row. */
  readonly weights: number;
  readonly bytes: number;
  /** Fills one block whose bytes are random already. */
  readonly shape: (block: DataView, random: Prng) => void;
}

/** Standard deviation of the weights. */
const deviation = 0.02;

/** The formats, by name. */
export const ggmlFormats: Readonly<Record<GgmlType, BlockFormat>> = {
  F32: { id: 0, weights: 1, bytes: 4, shape: (block) => block.setFloat32(0, 1, true) },
  // d, 16 bytes of nibbles: (q − 8)·d. Scales of both signs balance the range −8 … 7.
  Q4_0: {
    id: 2,
    weights: 32,
    bytes: 18,
    shape: (block, random) => {
      const sign = random.below(2) === 0 ? 1 : -1;
      setHalf(block, 0, (sign * deviation) / 4.61);
    },
  },
  // d, 32 int8: q·d.
  Q8_0: { id: 8, weights: 32, bytes: 34, shape: (block) => setHalf(block, 0, deviation / 73.9) },
  // 16 scales and minima of 4 bits, 64 bytes of codes, d, dmin: d·sc·q − dmin·m; with m = sc and
  // dmin = 1.5·d this is d·sc·(q − 1.5).
  Q2_K: {
    id: 10,
    weights: 256,
    bytes: 84,
    shape: (block, random) => {
      for (let i = 0; i < 16; i++) block.setUint8(i, 0x11 * (8 + random.below(8)));
      setHalf(block, 80, deviation / 13.1);
      setHalf(block, 82, (1.5 * deviation) / 13.1);
    },
  },
  // d, dmin, 8 scales and minima of 6 bits in 12 bytes, 128 bytes of codes: d·sc·q − dmin·m; with
  // sc = m = 34 everywhere and dmin = 7.5·d this is 34·d·(q − 7.5).
  Q4_K: {
    id: 12,
    weights: 256,
    bytes: 144,
    shape: (block) => {
      setHalf(block, 0, deviation / (34 * 4.61));
      setHalf(block, 2, (7.5 * deviation) / (34 * 4.61));
      for (let i = 4; i < 12; i++) block.setUint8(i, 0xa2);
      for (let i = 12; i < 16; i++) block.setUint8(i, 0x22);
    },
  },
  // 128 bytes of low nibbles, 64 of high bits, 16 int8 scales, d: d·sc·(q − 32).
  Q6_K: {
    id: 14,
    weights: 256,
    bytes: 210,
    shape: (block, random) => {
      for (let i = 192; i < 208; i++) {
        block.setInt8(i, (random.below(2) === 0 ? 1 : -1) * (8 + random.below(8)));
      }
      setHalf(block, 208, deviation / (11.7 * 18.5));
    },
  },
  // 64 bytes of codes 0 … 2, d: (q − 1)·d.
  TQ2_0: {
    id: 35,
    weights: 256,
    bytes: 66,
    shape: (block, random) => {
      for (let i = 0; i < 64; i++) {
        let byte = 0;
        for (let code = 0; code < 4; code++) byte = 4 * byte + random.below(3);
        block.setUint8(i, byte);
      }
      setHalf(block, 64, deviation / 0.816);
    },
  },
};

/** Bytes of a tensor of `count` weights, whose rows are whole blocks. */
export function ggmlBytes(type: GgmlType, count: number): number {
  const { weights, bytes } = ggmlFormats[type];
  return (count / weights) * bytes;
}

/** Makes `count` random blocks of a type, one after the other. */
export function randomBlocks(type: GgmlType, count: number, seed: number): Uint8Array {
  const { bytes, shape } = ggmlFormats[type];
  const random = new Prng(seed);
  const words = Uint32Array.from({ length: Math.ceil((count * bytes) / 4) }, () => random.uint32());
  const all = new Uint8Array(words.buffer, 0, count * bytes);
  for (let i = 0; i < count; i++) shape(new DataView(all.buffer, i * bytes, bytes), random);
  return all;
}

function setHalf(block: DataView, offset: number, value: number): void {
  block.setUint16(offset, floatToHalfBits(value), true);
}
