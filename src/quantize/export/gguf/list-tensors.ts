import type { Checkpoint } from "../../../formats/checkpoint.ts";
import {
  GgufNames,
  rowOrder,
  type RowOrder,
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
import { fusedNorms } from "../../../models/fused-tensors.ts";
import type { TensorForm } from "../../../nn/weight-source.ts";
import { UnsupportedError } from "../../../util/errors.ts";

/** What a tensor is for: rules of types go by it. Vectors are norms and biases. */
export type TensorRole = "embedding" | "head" | "linear" | "vector";

/** A tensor of a model that becomes one of a GGUF file. */
export interface ModelTensor {
  /** Its name in the file. */
  readonly name: string;
  /** Its name in the checkpoint; of a packed weight that of the tensor it stands for. */
  readonly source: string;
  readonly module: string;
  readonly shape: readonly number[];
  readonly role: TensorRole;
  /** How it is packed; null for floats. */
  readonly packed: QuantizedModule | null;
  /** Dtype of floats; null for packed weights. */
  readonly dtype: StoredDType | null;
  /** Order of its rows in the file; null where they stay as they are. */
  readonly order: RowOrder | null;
  /** How its floats are stored in the checkpoint; null where as they are written. */
  readonly form: TensorForm | null;
  /** Tensors of the checkpoint that its rows are, where it is one only in the file. */
  readonly rows?: readonly string[];
}

/**
 * Lists all tensors of a model, with their names and places in a GGUF file.
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
  const fused = fusedNorms(config);
  const ofHeads = new Set([...fused.values()].flatMap(({ parts }) => parts.map((p) => p.name)));
  const plain = [...expectedTensors(config)].filter(([name]) => !ofHeads.has(name));
  const joined = [...fused].map(([name, { shape }]) => [name, shape] as const);
  return [...plain, ...joined].map(([source, shape]) => {
    const [module, ending] = splitTensorName(source);
    const own = names.toGguf(module);
    if (own === null) throw new UnsupportedError(`GGUF files have no name for ${source}`);
    const table = tables.find((each) => each.module === module);
    const role = table?.roles[0] ?? (linears.has(source) ? "linear" : "vector");
    const packed = (ending === ".weight" && modules.get(module)) || null;
    const rows = fused.get(source)?.parts.map((part) => part.name);
    return {
      name: own + ending,
      source,
      module,
      shape,
      role,
      packed,
      dtype: packed ? null : checkpoint.info(rows?.[0] ?? source).dtype,
      order: rowOrder(own, permuted, config),
      form: packed ? null : (forms.get(source) ?? null),
      ...(rows && { rows }),
    };
  });
}
