import type { Checkpoint } from "../../../formats/checkpoint.ts";
import type { OnnxDataWriter } from "../../../formats/onnx/onnx-data.ts";
import { FormatError, throwIfCancelled } from "../../../util/errors.ts";
import { fitHalves } from "../../../util/fit-halves.ts";
import type { WriteOptions } from "../export-format.ts";
import { Scratch } from "../../../util/scratch.ts";
import { openRows } from "../gguf/tensor-rows.ts";
import { type PackedPlan, packedBytes } from "./matrix-plan.ts";
import { blockScales, blockZeros } from "./packed-data.ts";
import { rowRecoder } from "../recode-rows.ts";
import { dataName, type FloatPlan, type TensorPlan } from "./tensor-plans.ts";

/** Weights that are converted, and bytes that are copied, at a time. */
const pieceWeights = 2 ** 21;
const pieceBytes = 2 ** 24;

/** What writing data needs. */
export interface DataJob {
  readonly checkpoint: Checkpoint;
  readonly plans: ReadonlyMap<string, TensorPlan>;
  readonly options: Pick<WriteOptions, "signal" | "onProgress">;
}

/** Writes all data, some rows of a tensor at a time. @throws FormatError NumericError */
export async function writeData(writer: OnnxDataWriter, job: DataJob): Promise<void> {
  const { plans, options } = job;
  const scratch = new Scratch();
  let done = 0;
  for (const plan of plans.values()) {
    const { stored } = plan;
    if (stored.kind === "packed") await writePacked(writer, plan, stored, job, scratch);
    else if (stored.isCopy) await copyFloats(writer, plan, job);
    else await writeFloats(writer, plan, stored, job);
    done++;
    options.onProgress?.({ done, total: plans.size, tensor: plan.source });
  }
}

async function writePacked(
  writer: OnnxDataWriter,
  plan: TensorPlan,
  stored: PackedPlan,
  { checkpoint, options }: DataJob,
  scratch: Scratch,
): Promise<void> {
  const { affine, packed } = await openRows(checkpoint, plan, scratch);
  if (!affine || !packed) throw new FormatError(`${plan.source} is not packed`);
  const rowBytes = packedBytes(stored, 1).codes;
  const recode = rowRecoder(packed, affine, { ...stored, rowBytes });
  const step = Math.max(1, Math.floor(pieceWeights / affine.inFeatures));
  for (let first = 0; first < affine.outFeatures; first += step) {
    throwIfCancelled(options.signal);
    const end = Math.min(affine.outFeatures, first + step);
    await writer.write(dataName(plan.source, "codes"), recode(first, end));
  }
  await writer.write(dataName(plan.source, "scales"), blockScales(affine, stored, scratch));
  const zeros = blockZeros(affine, stored, scratch);
  if (zeros) await writer.write(dataName(plan.source, "zeros"), zeros);
}

/** Copies a tensor byte by byte. */
async function copyFloats(
  writer: OnnxDataWriter,
  { source }: TensorPlan,
  { checkpoint, options }: DataJob,
): Promise<void> {
  const { begin, end } = checkpoint.info(source);
  const size = end - begin;
  const buffer = new Uint8Array(Math.min(size, pieceBytes));
  for (let offset = 0; offset < size; offset += pieceBytes) {
    throwIfCancelled(options.signal);
    const piece = buffer.subarray(0, Math.min(pieceBytes, size - offset));
    await checkpoint.readInto(source, piece, offset);
    await writer.write(dataName(source, "floats"), piece);
  }
}

async function writeFloats(
  writer: OnnxDataWriter,
  plan: TensorPlan,
  { type }: FloatPlan,
  { checkpoint, options }: DataJob,
): Promise<void> {
  const { source, shape } = plan;
  const rows = await openRows(checkpoint, plan);
  const [count, columns = 1] = shape;
  const step = Math.max(1, Math.floor(pieceWeights / columns));
  for (let first = 0; first < count; first += step) {
    throwIfCancelled(options.signal);
    const values = await rows.floats(first, Math.min(count, first + step));
    await writer.write(
      dataName(source, "floats"),
      type === "f16" ? narrow(source, values) : values,
    );
  }
}

function narrow(source: string, values: Float32Array): Uint16Array {
  const hint = "export with `dtype: f32`";
  return fitHalves(values, { what: `values of ${source}`, hint, field: "dtype", value: "f16" });
}
