import { FormatError, UnsupportedError } from "../../util/errors.ts";
import { isJsonRecord, type JsonRecord } from "../../util/json.ts";
import { formatShape } from "../../tensor/shape.ts";
import type { Checkpoint } from "../checkpoint.ts";
import type { TensorInfo } from "../safetensors-header.ts";
import { readFloatTensor } from "../read-float-tensor.ts";
import { quoteName } from "../wording.ts";
import { countNonFiniteBits } from "../../util/half.ts";
import { transposeInto } from "./transpose.ts";

/** Names without an ending, of all tensors that have it, in the order of the file. */
export function modulesWith(checkpoint: Checkpoint, ending: string): string[] {
  const names = [...checkpoint.tensors.keys()].filter((name) => name.endsWith(ending));
  return names.map((name) => name.slice(0, -ending.length));
}

/** @throws FormatError unless a tensor is there, of one of the dtypes and of the shape */
export function expectTensor(
  checkpoint: Checkpoint,
  name: string,
  dtypes: readonly string[],
  shape?: readonly (number | null)[],
): TensorInfo {
  const info = checkpoint.info(name);
  if (!dtypes.includes(info.dtype)) {
    throw new FormatError(
      `tensor ${quoteName(name)}: expected ${dtypes.join(" or ")}, the file has ${info.dtype}`,
    );
  }
  const fits =
    !shape ||
    (shape.length === info.shape.length &&
      shape.every((size, axis) => size === null || size === info.shape[axis]));
  if (fits) return info;
  const wanted = shape.map((size) => size ?? "any").join(", ");
  throw new FormatError(
    `tensor ${quoteName(name)}: expected the shape [${wanted}], the file has ${formatShape(info.shape)}`,
    { hint: "config.json and the weight files belong to different checkpoints" },
  );
}

/** Dtypes of scales and offsets. */
export const floatDTypes = ["f16", "bf16", "f32"] as const;

/** Scales: float32 values, or float16 bits. */
export type Scales = Float32Array | Uint16Array;

/** Reads scales as they are, wider ones than float16 as float32. @throws FormatError NumericError */
export async function readStoredScales(checkpoint: Checkpoint, name: string): Promise<Scales> {
  if (checkpoint.info(name).dtype === "f16") {
    const bits = await checkpoint.viewAs(name, "f16");
    if (countNonFiniteBits(bits, 0x7c00) === 0) return bits;
  }
  return readScales(checkpoint, name);
}

/** Reads a tensor of floats, widened to float32. @throws FormatError NumericError */
export async function readScales(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  return (await readFloatTensor(checkpoint, name)).values;
}

/** Turns scales `[rows, columns]`. */
export function turnScales(scales: Scales, rows: number, columns: number): Scales {
  return scales instanceof Uint16Array
    ? transposeInto(scales, rows, columns, new Uint16Array(scales.length))
    : transposeInto(scales, rows, columns, new Float32Array(scales.length));
}

/** The bytes of a tensor, mapped where that can be. */
export async function readBytes(checkpoint: Checkpoint, name: string): Promise<Uint8Array> {
  const { dtype, begin, end } = checkpoint.info(name);
  if (dtype === "u8" || dtype === "u32" || dtype === "i8" || dtype === "i32") {
    const { buffer, byteOffset, byteLength } = await checkpoint.viewAs(name, dtype);
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  const bytes = new Uint8Array(end - begin);
  await checkpoint.readInto(name, bytes, 0);
  return bytes;
}

/** `quantization_config` of a quant_method, and config.json without it; null for another one. */
export function ofMethod(
  config: JsonRecord,
  method: string,
): { readonly settings: JsonRecord; readonly config: JsonRecord } | null {
  const { quantization_config: settings, ...rest } = config;
  if (!isJsonRecord(settings) || settings.quant_method !== method) return null;
  return { settings, config: rest };
}

/** @throws UnsupportedError that names a field of `quantization_config` and its value */
export function refuseSetting(field: string, value: unknown, hint: string): never {
  throw new UnsupportedError(
    `quantization_config: \`${field}\` ${JSON.stringify(value)} is not read`,
    { hint, field, value },
  );
}
