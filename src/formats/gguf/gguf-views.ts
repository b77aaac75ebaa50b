import { findBlockFormat } from "../../quant/blocks/index.ts";
import { decodeBlocks } from "../../quant/blocks/block-weight.ts";
import { formatShape, type Shape } from "../../tensor/shape.ts";
import { FormatError, UnsupportedError } from "../../util/errors.ts";
import { bfloatsToFloats, halvesToFloats } from "../../util/half.ts";
import type { TensorForm } from "../../nn/weight-source.ts";
import type { TensorInfo } from "../safetensors-header.ts";
import { quoteName } from "../wording.ts";
import { turnedShape } from "../tensor-forms.ts";
import type { GgufDecoder } from "./gguf-family.ts";
import type { GgufTensor } from "./gguf-header.ts";
import type { GgmlType } from "./gguf-types.ts";
import type { GgufView } from "./gguf-weights.ts";
import { type DecodeBlocks, decodeTable } from "./tables/index.ts";
import { rowOrder, type RowOrder } from "./row-order.ts";
import {
  GgufNames,
  longFactorsNames,
  ropeFactorsName,
  sharedGateName,
  splitTensorName,
} from "./tensor-names.ts";

/** How the tensors of a file are to stand in a checkpoint. */
export interface GgufViewing {
  /** Name of the file in errors. */
  readonly source: string;
  /** What the family makes of the configuration. */
  readonly decoder: GgufDecoder;
  /** Whether the rows of queries and keys lie otherwise in the file. */
  readonly permuted: boolean;
  /** How checkpoints store tensors, where not as the file has them. */
  readonly forms: ReadonlyMap<string, TensorForm>;
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
  const names = new GgufNames(viewing.decoder.names);
  for (const whole of tensors) {
    // It is no part of a checkpoint: config.json says what it does.
    if (ropeTensors.has(whole.name)) continue;
    for (const { module, at, tensor } of partsOf(whole, names, viewing)) {
      const place = placeOf(tensor, module, viewing);
      if (place.packed) modules.set(place.packed.module, place.packed);
      for (const view of viewsOf(tensor, place, viewing)) {
        const { name } = view.info;
        if (views.has(name)) {
          throw new FormatError(`${viewing.source}: two tensors stand for ${quoteName(name)}`);
        }
        views.set(name, { ...view, at });
      }
    }
  }
  return { views, modules };
}

/** A tensor of a checkpoint, as it lies in one of the file. */
interface Part {
  /** Its module in checkpoints; null where they have no name for it. */
  readonly module: string | null;
  /** Bytes of the file's tensor in front of it. */
  readonly at: number;
  /** The file's tensor, cut to it. */
  readonly tensor: GgufTensor;
}

/** Cuts a tensor into those that checkpoints have: a stack into a matrix for each expert. */
function partsOf(tensor: GgufTensor, names: GgufNames, viewing: GgufViewing): Part[] {
  const [ggufModule] = splitTensorName(tensor.name);
  const layers = names.ofStack(ggufModule, 0)?.length ?? 0;
  const { shape } = tensor;
  if (layers === 0) {
    const isGate = ggufModule.endsWith(`.${sharedGateName}`) && shape.length === 1;
    const own = isGate ? { ...tensor, shape: [1, ...shape] } : tensor;
    return [{ module: names.toCheckpoint(ggufModule), at: 0, tensor: own }];
  }
  const experts = viewing.decoder.experts?.count ?? 0;
  const [count, rows = 0, columns] = shape;
  if (shape.length !== 3 || count !== experts || rows % layers !== 0) {
    throw new FormatError(
      `${viewing.source}: tensor ${quoteName(tensor.name)} ${formatShape(shape)} is no stack of ` +
        `${experts} experts`,
    );
  }
  const modules = Array.from({ length: experts }, (_, i) => names.ofStack(ggufModule, i) ?? []);
  const size = (tensor.end - tensor.begin) / (experts * layers);
  return modules.flat().map((module, index) => {
    const at = index * size;
    const begin = tensor.begin + at;
    const cut = { ...tensor, shape: [rows / layers, columns], begin, end: begin + size };
    return { module, at, tensor: cut };
  });
}

/** Where a tensor belongs in a checkpoint. */
interface Place {
  readonly name: string;
  readonly order: RowOrder | null;
  /** The packed weight that it is; null where it is none. */
  readonly packed: (GgufModule & { readonly module: string }) | null;
}

const ropeTensors: ReadonlySet<string> = new Set([
  ropeFactorsName,
  ...Object.values(longFactorsNames),
]);

