import { type OnnxTensor, onnxTypeBytes } from "../../../formats/onnx/onnx-types.ts";
import { readOnnxTensors } from "../../../formats/onnx/read-onnx.ts";
import type { Checkpoint } from "../../../formats/checkpoint.ts";
import { joinPath, openForReading, readBytes, type ReadableFile } from "../../../platform/node.ts";
import { FormatError, NumericError, throwIfCancelled } from "../../../util/errors.ts";
import { bfloatsToFloats, halvesToFloats } from "../../../util/half.ts";
import { openRows } from "../gguf/tensor-rows.ts";
import type { PackedPlan } from "./matrix-plan.ts";
import { packedNames, rowsName, type TensorPlan } from "./tensor-plans.ts";

/** What was compared after an export. */
export interface OnnxVerification {
  /** Tensors of the model that were read again. */
  readonly tensors: number;
  /** Weights that have the float32 value that they have in the source, to the bit. */
  readonly sameWeights: number;
  /** Weights whose value was rounded. */
  readonly otherWeights: number;
}

/** What was written, and of what. */
export interface WrittenOnnx {
  readonly checkpoint: Checkpoint;
  readonly plans: ReadonlyMap<string, TensorPlan>;
  readonly signal?: AbortSignal | undefined;
}

const pieceWeights = 2 ** 21;

/**
 * Reads an export again by what its own file says, decodes its weights as the operators define it,
 * and compares them with those of the source.
 * @param folder where the model and its data are
 * @throws NumericError where a weight that was to keep its value has another
 * @throws FormatError when the model is not one that can be read
 */
export async function verifyOnnx(
  folder: string,
  model: string,
  { checkpoint, plans, signal }: WrittenOnnx,
): Promise<OnnxVerification> {
  const tensors = readOnnxTensors(await readBytes(joinPath(folder, model)));
  const data = new OnnxDataReader(folder, tensors);
  let [same, other] = [0, 0];
  try {
    for (const plan of plans.values()) {
      const rows = await openRows(checkpoint, plan);
      const decode = await data.rowDecoder(plan);
      const [count, columns = 1] = plan.shape;
      const step = Math.max(1, Math.floor(pieceWeights / columns));
      for (let first = 0; first < count; first += step) {
        throwIfCancelled(signal);
        const end = Math.min(count, first + step);
        const equal = countEqual(await rows.floats(first, end), await decode(first, end));
        same += equal;
        other += (end - first) * columns - equal;
        if (plan.stored.isExact && equal < (end - first) * columns) throw unlike(plan.source);
      }
    }
  } finally {
    await data.close();
  }
  return { tensors: plans.size, sameWeights: same, otherWeights: other };
}

/** Counts values that have the same bits; 0 and −0 are the same weight. */
function countEqual(expected: Float32Array, found: Float32Array): number {
  let count = 0;
  for (let i = 0; i < expected.length; i++) if (expected[i] === found[i]) count++;
  return count;
}

type DecodeRows = (first: number, end: number) => Promise<Float32Array>;

/** Reads the weights of a model from the files that they are in. */
class OnnxDataReader {
  private readonly folder: string;
  private readonly tensors: ReadonlyMap<string, OnnxTensor>;
  private readonly files = new Map<string, ReadableFile>();

  constructor(folder: string, tensors: ReadonlyMap<string, OnnxTensor>) {
    this.folder = folder;
    this.tensors = tensors;
  }

  /** Opens a tensor of the model, to be decoded some rows at a time. */
  async rowDecoder(plan: TensorPlan): Promise<DecodeRows> {
    if (plan.stored.kind === "packed") return this.packedDecoder(plan, plan.stored);
    const tensor = this.tensor(plan.source);
    const [rows] = plan.shape;
    return async (first, end) => widen(tensor, await this.rowBytes(tensor, rows, first, end));
  }

  async close(): Promise<void> {
    for (const file of this.files.values()) await file.close();
  }

