import type { DType } from "../tensor/dtype.ts";

/** Element types of safetensors files without arrays in fewbit: read as raw bytes only. */
export type RawDType =
  | "f8_e4m3"
  | "f8_e5m2"
  | "f8_e8m0"
  | "f8_e4m3fnuz"
  | "f8_e5m2fnuz"
  | "f6_e2m3"
  | "f6_e3m2"
  | "f4"
  | "c64";

/** Element type of a tensor in a file; the file spells it in capitals. */
export type StoredDType = DType | RawDType;

const bitsOf: Readonly<Record<StoredDType, number>> = {
  f64: 64,
  f32: 32,
  f16: 16,
  bf16: 16,
  i64: 64,
  u64: 64,
  i32: 32,
  u32: 32,
  i16: 16,
  u16: 16,
  i8: 8,
  u8: 8,
  bool: 8,
  f8_e4m3: 8,
  f8_e5m2: 8,
  f8_e8m0: 8,
  f8_e4m3fnuz: 8,
  f8_e5m2fnuz: 8,
  f6_e2m3: 6,
  f6_e3m2: 6,
  f4: 4,
  c64: 64,
};

const byFileName: ReadonlyMap<string, StoredDType> = new Map(
  (Object.keys(bitsOf) as StoredDType[]).map((dtype) => [dtype.toUpperCase(), dtype]),
);

/** Returns the bits of one element; below 8 for the types that pack several into a byte. */
export function bitsPerElement(dtype: StoredDType): number {
  return bitsOf[dtype];
}

/** Finds a dtype by its name in a file (`BF16`); undefined when there is none. */
export function dtypeFromFile(name: string): StoredDType | undefined {
  return byFileName.get(name);
}

/** Tells whether fewbit has typed arrays for a stored dtype. */
export function isArrayDType(dtype: StoredDType): dtype is DType {
  return !/^(f[468]_|f4$|c64$)/.test(dtype);
}