function placeOf(tensor: GgufTensor, module: string | null, viewing: GgufViewing): Place {
  const { name, type, shape } = tensor;
  const [ggufModule, ending] = splitTensorName(name);
  if (module === null) return { name, order: null, packed: null };
  const [outFeatures, inFeatures] = shape;
  const isPacked = type.kind === "blocks" && ending === ".weight" && shape.length === 2;
  const packed = isPacked ? { module, scheme: type.name, outFeatures, inFeatures } : null;
  return { name: `${module}${ending}`, order: orderOf(ggufModule, tensor, viewing), packed };
}

function viewsOf(
  tensor: GgufTensor,
  { name, order, packed }: Place,
  { source, decoded, forms }: GgufViewing,
): Omit<GgufView, "at">[] {
  const { type, shape } = tensor;
  const form = forms.get(name) ?? null;
  const stored = turnedShape(shape, form ?? undefined);
  if (type.dtype && (form === null || isTurned(type.dtype, form))) {
    return [{ ...viewOf(tensor, name, type.dtype, stored), order, decode: null, form }];
  }
  const views: Omit<GgufView, "at">[] = [];
  if (packed) {
    const bytes = [packed.outFeatures, (packed.inFeatures / type.columns) * type.bytes];
    views.push({
      ...viewOf(tensor, `${packed.module}.blocks`, "u8", bytes),
      order,
      decode: null,
      form: null,
    });
  }
  if (!packed || decoded) {
    const decode = decoderOf(type) ?? notDecoded(tensor, source);
    views.push({ ...viewOf(tensor, name, "f32", stored), order, decode, form });
  }
  return views;
}

/** Returns what decodes a type to float32; null when there is nothing that does. */
function decoderOf(type: GgmlType): DecodeBlocks | null {
  if (type.dtype) return decodePlain(type.dtype);
  if (type.kind === "table") return decodeTable(type.name);
  const format = type.kind === "blocks" ? findBlockFormat(type.name) : undefined;
  if (!format) return null;
  return (bytes, at, count, out, to) => {
    out.set(decodeBlocks(format, bytes.subarray(at, at + count * type.bytes)), to);
  };
}

/** Widens values of 16 bits. */
function decodePlain(dtype: TensorInfo["dtype"]): DecodeBlocks | null {
  const widen = { f16: halvesToFloats, bf16: bfloatsToFloats }[String(dtype)];
  if (!widen) return null;
  return (bytes, at, count, out, to) => {
    out.set(widen(new Uint16Array(bytes.slice(at, at + 2 * count).buffer)), to);
  };
}

function viewOf(
  source: GgufTensor,
  name: string,
  dtype: TensorInfo["dtype"],
  shape: Shape,
): Pick<GgufView, "source" | "info"> {
  const { begin } = source;
  const isPacked = source.type.dtype !== dtype;
  const elements = shape.reduce((product, dimension) => product * dimension, 1);
  const size = isPacked ? elements * (dtype === "f32" ? 4 : 1) : source.end - begin;
  const stored = isPacked && { stored: { type: source.type.name, bytes: source.end - begin } };
  return { source, info: { name, dtype, shape, begin, end: begin + size, ...stored } };
}

/** @throws FormatError when rows that lie in another order are no whole heads of an even width */
function orderOf(
  module: string,
  { name, shape }: GgufTensor,
  { source, permuted, decoder }: GgufViewing,
): RowOrder | null {
  const order = rowOrder(module, permuted, decoder);
  if (order === null) return null;
  const rows = shape[0] ?? 0;
  const heads = module.endsWith("attn_k") ? decoder.kvHeads : decoder.heads;
  const joined = module.endsWith("attn_qkv") ? 3 : 1;
  if (rows === joined * heads * decoder.headDim && shape.length <= 2) return order;
  throw new FormatError(
    `${source}: tensor ${quoteName(name)} ${formatShape(shape)} does not consist of ${heads} heads ` +
      "of an even width",
  );
}

/** Whether values of a dtype are put into another form as they are; else as float32. */
function isTurned(dtype: TensorInfo["dtype"], { offset }: TensorForm): boolean {
  return dtype === "f32" || (offset === 0 && (dtype === "f16" || dtype === "bf16"));
}

function notDecoded({ name, type }: GgufTensor, source: string): never {
  throw new UnsupportedError(
    `${source}: tensor ${quoteName(name)} is of the type ${type.name}, which is not read`,
    { hint: "take a file of the model with other types, such as Q4_K_M" },
  );
}
