import type { GgmlType } from "../../../formats/gguf/gguf-types.ts";
import { BlockMapping } from "../../../quant/blocks/mapping/block-mapping.ts";
import type { BlockFormat } from "../../../quant/blocks/block-format.ts";
import { blockRowBytes, decodeBlocks } from "../../../quant/blocks/block-weight.ts";
import { findBlockFormat } from "../../../quant/blocks/index.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import { fitHalves } from "../../../util/fit-halves.ts";
import { bfloatsToFloats, floatsToBfloats, halvesToFloats } from "../../../util/half.ts";
import type { TensorRows } from "./tensor-rows.ts";

/** Chooses blocks for float rows, `[rows, columns]`; returns their bytes. */
export type SearchRows = (
  format: BlockFormat,
  values: Float32Array,
  columns: number,
) => Promise<Uint8Array>;

/** Makes the bytes of rows `[first, end)` of a tensor. */
export type ConvertRows = (first: number, end: number) => Promise<Uint8Array>;

/**
 * Returns what makes the bytes of a tensor in a type: blocks are copied where they are of the type,
 * written code by code where the type has the codes, and searched for otherwise.
 * @param keepsCodes whether `mappingKind` is not `impossible`
 */
export function rowConverter(
  name: string,
  rows: TensorRows,
  type: GgmlType,
  keepsCodes: boolean,
  search: SearchRows,
): ConvertRows {
  const format = findBlockFormat(type.name);
  const { packed, affine } = rows;
  if (!format) return async (first, end) => toPlain(name, await rows.floats(first, end), type);
  const blocks = packed?.scheme.blocks?.id === format.id ? packed.parts.blocks : undefined;
  if (packed && blocks) {
    const rowBytes = blockRowBytes(format, packed.inFeatures);
    return async (first, end) => blocks.subarray(first * rowBytes, end * rowBytes);
  }
  if (affine && keepsCodes) {
    const mapping = new BlockMapping(affine, format);
    return async (first, end) => mapping.rows(first, end);
  }
  return async (first, end) => {
    const values = await rows.floats(first, end);
    return search(format, values, values.length / (end - first));
  };
}

/** @throws NumericError where a value does not fit into float16 */
function toPlain(name: string, values: Float32Array, { name: type }: GgmlType): Uint8Array {
  if (type === "f32") return bytesOf(values);
  if (type === "bf16") return bytesOf(floatsToBfloats(values));
  if (type !== "f16") throw new UnsupportedError(`weights are not written as ${type}`);
  const hint = "use `type: bf16` or `type: f32`";
  return bytesOf(
    fitHalves(values, { what: `values of ${name}`, hint, field: "type", value: type }),
  );
}

/** Decodes what a converter made, to float32. */
export function decodeBytes({ name }: GgmlType, bytes: Uint8Array): Float32Array {
  const format = findBlockFormat(name);
  if (format) return decodeBlocks(format, bytes);
  const { buffer, byteOffset, byteLength } = bytes;
  if (name === "f32") return new Float32Array(buffer, byteOffset, byteLength / 4);
  const bits = new Uint16Array(buffer, byteOffset, byteLength / 2);
  return name === "f16" ? halvesToFloats(bits) : bfloatsToFloats(bits);
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
