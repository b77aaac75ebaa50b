import type { ArrayOf, DType } from "../../tensor/dtype.ts";
import { FormatError } from "../../util/errors.ts";
import { bfloatsToFloats, halvesToFloats } from "../../util/half.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { quoteName } from "../wording.ts";

/**
 * Reads a tensor that must be of one dtype and shape; sizes of -1 may be any.
 * @throws FormatError when it is missing or another, naming it
 */
export async function readTensor<D extends DType>(
  checkpoint: Checkpoint,
  name: string,
  dtype: D,
  shape: readonly number[],
): Promise<ArrayOf[D]> {
  expectTensor(checkpoint, name, [dtype], shape);
  return checkpoint.viewAs(name, dtype);
}

/**
 * Reads a tensor of floats of any width as float32.
 * @throws FormatError when it is missing, not of floats, or of another shape
 */
export async function readFloats(
  checkpoint: Checkpoint,
  name: string,
  shape: readonly number[],
): Promise<Float32Array> {
  expectTensor(checkpoint, name, ["f32", "f16", "bf16"], shape);
  const { dtype } = checkpoint.info(name);
  if (dtype === "f16") return halvesToFloats(await checkpoint.viewAs(name, "f16"));
  if (dtype === "bf16") return bfloatsToFloats(await checkpoint.viewAs(name, "bf16"));
  return checkpoint.viewAs(name, "f32");
}

/** @throws FormatError when a tensor is missing, of another dtype or of another shape */
export function expectTensor(
  checkpoint: Checkpoint,
  name: string,
  dtypes: readonly DType[],
  shape: readonly number[],
): void {
  const info = checkpoint.info(name);
  if (!dtypes.some((dtype) => dtype === info.dtype)) {
    throw new FormatError(
      `tensor ${quoteName(name)}: expected ${dtypes.join(" or ")}, the file has ${info.dtype}`,
    );
  }
  const fits =
    info.shape.length === shape.length &&
    shape.every((size, i) => size === -1 || size === info.shape[i]);
  if (fits) return;
  const wanted = shape.map((size) => (size === -1 ? "?" : size)).join(", ");
  throw new FormatError(
    `tensor ${quoteName(name)}: expected the shape [${wanted}], the file has [${info.shape.join(", ")}]`,
    { hint: "config.json and the weight files do not belong together" },
  );
}

/** Transposes a matrix `[rows, columns]` of numbers of a width, tile by tile. */
export function transpose<T extends Float32Array | Uint32Array | Uint8Array>(
  from: T,
  rows: number,
  columns: number,
  into: T,
): T {
  const tile = 32;
  for (let top = 0; top < rows; top += tile) {
    const bottom = Math.min(rows, top + tile);
    for (let left = 0; left < columns; left += tile) {
      const right = Math.min(columns, left + tile);
      for (let r = top; r < bottom; r++) {
        for (let c = left; c < right; c++) into[c * rows + r] = from[r * columns + c];
      }
    }
  }
  return into;
}