  private packedDecoder(plan: TensorPlan, stored: PackedPlan): DecodeRows {
    const names = packedNames(plan, stored);
    // A table that is no head, too, is there for its rows alone.
    const codes = this.tensors.get(names.codes) ?? this.tensor(rowsName(names.codes));
    const scales = this.tensor(names.scales);
    const zeros = names.zeros === null ? null : this.tensor(names.zeros);
    const [rows, columns] = plan.shape;
    const read = (tensor: OnnxTensor, first: number, end: number): Promise<Uint8Array> =>
      this.rowBytes(tensor, rows, first, end);
    return async (first, end) => {
      const count = end - first;
      const points = zeros && (await read(zeros, first, end));
      return decodeBlocks(stored, count, columns, {
        codes: await read(codes, first, end),
        scales: widen(scales, await read(scales, first, end)),
        zeros: zeros && points && (zeros.type === "u8" ? points : widen(zeros, points)),
      });
    };
  }

  private tensor(name: string): OnnxTensor {
    const tensor = this.tensors.get(name);
    if (tensor) return tensor;
    throw new FormatError(`the ONNX model has no tensor ${name}`);
  }

  /** Bytes of some rows of a tensor that has so many. */
  private async rowBytes(
    { name, shape, type, data }: OnnxTensor,
    rows: number,
    first: number,
    end: number,
  ): Promise<Uint8Array> {
    const size = shape.reduce((a, b) => a * b, 1) * onnxTypeBytes[type];
    const rowBytes = size / rows;
    if (data instanceof Uint8Array) return data.subarray(first * rowBytes, end * rowBytes);
    if (data.length !== size)
      throw new FormatError(`tensor ${name} has ${data.length} bytes of ${size}`);
    const file =
      this.files.get(data.location) ?? (await openForReading(joinPath(this.folder, data.location)));
    this.files.set(data.location, file);
    const bytes = new Uint8Array((end - first) * rowBytes);
    const done = await file.read(bytes, data.offset + first * rowBytes);
    if (done === bytes.length) return bytes;
    throw new FormatError(`${file.path} ends before tensor ${name} does`);
  }
}

function widen({ type }: OnnxTensor, { buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
  if (type === "f32") return new Float32Array(buffer, byteOffset, byteLength / 4);
  const words = new Uint16Array(buffer, byteOffset, byteLength / 2);
  return type === "f16" ? halvesToFloats(words) : bfloatsToFloats(words);
}

interface BlockData {
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  readonly zeros: Uint8Array | Float32Array | null;
}

/** `(q − zero)·scale`, block by block, as `MatMulNBits` defines it. */
function decodeBlocks(
  { bits, blockSize, blocks }: PackedPlan,
  rows: number,
  columns: number,
  { codes, scales, zeros }: BlockData,
): Float32Array {
  const values = new Float32Array(rows * columns);
  const mask = 2 ** bits - 1;
  const take = (bytes: Uint8Array, index: number): number =>
    (bytes[(index * bits) >>> 3] >>> ((index * bits) & 7)) & mask;
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  for (let row = 0, at = 0; row < rows; row++) {
    const ownZeros =
      zeros instanceof Uint8Array ? zeros.subarray(row * zeroBytes, (row + 1) * zeroBytes) : null;
    for (let column = 0; column < columns; column++, at++) {
      const block = Math.floor(column / blockSize);
      const code = take(codes, row * blocks * blockSize + column);
      const middle = 2 ** (bits - 1);
      const zero = ownZeros ? take(ownZeros, block) : zeros ? zeros[row * blocks + block] : middle;
      values[at] = Math.fround(code - zero) * scales[row * blocks + block];
    }
  }
  return values;
}

function unlike(what: string): NumericError {
  return new NumericError(`what was written is not what was to be written: ${what}`, {
    hint: "nothing was kept; check disk and memory, and report it if it happens again",
  });
}
