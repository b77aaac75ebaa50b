/** Types of elements, by their numbers in files. */
const numbers = { f32: 1, u8: 2, i32: 6, i64: 7, f16: 10, bf16: 16 } as const;

/** Type of the elements of a tensor. */
export type OnnxType = keyof typeof numbers;

/** Bytes of an element. */
export const onnxTypeBytes: Readonly<Record<OnnxType, number>> = {
  f32: 4,
  u8: 1,
  i32: 4,
  i64: 8,
  f16: 2,
  bf16: 2,
};

/** Returns the number of a type in files. */
export function onnxTypeNumber(type: OnnxType): number {
  return numbers[type];
}

/** Returns the type of a number in files; undefined for one that fewbit does not write. */
export function onnxTypeNumbered(number: number): OnnxType | undefined {
  return (Object.keys(numbers) as OnnxType[]).find((type) => numbers[type] === number);
}

/** Where the data of a tensor lies outside of the model's file. */
export interface OnnxPlace {
  /** Name of a file beside the model. */
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** A constant of a graph: a weight. */
export interface OnnxTensor {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly number[];
  /** Its bytes, little-endian, or where they are. */
  readonly data: Uint8Array | OnnxPlace;
}

/** An input or output of a graph; a dimension that is not known has a name. */
export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly (number | string)[];
}

/** An attribute: a whole number, a text, or a float in a form that says so. */
export type OnnxAttribute = number | string | readonly number[] | { readonly float: number };

/** An operation. An optional input that is left out has an empty name. */
export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  /** Empty for ONNX's own operators. */
  readonly domain: "" | "com.microsoft";
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A graph; each node comes behind those whose outputs it reads. */
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers: readonly OnnxTensor[];
}
