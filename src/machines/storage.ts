import { QTensor } from "../quant/q-tensor.ts";
import { parseScheme, type Scheme } from "../quant/scheme.ts";
import { SchemeError } from "../util/errors.ts";
import type { ModelPart, ModelShape, PartKind } from "./model-shape.ts";

/** Bytes of a value of the dtypes that matrices are stored in. */
export const floatBytes = { f32: 4, bf16: 2, f16: 2 } as const;

/** A dtype of floats. */
export type FloatStorage = keyof typeof floatBytes;

/** What matrices are stored as: ids of schemes, such as `w2g64`, or dtypes. */
export interface StorageChoice {
  /** Linear layers of the blocks. */
  readonly linear: string;
  /** The embedding; also the output head where the two are tied. */
  readonly embedding: string;
  readonly head: string;
  /** All that is never quantized: norms, biases, routers. */
  readonly others: FloatStorage;
}

/** Tells a dtype of floats from the id of a scheme. */
export function isFloatStorage(storage: string): storage is FloatStorage {
  return Object.hasOwn(floatBytes, storage);
}

const known = new Map<string, Scheme>();

/** Reads the id of a scheme, each only once. @throws SchemeError */
export function schemeOfStorage(storage: string): Scheme {
  const scheme = known.get(storage) ?? parseScheme(storage);
  known.set(storage, scheme);
  return scheme;
}

/**
 * Reads what a user calls a storage: a dtype, or a scheme in any way in which it may be written.
 * @throws SchemeError when it is neither
 */
export function parseStorage(text: string): string {
  const dtype = text.toLowerCase();
  if (isFloatStorage(dtype)) return dtype;
  try {
    return schemeOfStorage(text).id;
  } catch (error) {
    if (!(error instanceof SchemeError)) throw error;
    const hint = `${error.hint ?? ""}; dtypes are ${Object.keys(floatBytes).join(", ")}`;
    throw new SchemeError(error.message, { hint: hint.replace(/^; /, ""), cause: error });
  }
}

/**
 * Bytes of a matrix `[outFeatures, inFeatures]`: of floats, or of codes, scales, zero points and all
 * else that its scheme stores.
 * @throws SchemeError when the scheme cannot hold rows of so many columns
 */
export function storedBytes(storage: string, outFeatures: number, inFeatures: number): number {
  if (isFloatStorage(storage)) return floatBytes[storage] * outFeatures * inFeatures;
  return QTensor.sizes(schemeOfStorage(storage), outFeatures, inFeatures).all;
}

const chosenBy: Readonly<Record<PartKind, keyof StorageChoice>> = {
  attention: "linear",
  mlp: "linear",
  experts: "linear",
  router: "others",
  embedding: "embedding",
  head: "head",
};

/** What the matrices of a part are stored as. */
export function storageOf({ kind, storage }: ModelPart, choice: StorageChoice): string {
  return storage ?? choice[chosenBy[kind]];
}

/** Whether a part is one of the linear layers whose bits a scheme names. */
export function isLinear({ kind }: ModelPart): boolean {
  return chosenBy[kind] === "linear";
}

/** Bytes that a model takes on the disk, headers apart. */
export interface StoredSizes {
  readonly linear: number;
  readonly embedding: number;
  readonly head: number;
  readonly others: number;
  readonly all: number;
  /** Over the weights of linear layers, and over all parameters. */
  readonly bitsPerWeight: { readonly linear: number; readonly all: number };
}

/** Adds up what a model stores. @throws SchemeError when a scheme cannot hold its rows */
export function storedSizes(shape: ModelShape, choice: StorageChoice): StoredSizes {
  const sums = {
    linear: 0,
    embedding: 0,
    head: 0,
    others: shape.others * floatBytes[choice.others],
  };
  let weights = 0;
  for (const part of shape.parts) {
    const { outFeatures, inFeatures, count } = part;
    const bytes = count * storedBytes(storageOf(part, choice), outFeatures, inFeatures);
    sums[chosenBy[part.kind]] += bytes;
    if (isLinear(part)) weights += outFeatures * inFeatures * count;
  }
  const all = sums.linear + sums.embedding + sums.head + sums.others;
  const bitsPerWeight = { linear: (8 * sums.linear) / weights, all: (8 * all) / shape.parameters };
  return { ...sums, all, bitsPerWeight };
}
