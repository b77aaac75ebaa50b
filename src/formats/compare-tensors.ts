import type { Checkpoint } from "./checkpoint.ts";
import { readFloatRows } from "./read-float-tensor.ts";

/** Values that are read of each tensor at a time: 4 MB as float32. */
const pieceValues = 2 ** 20;

/**
 * Tells whether two matrices of a checkpoint have the same shape and values, whatever their dtypes.
 * They are read in pieces, up to the first difference.
 * @throws FormatError UnsupportedError NumericError as `readFloatRows` does
 */
export async function sameMatrix(
  checkpoint: Checkpoint,
  first: string,
  second: string,
): Promise<boolean> {
  const { shape } = checkpoint.info(first);
  const [rows = 0, columns = 0, ...rest] = shape;
  const other = checkpoint.info(second).shape;
  if (rest.length > 0 || other.length !== 2) return false;
  if (other[0] !== rows || other[1] !== columns) return false;
  const step = Math.max(1, Math.floor(pieceValues / Math.max(1, columns)));
  for (let start = 0; start < rows; start += step) {
    const end = Math.min(rows, start + step);
    const left = await readFloatRows(checkpoint, first, start, end);
    const right = await readFloatRows(checkpoint, second, start, end);
    if (left.some((value, index) => value !== right[index])) return false;
  }
  return true;
}
