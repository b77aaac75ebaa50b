import { allocateBuffer } from "../platform/node.ts";
import type { Shape } from "../tensor/shape.ts";
import { NumericError, UnsupportedError } from "../util/errors.ts";
import { bfloatsToFloats, halvesToFloats } from "../util/half.ts";
import type { TensorInfo } from "./safetensors.ts";
import { bitsPerElement, type StoredDType } from "./stored-dtype.ts";
import { formatCount, quoteName } from "./wording.ts";

/** What weights are read from: a `Checkpoint` or a single `SafetensorsFile`. */
export interface TensorBytes {
  /** @throws FormatError when there is no tensor of this name */
  info(name: string): TensorInfo;
  /** Fills `into` with the bytes of a tensor from `byteOffset` on. */
  readInto(name: string, into: Uint8Array, byteOffset: number): Promise<void>;
}

/** A tensor widened to float32. */
export interface FloatTensor<Buffer extends ArrayBufferLike = ArrayBuffer> {
  readonly shape: Shape;
  readonly values: Float32Array<Buffer>;
}

type FloatDType = "f64" | "f32" | "f16" | "bf16";

/** Bytes that are read at a time. */
const pieceBytes = 16 * 2 ** 20;

/**
 * Reads a float tensor, widened to float32 (f64 is rounded, piece by piece), into `into` where that
 * is given: as many elements as the tensor has.
 * @throws FormatError when there is no such tensor or the file ends early
 * @throws UnsupportedError when it does not hold floats of 16, 32 or 64 bits
 * @throws NumericError when it holds NaN or infinite values, with their count
 * @throws OutOfMemoryError when there is no memory for it
 */
export async function readFloatTensor<Buffer extends ArrayBufferLike = ArrayBuffer>(
  source: TensorBytes,
  name: string,
  into?: Float32Array<Buffer>,
): Promise<FloatTensor<Buffer>> {
  const { dtype, shape, begin, end } = source.info(name);
  if (!isFloatDType(dtype)) throw notFloats(name, dtype);
  const count = ((end - begin) * 8) / bitsPerElement(dtype);
  const values = into ?? (allocateFloats(name, count) as Float32Array<Buffer>);
  if (dtype === "f64") await readDoubles(source, name, values);
  else await readAtEnd(source, name, values, end - begin);
  const { nans, infinities } = countNonFinite(values);
  if (nans + infinities > 0) throw nonFinite(name, nans, infinities, count);
  return { shape, values };
}

/**
 * Reads a tensor of at most 32 bits to the end of `values` and widens it from there: no value is
 * overwritten before it is read, and no other memory is taken.
 */
async function readAtEnd(
  source: TensorBytes,
  name: string,
  values: Float32Array,
  sizeBytes: number,
): Promise<void> {
  const { buffer, byteOffset, byteLength } = values;
  const start = byteOffset + byteLength - sizeBytes;
  for (let at = 0; at < sizeBytes; at += pieceBytes) {
    const piece = new Uint8Array(buffer, start + at, Math.min(pieceBytes, sizeBytes - at));
    await source.readInto(name, piece, at);
  }
  const { dtype } = source.info(name);
  if (dtype === "f16") halvesToFloats(new Uint16Array(buffer, start, values.length), values);
  if (dtype === "bf16") bfloatsToFloats(new Uint16Array(buffer, start, values.length), values);
}

async function readDoubles(source: TensorBytes, name: string, values: Float32Array): Promise<void> {
  const length = pieceBytes / 8;
  const doubles = new Float64Array(Math.min(values.length, length));
  for (let at = 0; at < values.length; at += length) {
    const piece = doubles.subarray(0, Math.min(length, values.length - at));
    await source.readInto(name, new Uint8Array(piece.buffer, 0, piece.byteLength), 8 * at);
    values.set(piece, at);
  }
}

/**
 * Reads rows `[start, end)` of a float matrix, or of the matrices of a stack as if they were one,
 * widened to float32.
 * @throws FormatError UnsupportedError NumericError as `readFloatTensor` does
 */
export async function readFloatRows(
  source: TensorBytes,
  name: string,
  start: number,
  end: number,
): Promise<Float32Array<ArrayBuffer>> {
  const { dtype, shape } = source.info(name);
  if (!isFloatDType(dtype)) throw notFloats(name, dtype);
  const columns = shape.length < 2 ? 1 : (shape.at(-1) ?? 1);
  const rowBytes = (columns * bitsPerElement(dtype)) / 8;
  const values = allocateFloats(name, (end - start) * columns);
  const buffer = dtype === "f32" ? values.buffer : new ArrayBuffer((end - start) * rowBytes);
  await source.readInto(name, new Uint8Array(buffer), start * rowBytes);
  widen(dtype, buffer, values);
  const { nans, infinities } = countNonFinite(values);
  if (nans + infinities > 0) throw nonFinite(name, nans, infinities, values.length);
  return values;
}

/** Widens the values at the start of `buffer` into `piece`; float32 is there already. */
function widen(dtype: FloatDType, buffer: ArrayBuffer, piece: Float32Array): void {
  if (dtype === "f16") halvesToFloats(new Uint16Array(buffer, 0, piece.length), piece);
  else if (dtype === "bf16") bfloatsToFloats(new Uint16Array(buffer, 0, piece.length), piece);
  else if (dtype === "f64") piece.set(new Float64Array(buffer, 0, piece.length));
}

/** Tells whether no value is NaN or infinite: only those give NaN when multiplied by 0. */
function areFinite(values: Float32Array): boolean {
  const zero = 0;
  let even = 0;
  let odd = 0;
  const pairs = values.length - (values.length % 2);
  for (let i = 0; i < pairs; i += 2) {
    even += values[i] * zero;
    odd += values[i + 1] * zero;
  }
  if (pairs < values.length) even += values[pairs] * zero;
  return even + odd === 0;
}

/** Counts NaN and ±infinity. */
export function countNonFinite(values: Float32Array): { nans: number; infinities: number } {
  let nans = 0;
  let infinities = 0;
  // The count is several times slower than the test, and nearly always zero.
  if (areFinite(values)) return { nans, infinities };
  for (const value of values) {
    if (Number.isNaN(value)) nans++;
    else if (!Number.isFinite(value)) infinities++;
  }
  return { nans, infinities };
}

function isFloatDType(dtype: StoredDType): dtype is FloatDType {
  return dtype === "f64" || dtype === "f32" || dtype === "f16" || dtype === "bf16";
}

function notFloats(name: string, dtype: StoredDType): UnsupportedError {
  const hint =
    bitsPerElement(dtype) <= 8
      ? "the checkpoint is quantized already; take the original in 16 or 32 bits"
      : "weights must be F16, BF16, F32 or F64";
  return new UnsupportedError(
    `tensor ${quoteName(name)}: expected floats of 16 bits or more, got ${dtype.toUpperCase()}`,
    { hint },
  );
}

function nonFinite(name: string, nans: number, infinities: number, count: number): NumericError {
  const parts = [
    nans > 0 ? `${formatCount(nans)} NaN` : "",
    infinities > 0 ? `${formatCount(infinities)} infinite` : "",
  ].filter((part) => part !== "");
  return new NumericError(
    `tensor ${quoteName(name)} has ${parts.join(" and ")} among its ${formatCount(count)} values`,
    { hint: "the checkpoint is damaged or its training diverged; download it again" },
  );
}

function allocateFloats(name: string, count: number): Float32Array<ArrayBuffer> {
  return new Float32Array(allocateBuffer(4 * count, `tensor ${quoteName(name)}`));
}
