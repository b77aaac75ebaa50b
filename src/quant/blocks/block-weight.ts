import { SchemeError, ShapeError } from "../../util/errors.ts";
import type { BlockFormat, BlockScales } from "./block-format.ts";
import { allocateScales, BlockRun, groupsPerBlock } from "./block-run.ts";

/** What a quantizer has chosen for a weight whose rows are runs of blocks. */
export interface BlockCodes extends BlockScales {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** `[outFeatures, inFeatures]`, one code a byte. */
  readonly codes: Uint8Array;
}

/** Bytes of a row of a whole number of blocks. */
export function blockRowBytes({ columns, bytes }: BlockFormat, inFeatures: number): number {
  return (inFeatures / columns) * bytes;
}

/**
 * Packs codes and scales into blocks, `[outFeatures, rowBytes]`.
 * @throws ShapeError when an array has another length than the shape gives it
 * @throws SchemeError when a code, a sub-scale or a sub-offset is outside what the format holds
 */
export function packBlocks(format: BlockFormat, chosen: BlockCodes): Uint8Array {
  const { codes, outFeatures, inFeatures } = chosen;
  const blocks = (outFeatures * inFeatures) / format.columns;
  expectLengths(format, blocks, chosen);
  expectWithin(format, "code", codes, 0, format.levels - 1);
  const [low, high] = format.subScaleRange ?? [0, 0];
  if (chosen.subScales) expectWithin(format, "sub-scale", chosen.subScales, low, high);
  const most = format.largestSubOffset ?? 0;
  if (chosen.subOffsets) expectWithin(format, "sub-offset", chosen.subOffsets, 0, most);
  const bytes = new Uint8Array(blocks * format.bytes);
  format.pack(codes, 0, chosen, 0, blocks, bytes, 0);
  return bytes;
}

/** Takes the codes of blocks, one a byte. */
export function unpackBlockCodes(format: BlockFormat, bytes: Uint8Array): Uint8Array {
  const blocks = bytes.length / format.bytes;
  const codes = new Uint8Array(blocks * format.columns);
  const scales = allocateScales(format, 1);
  for (let i = 0; i < blocks; i++) {
    format.unpack(bytes, i * format.bytes, 1, codes, i * format.columns, scales, 0);
  }
  return codes;
}

/** Takes the scales and offsets of blocks. */
export function unpackBlockScales(format: BlockFormat, bytes: Uint8Array): BlockScales {
  const blocks = bytes.length / format.bytes;
  const scales = allocateScales(format, blocks);
  const codes = new Uint8Array(format.columns);
  for (let i = 0; i < blocks; i++) {
    format.unpack(bytes, i * format.bytes, 1, codes, 0, scales, i);
  }
  return scales;
}

/** Blocks that are decoded at a time. */
const runBlocks = 16;

/** Decodes blocks to float32, into `out`. */
export function decodeBlocks(
  format: BlockFormat,
  bytes: Uint8Array,
  out: Float32Array = new Float32Array((bytes.length / format.bytes) * format.columns),
): Float32Array {
  const blocks = bytes.length / format.bytes;
  const whole = blocks - (blocks % runBlocks);
  decodeRuns(new BlockRun(format, runBlocks), bytes, 0, whole / runBlocks, out);
  decodeRuns(new BlockRun(format, 1), bytes, whole, blocks - whole, out);
  return out;
}

function decodeRuns(
  run: BlockRun,
  bytes: Uint8Array,
  first: number,
  count: number,
  out: Float32Array,
): void {
  const { format, blocks, columns } = run;
  for (let i = 0; i < count; i++) {
    run.load(bytes, (first + i * blocks) * format.bytes);
    run.decode(out, first * format.columns + i * columns);
  }
}

/** Reads the float16 bits of scales and offsets of blocks, and nothing else of them. */
export function readBlockScales(
  { bytes: size, scaleAt, offsetAt }: BlockFormat,
  bytes: Uint8Array,
): { scales: Uint16Array; offsets: Uint16Array | null } {
  const blocks = bytes.length / size;
  const scales = new Uint16Array(blocks);
  const offsets = offsetAt === null ? null : new Uint16Array(blocks);
  for (let i = 0; i < blocks; i++) {
    const at = i * size;
    scales[i] = bytes[at + scaleAt] | (bytes[at + scaleAt + 1] << 8);
    if (!offsets || offsetAt === null) continue;
    offsets[i] = bytes[at + offsetAt] | (bytes[at + offsetAt + 1] << 8);
  }
  return { scales, offsets };
}

/** The same blocks with other scales and, unless null, other offsets, float16 bits, one a block. */
export function replaceBlockScales(
  { id, bytes: size, scaleAt, offsetAt }: BlockFormat,
  blocks: Uint8Array,
  scales: Uint16Array,
  offsets: Uint16Array | null,
): Uint8Array {
  const replaced = blocks.slice();
  const put = (what: string, values: Uint16Array, place: number): void => {
    const expected = blocks.length / size;
    if (values.length !== expected) {
      const message = `blocks of ${id}: expected ${expected} ${what}, got ${values.length}`;
      throw new ShapeError(message);
    }
    for (let i = 0; i < values.length; i++) {
      replaced[i * size + place] = values[i] & 0xff;
      replaced[i * size + place + 1] = values[i] >> 8;
    }
  };
  put("scales", scales, scaleAt);
  if (offsets && offsetAt === null) throw new ShapeError(`blocks of ${id} have no offsets`);
  if (offsets && offsetAt !== null) put("offsets", offsets, offsetAt);
  return replaced;
}

function expectLengths(format: BlockFormat, blocks: number, chosen: BlockCodes): void {
  const groups = blocks * groupsPerBlock(format);
  const expected = allocationOf(format, blocks, groups);
  for (const [what, length] of Object.entries(expected)) {
    const actual = chosen[what as keyof typeof expected]?.length ?? 0;
    if (actual === length) continue;
    throw new ShapeError(`blocks of ${format.id}: expected ${length} ${what}, got ${actual}`);
  }
}

function allocationOf(format: BlockFormat, blocks: number, groups: number) {
  return {
    codes: blocks * format.columns,
    scales: blocks,
    offsets: format.offset === "none" ? 0 : blocks,
    subScales: format.subScaleRange === null ? 0 : groups,
    subOffsets: format.largestSubOffset === null ? 0 : groups,
  };
}

function expectWithin(
  { id }: BlockFormat,
  what: string,
  values: Uint8Array | Int8Array,
  low: number,
  high: number,
): void {
  for (let i = 0; i < values.length; i++) {
    if (values[i] >= low && values[i] <= high) continue;
    throw new SchemeError(
      `blocks of ${id}: ${what} ${values[i]} at ${i} is not from ${low} to ${high}`,
    );
  }
}
