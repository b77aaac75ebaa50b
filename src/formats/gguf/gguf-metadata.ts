import { FormatError } from "../../util/errors.ts";
import { shortestFloat } from "../../util/shortest-float.ts";
import { quoteName } from "../wording.ts";

/** Types of metadata values, by their numbers in files. */
export const ggufValueTypes = [
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "f32",
  "bool",
  "string",
  "array",
  "u64",
  "i64",
  "f64",
] as const;

/** Type of a metadata value. */
export type GgufValueType = (typeof ggufValueTypes)[number];

/** Types of numbers that are JavaScript's own. */
export type GgufNumberType = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64";

/** Numbers of an array; of the type `bool`, bytes that are 0 for false. */
export type GgufNumbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

/** An array of strings. */
export interface GgufStringArray {
  readonly type: "array";
  readonly elements: "string";
  readonly length: number;
  readonly values: readonly string[];
}

/** An array of numbers or truth values. */
export interface GgufNumberArray {
  readonly type: "array";
  readonly elements: Exclude<GgufValueType, "string" | "array">;
  readonly length: number;
  readonly values: GgufNumbers;
}

/** One value of the metadata. Arrays do not hold arrays: no program reads such. */
export type GgufValue =
  | { readonly type: GgufNumberType; readonly value: number }
  | { readonly type: "u64" | "i64"; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | GgufStringArray
  | GgufNumberArray;

/**
 * Metadata of a GGUF file, in the file's order. The getters return null where there is no such key;
 * they throw a FormatError, which names the key, where its value is of another type.
 */
export class GgufMetadata {
  /** Name of the file in errors. */
  readonly source: string;
  readonly entries: ReadonlyMap<string, GgufValue>;

  constructor(source: string, entries: ReadonlyMap<string, GgufValue>) {
    this.source = source;
    this.entries = entries;
  }

  /** Tells whether there is a value. */
  has(key: string): boolean {
    return this.entries.has(key);
  }

  /** @throws FormatError always: for a key that must be there */
  missing(key: string): never {
    throw new FormatError(`${this.source}: the metadata has no ${quoteName(key)}`, {
      hint: "the file is incomplete, or not of a language model; convert the model again",
    });
  }

  /** Reads a string. @throws FormatError */
  string(key: string): string | null {
    const value = this.entries.get(key);
    if (!value) return null;
    return value.type === "string" ? value.value : this.wrong(key, "a string", value);
  }

  /** Reads a truth value. @throws FormatError */
  boolean(key: string): boolean | null {
    const value = this.entries.get(key);
    if (!value) return null;
    return value.type === "bool" ? value.value : this.wrong(key, "a truth value", value);
  }

  /** Reads a number; one of 32 bits as the shortest decimal that means it. @throws FormatError */
  number(key: string): number | null {
    const value = this.entries.get(key);
    if (!value) return null;
    switch (value.type) {
      case "array":
      case "string":
      case "bool":
        return this.wrong(key, "a number", value);
      case "f32":
        return shortestFloat(value.value);
      case "u64":
      case "i64":
        return Number(value.value);
      default:
        return value.value;
    }
  }

  /** Reads a whole number of at most 53 bits that is not negative. @throws FormatError */
  count(key: string): number | null {
    const number = this.number(key);
    if (number === null || (Number.isSafeInteger(number) && number >= 0)) return number;
    throw new FormatError(`${this.source}: ${quoteName(key)}: expected a count, got ${number}`);
  }

  /** Reads an array of strings. @throws FormatError */
  strings(key: string): readonly string[] | null {
    const value = this.entries.get(key);
    if (!value) return null;
    if (value.type === "array" && value.elements === "string") return value.values;
    return this.wrong(key, "an array of strings", value);
  }

  /** Reads an array of numbers, as they are stored but for those of 64 bits. @throws FormatError */
  numbers(key: string): ArrayLike<number> | null {
    const value = this.entries.get(key);
    if (!value) return null;
    if (value.type !== "array" || value.elements === "string") {
      return this.wrong(key, "an array of numbers", value);
    }
    const { values } = value;
    const isWide = values instanceof BigInt64Array || values instanceof BigUint64Array;
    return isWide ? Array.from(values, Number) : values;
  }

  /** Returns how many elements an array has, null where there is none. @throws FormatError */
  arrayLength(key: string): number | null {
    const value = this.entries.get(key);
    if (!value) return null;
    return value.type === "array" ? value.length : this.wrong(key, "an array", value);
  }

  private wrong(key: string, expected: string, value: GgufValue): never {
    const found = value.type === "array" ? `an array of ${value.elements}` : value.type;
    throw new FormatError(
      `${this.source}: ${quoteName(key)}: expected ${expected}, the file has ${found}`,
    );
  }
}
