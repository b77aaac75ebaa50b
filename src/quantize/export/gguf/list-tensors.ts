import type { Checkpoint } from "../../../formats/checkpoint.ts";
import { rowOrder, type RowOrder } from "../../../formats/gguf/row-order.ts";
import {
  type GgufModulePlace,
  GgufNames,
  sharedGateName,
  splitTensorName,
} from "../../../formats/gguf/tensor-names.ts";
import type { QuantizedModule } from "../../../formats/quantization-config.ts";
import type { StoredDType } from "../../../formats/stored-dtype.ts";
import type { GgufTraits } from "../../../models/architecture.ts";
import type { DecoderConfig } from "../../../models/decoder-config.ts";
import {
  blockLinearNames,
  describeEmbeddingAndHead,
  expectedTensors,
  storedForms,
} from "../../../models/decoder-tensors.ts";
import type { TensorForm } from "../../../nn/weight-source.ts";
import { UnsupportedError } from "../../../util/errors.ts";

/** What a tensor is for: rules of types go by it. Vectors are norms and biases. */
export type TensorRole = "embedding" | "head" | "linear" | "vector";

/** A tensor of a model, whole or one matrix of a stack in a GGUF file. */
export interface SourceTensor {
  /** Its name in the checkpoint; of a packed weight that of the tensor it stands for. */
  readonly source: string;
  readonly module: string;
  readonly shape: readonly number[];
  /** How it is packed; null for floats. */
  readonly packed: QuantizedModule | null;
  /** Dtype of floats; null for packed weights. */
  readonly dtype: StoredDType | null;
  /** How its floats are stored in the checkpoint; null where as they are written. */
  readonly form: TensorForm | null;
}

/** What becomes one tensor of a GGUF file. */
export interface ModelTensor {
  /** Its name in the file. */
  readonly name: string;
  /** Its shape in the file. */
  readonly shape: readonly number[];
  readonly role: TensorRole;
  /** What it is made of: one tensor of the model, or a layer of each expert, in their order. */
  readonly parts: readonly [SourceTensor, ...SourceTensor[]];
  /** Order of its rows in the file; null where they stay as they are. */
  readonly order: RowOrder | null;
}

/**
 * Lists all tensors of a GGUF file of a model, with what they are made of.
 * @throws UnsupportedError for a tensor that GGUF files have no name for
 */
export function listTensors(
  checkpoint: Checkpoint,
  modules: ReadonlyMap<string, QuantizedModule>,
  config: DecoderConfig,
  { permuted }: GgufTraits,
): ModelTensor[] {
  const tables = describeEmbeddingAndHead(config);
  const linears = blockLinearNames(config);
  const names = new GgufNames(config.names);
  const forms = storedForms(config);
  const found = new Map<string, ModelTensor>();
  for (const [source, shape] of expectedTensors(config)) {
    const [module, ending] = splitTensorName(source);
    const place = names.place(module);
    if (place === null) throw new UnsupportedError(`GGUF files have no name for ${source}`);
    const name = place.name + ending;
    const isWeight = ending === ".weight";
    const packed = (isWeight && modules.get(module)) || null;
    const dtype = packed ? null : checkpoint.info(source).dtype;
    const form = packed ? null : (forms.get(source) ?? null);
    const part = { source, module, shape, packed, dtype, form };
    const table = isWeight ? tables.find((each) => each.module === module) : undefined;
    const before = found.get(name);
    found.set(name, {
      name,
      shape: shapeInFile(place, shape, before?.shape),
      role: table?.roles[0] ?? (linears.has(source) ? "linear" : "vector"),
      parts: before ? [...before.parts, part] : [part],
      order: rowOrder(place.name, permuted, config),
    });
  }
  return [...found.values()];
}

/** The shape of a tensor with one more matrix, where it is a stack. */
function shapeInFile(
  { name, expert }: GgufModulePlace,
  shape: readonly number[],
  before: readonly number[] | undefined,
): readonly number[] {
  if (expert !== null) return [(before?.[0] ?? 0) + 1, ...shape];
  return name.endsWith(`.${sharedGateName}`) ? shape.slice(1) : shape;
}
