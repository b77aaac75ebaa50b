import type { BlockFormat, BlockScales } from "./block-format.ts";

/*
 * What the formats of blocks share: how they are declared, and the fields that most of them have.
 */

/** A block format as its file declares it: one block at a time. */
interface BlockLayout extends Omit<BlockFormat, "unpack" | "pack"> {
  readonly unpackBlock: (
    bytes: Uint8Array,
    at: number,
    codes: Uint8Array,
    to: number,
    scales: BlockScales,
    block: number,
  ) => void;
  readonly packBlock: (
    codes: Uint8Array,
    from: number,
    scales: BlockScales,
    block: number,
    bytes: Uint8Array,
    at: number,
  ) => void;
}

/**
 * Makes a block format of what differs between them: the float16s of the block, which all have,
 * are taken out and put in here.
 */
export function defineBlockFormat({ unpackBlock, packBlock, ...facts }: BlockLayout): BlockFormat {
  const { columns, bytes: size, scaleAt, offsetAt } = facts;
  return Object.freeze<BlockFormat>({
    ...facts,
    unpack(bytes, at, count, codes, to, scales, block) {
      for (let i = 0; i < count; i++) {
        const start = at + i * size;
        scales.scales[block + i] = readHalf(bytes, start + scaleAt);
        if (scales.offsets && offsetAt !== null) {
          scales.offsets[block + i] = readHalf(bytes, start + offsetAt);
        }
        unpackBlock(bytes, start, codes, to + i * columns, scales, block + i);
      }
    },
    pack(codes, from, scales, block, count, bytes, at) {
      for (let i = 0; i < count; i++) {
        const start = at + i * size;
        writeHalf(bytes, start + scaleAt, scales.scales[block + i]);
        if (scales.offsets && offsetAt !== null) {
          writeHalf(bytes, start + offsetAt, scales.offsets[block + i]);
        }
        packBlock(codes, from + i * columns, scales, block + i, bytes, start);
      }
    },
  });
}

/** Facts of formats whose blocks are one group each. */
export const oneGroup = { subScaleRange: null, largestSubOffset: null } as const;

function readHalf(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

function writeHalf(bytes: Uint8Array, at: number, bits: number): void {
  bytes[at] = bits & 0xff;
  bytes[at + 1] = bits >> 8;
}

/** Takes `count` bytes apart: low nibbles to `count` codes, high nibbles to the next `count`. */
export function unpackNibbles(
  bytes: Uint8Array,
  at: number,
  count: number,
  codes: Uint8Array,
  to: number,
): void {
  for (let i = 0; i < count; i++) {
    const byte = bytes[at + i];
    codes[to + i] = byte & 15;
    codes[to + count + i] = byte >> 4;
  }
}

/** The reverse of `unpackNibbles`; of each code the lower four bits count. */
export function packNibbles(
  codes: Uint8Array,
  from: number,
  count: number,
  bytes: Uint8Array,
  at: number,
): void {
  for (let i = 0; i < count; i++) {
    bytes[at + i] = (codes[from + i] & 15) | ((codes[from + count + i] & 15) << 4);
  }
}
