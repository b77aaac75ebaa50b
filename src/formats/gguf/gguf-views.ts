import { findBlockFormat } from "../../quant/blocks/index.ts";
import { decodeBlocks } from "../../quant/blocks/block-weight.ts";
import { formatShape, type Shape } from "../../tensor/shape.ts";
import { FormatError, UnsupportedError } from "../../util/errors.ts";
import type { TensorInfo } from "../safetensors-header.ts";
import { quoteName } from "../wording.ts";
import type { GgufTensor } from "./gguf-header.ts";
import type { GgmlType } from "./gguf-types.ts";
import type { GgufView } from "./gguf-weights.ts";
import { type DecodeBlocks, decodeTable } from "./tables/index.ts";
import { hfModuleName, permutedHeads, ropeFactorsName, splitTensorName } from "./tensor-names.ts";

/** How the tensors of a file are to stand in a checkpoint. */
export interface GgufViewing {
  /** Name of the file in errors. */
  readonly source: string;
  /** Heads of queries and of keys where their rows lie otherwise in the file; else null. */
  readonly permuted: { readonly heads: number; readonly kvHeads: number } | null;
  /** Whether packed weights are decoded when they are read. */
  readonly decoded: boolean;
}

/** A packed weight that stays packed, by the scheme that its type is. */
export interface GgufModule {
  readonly scheme: string;
  readonly outFeatures: number;
  readonly inFeatures: number;
}

/** What becomes of the tensors of a file. */
export interface GgufViews {
  /** By names in the checkpoint. */
  readonly views: ReadonlyMap<string, GgufView>;
  /** Packed modules by their names in the checkpoint; also those that are decoded. */
  readonly modules: ReadonlyMap<string, GgufModule>;
}

/**
 * Describes the tensors of a file as those of a checkpoint: weights of block types as the tensor
 * `M.blocks`, with the bytes of the file, other packed ones as float32, plain ones as they are. With
 * `decoded` packed weights have both.
 * Tensors that checkpoints have no name for keep theirs.
 * @throws UnsupportedError for a weight of a type that is not decoded
 * @throws FormatError when two tensors stand for one, or rows are no whole heads
 */
export function viewTensors(tensors: Iterable<GgufTensor>, viewing: GgufViewing): GgufViews {
  const views = new Map<string, GgufView>();
  const modules = new Map<string, GgufModule>();
  for (const tensor of tensors) {
    // It is no part of a checkpoint: config.json says what it does.
    if (tensor.name === ropeFactorsName) continue;
    const place = placeOf(tensor, viewing);
    if (place.packed) modules.set(place.packed.module, place.packed);
    for (const view of viewsOf(tensor, place, viewing)) {
      const { name } = view.info;
      if (views.has(name)) {
        throw new FormatError(`${viewing.source}: two tensors stand for ${quoteName(name)}`);
      }
      views.set(name, view);
    }
  }
  return { views, modules };
}

/** Where a tensor belongs in a checkpoint. */
interface Place {
  readonly name: string;
  readonly heads: number | null;
  /** The packed weight that it is; null where it is none. */
  readonly packed: (GgufModule & { readonly module: string }) | null;
}

function placeOf(tensor: GgufTensor, viewing: GgufViewing): Place {
  const { name, type, shape } = tensor;
  const [ggufModule, ending] = splitTensorName(name);
  const module = hfModuleName(ggufModule);
  if (module === null) return { name, heads: null, packed: null };
  const [outFeatures, inFeatures] = shape;
  const isPacked = type.kind === "blocks" && ending === ".weight" && shape.length === 2;
  const packed = isPacked ? { module, scheme: type.name, outFeatures, inFeatures } : null;
  return { name: `${module}${ending}`, heads: headsOf(module, tensor, viewing), packed };
}

function viewsOf(
  tensor: GgufTensor,
  { name, heads, packed }: Place,
  { source, decoded }: GgufViewing,
): GgufView[] {
  const { type, shape } = tensor;
  if (type.dtype) return [{ ...viewOf(tensor, name, type.dtype, shape), heads, decode: null }];
  const views: GgufView[] = [];
  if (packed) {
    const bytes = [packed.outFeatures, (packed.inFeatures / type.columns) * type.bytes];
    views.push({ ...viewOf(tensor, `${packed.module}.blocks`, "u8", bytes), heads, decode: null });
  }
  if (!packed || decoded) {
    const decode = decoderOf(type) ?? notDecoded(tensor, source);
    views.push({ ...viewOf(tensor, name, "f32", shape), heads, decode });
  }
  return views;
}

/** Returns what decodes a packed type to float32; null when there is nothing that does. */
function decoderOf(type: GgmlType): DecodeBlocks | null {
  if (type.kind === "table") return decodeTable(type.name);
  const format = type.kind === "blocks" ? findBlockFormat(type.name) : undefined;
  if (!format) return null;
  return (bytes, at, count, out, to) => {
    out.set(decodeBlocks(format, bytes.subarray(at, at + count * type.bytes)), to);
  };
}

function viewOf(
  source: GgufTensor,
  name: string,
  dtype: TensorInfo["dtype"],
  shape: Shape,
): Pick<GgufView, "source" | "info"> {
  const { begin } = source;
  const isPacked = source.type.dtype === null;
  const elements = shape.reduce((product, dimension) => product * dimension, 1);
  const size = isPacked ? elements * (dtype === "f32" ? 4 : 1) : source.end - begin;
  const stored = isPacked && { stored: { type: source.type.name, bytes: source.end - begin } };
  return { source, info: { name, dtype, shape, begin, end: begin + size, ...stored } };
}

/** @throws FormatError when the rows of queries or keys are no whole heads of an even width */
function headsOf(
  module: string,
  { name, shape }: GgufTensor,
  { source, permuted }: GgufViewing,
): number | null {
  const heads = permuted && permutedHeads(module, permuted);
  if (heads === null) return null;
  const rows = shape[0] ?? 0;
  if (heads > 0 && rows % (2 * heads) === 0 && shape.length <= 2) return heads;
  throw new FormatError(
    `${source}: tensor ${quoteName(name)} ${formatShape(shape)} does not consist of ${heads} heads ` +
      "of an even width",
  );
}

function notDecoded({ name, type }: GgufTensor, source: string): never {
  throw new UnsupportedError(
    `${source}: tensor ${quoteName(name)} is of the type ${type.name}, which is not read`,
    { hint: "take a file of the model with other types, such as Q4_K_M" },
  );
}
