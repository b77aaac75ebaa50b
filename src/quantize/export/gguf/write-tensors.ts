import type { GgmlType } from "../../../formats/gguf/gguf-types.ts";
import type { GgufWriter } from "../../../formats/gguf/gguf-writer.ts";
import type { RowOrder } from "../../../formats/gguf/row-order.ts";
import type { Checkpoint } from "../../../formats/checkpoint.ts";
import { throwIfCancelled } from "../../../util/errors.ts";
import type { WriteOptions } from "../export-format.ts";
import { decodeBytes, rowConverter, type SearchRows } from "./convert-rows.ts";
import type { TypeDecision } from "./decide-types.ts";
import type { ModelTensor, SourceTensor } from "./list-tensors.ts";
import type { LossMeter } from "./loss-meter.ts";
import { mappingKind } from "./mapping-kind.ts";
import { openRows, type TensorRows } from "./tensor-rows.ts";

/** A tensor and what it becomes. */
export interface DecidedTensor extends ModelTensor {
  readonly decision: TypeDecision;
}

/** What writing tensors needs. */
export interface WriteJob {
  readonly checkpoint: Checkpoint;
  readonly tensors: readonly DecidedTensor[];
  readonly search: SearchRows;
  readonly loss: LossMeter;
  readonly options: Pick<WriteOptions, "signal" | "onProgress">;
  /** Hears the bytes of rows as the source has their order, before these are permuted. */
  readonly onRows?: (part: SourceTensor, type: GgmlType, bytes: Uint8Array) => void;
}

/** Weights that are converted at a time. */
const pieceWeights = 2 ** 20;

/** Writes all tensors, some rows at a time. @throws NumericError FormatError */
export async function writeTensors(writer: GgufWriter, job: WriteJob): Promise<void> {
  const { tensors, options } = job;
  for (const [done, tensor] of tensors.entries()) {
    const { decision, name, parts } = tensor;
    for (const part of parts) await writePart(writer, tensor, part, job);
    if (decision.kind !== "exact") job.loss.finishTensor(name, decision.type.name);
    options.onProgress?.({ done: done + 1, total: tensors.length, tensor: tensor.name });
  }
}

async function writePart(
  writer: GgufWriter,
  { decision, order, name }: DecidedTensor,
  part: SourceTensor,
  { checkpoint, search, loss, options, onRows }: WriteJob,
): Promise<void> {
  const { type, kind } = decision;
  const rows = await openRows(checkpoint, part);
  const convert = rowConverter(part.source, rows, type, keepsCodes(rows, decision), search);
  const [count, columns] = matrixOf(part.shape);
  const step = pieceRows(count, columns, order);
  for (let first = 0; first < count; first += step) {
    throwIfCancelled(options.signal);
    const end = Math.min(count, first + step);
    const bytes = await convert(first, end);
    onRows?.(part, type, bytes);
    if (kind !== "exact") loss.add(await rows.floats(first, end), decodeBytes(type, bytes));
    await writer.write(name, order === null ? bytes : orderRows(bytes, end - first, order));
  }
}

/** Whether a type has the codes of a matrix; where it does not have those of all in a stack. */
function keepsCodes(rows: TensorRows, { type, kind }: TypeDecision): boolean {
  return kind !== "impossible" || mappingKind(rows, type) !== "impossible";
}

/** Rows and columns; of a vector of a bias, whose rows are permuted, each value is a row. */
function matrixOf(shape: readonly number[]): [rows: number, columns: number] {
  const [rows, columns = 1] = shape;
  return [rows, columns];
}

/** Rows that are converted at a time: whole periods of their order in the file. */
function pieceRows(rows: number, columns: number, order: RowOrder | null): number {
  const wanted = Math.max(1, Math.floor(pieceWeights / columns));
  if (order === null) return Math.min(rows, wanted);
  return order.length * Math.max(1, Math.floor(wanted / order.length));
}

/** Puts rows of whole periods in the order of the file. */
function orderRows(bytes: Uint8Array, rows: number, order: RowOrder): Uint8Array {
  const rowBytes = bytes.length / rows;
  const ordered = new Uint8Array(bytes.length);
  for (let row = 0; row < rows; row++) {
    const place = row - (row % order.length) + order[row % order.length];
    ordered.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), place * rowBytes);
  }
  return ordered;
}
