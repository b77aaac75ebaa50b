import type { Checkpoint } from "../formats/checkpoint.ts";
import { CheckpointWriter } from "../formats/checkpoint-writer.ts";
import { formatJson, formatJsonLike } from "../formats/json-file.ts";
import type { JsonRecord } from "../util/json.ts";
import { tensorBytes } from "../formats/safetensors-header.ts";
import { toStoredForm, turnedShape } from "../formats/tensor-forms.ts";
import type { TensorForm } from "../nn/weight-source.ts";
import { exists, joinPath, listDirectory, remove, writeText } from "../platform/node.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { copyTensor, writableDType } from "../run/output/copy-tensor.ts";
import { fitHalves } from "../util/fit-halves.ts";
import { floatsToBfloats } from "../util/half.ts";
import type { TrainConfig } from "./pretrain-config.ts";

const torchNames = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/** What is written. */
export interface TrainedModel {
  /** `config.json` without what follows from tokenizer and dtype. */
  readonly config: JsonRecord;
  /** The text that it was read from; null for a new model. */
  readonly configText: string | null;
  readonly tokenizer: Tokenizer;
  /** Names and shapes of all tensors, in the order in which they are stored. */
  readonly expected: Iterable<readonly [name: string, shape: Shape]>;
  readonly tensors: ReadonlyMap<string, Tensor<"f32">>;
  /** How tensors are stored that are not stored as they are computed with, by name. */
  readonly forms: ReadonlyMap<string, TensorForm>;
  readonly dtype: TrainConfig["dtype"];
  /** Where tensors of parts beside the language model stand, which stay as they are. */
  readonly others: readonly { readonly checkpoint: Checkpoint; readonly name: string }[];
}

/**
 * Writes weights, `config.json` and, where there is none, `generation_config.json` into a directory
 * that has the tokenizer already. Returns the bytes of the weights.
 * @throws NumericError when a weight does not fit into float16
 */
export async function writeTrainedModel(directory: string, model: TrainedModel): Promise<number> {
  const { dtype, tokenizer, others } = model;
  await removeWeights(directory);
  const trained = [...model.expected].map(([name, shape]) => ({
    name,
    dtype,
    shape: turnedShape(shape, model.forms.get(name)),
  }));
  const copied = others.map(({ checkpoint, name }) => {
    const info = checkpoint.info(name);
    return { name, dtype: writableDType(info), shape: info.shape };
  });
  const entries = [...trained, ...copied];
  const writer = await CheckpointWriter.create(directory, entries);
  try {
    for (const { checkpoint, name } of others) await copyTensor(checkpoint, writer, name);
    for (const { name } of trained) {
      const tensor = model.tensors.get(name) as Tensor<"f32">;
      const values = toStoredForm(await tensor.read(), tensor.shape, model.forms.get(name));
      await writer.write(name, narrow(name, values, dtype));
    }
    await writer.finish();
  } catch (error) {
    await writer.close();
    throw error;
  }
  const ids = {
    ...(tokenizer.bosId === null ? {} : { bos_token_id: tokenizer.bosId }),
    ...(tokenizer.eosIds.length === 0 ? {} : { eos_token_id: tokenizer.eosIds[0] }),
  };
  const { dtype: _, torch_dtype: __, ...rest } = model.config;
  const config = { ...ids, ...rest, torch_dtype: torchNames[dtype] };
  await writeText(joinPath(directory, "config.json"), formatJsonLike(config, model.configText));
  const generation = joinPath(directory, "generation_config.json");
  if (!(await exists(generation))) await writeText(generation, formatJson(ids));
  return entries.reduce((sum, e) => sum + (tensorBytes(e.dtype, e.shape) ?? 0), 0);
}

/** Removes what a run that was stopped just here had written. */
async function removeWeights(directory: string): Promise<void> {
  for (const { name } of await listDirectory(directory)) {
    if (/^model\b.*safetensors/.test(name)) await remove(joinPath(directory, name));
  }
}

function narrow(
  name: string,
  values: Float32Array,
  dtype: TrainConfig["dtype"],
): Float32Array | Uint16Array {
  if (dtype === "f32") return values;
  if (dtype === "bf16") return floatsToBfloats(values);
  const hint = "store the weights in bf16 or f32 (`dtype`)";
  const what = `values of ${name}`;
  return fitHalves(values, { what, hint, field: "dtype", value: dtype });
}
