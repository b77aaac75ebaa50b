import type { Checkpoint } from "../formats/checkpoint.ts";
import { CheckpointWriter } from "../formats/checkpoint-writer.ts";
import { quantizedEntries, writeQTensor } from "../formats/fewbit-format.ts";
import { formatJson } from "../formats/json-file.ts";
import { type QuantizedModule, writeQuantizationConfig } from "../formats/quantization-config.ts";
import type { TensorEntry } from "../formats/safetensors.ts";
import { copySidecarFiles } from "../formats/sidecar-files.ts";
import { joinPath, writeText } from "../platform/node.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import { parseScheme } from "../quant/scheme.ts";
import { copyTensor, writableDType } from "./copy-tensor.ts";
import type { PlannedLinear } from "./plan.ts";
import type { Recipe } from "./recipe.ts";

/**
 * Lists the tensors of the quantized checkpoint in the order of the original's. Those that transforms
 * change (`changed`: their names) are stored in float32, so that the model which was measured is stored.
 */
export function outputEntries(
  checkpoint: Checkpoint,
  linears: readonly PlannedLinear[],
  changed: ReadonlySet<string> = new Set(),
): TensorEntry[] {
  const planned = new Map(linears.map((linear) => [`${linear.module}.weight`, linear]));
  const entries: TensorEntry[] = [];
  for (const info of checkpoint.tensors.values()) {
    const { name, shape } = info;
    const linear = planned.get(name);
    if (changed.has(name)) entries.push({ name, dtype: "f32", shape });
    else if (!linear?.scheme) entries.push({ name, dtype: writableDType(info), shape });
    else {
      const { module, scheme, outFeatures, inFeatures } = linear;
      entries.push(...quantizedEntries(module, scheme, outFeatures, inFeatures));
    }
  }
  return entries;
}

/** Writes a quantized checkpoint: packed linears as they come, everything else copied byte by byte. */
export class QuantizedOutput {
  private readonly checkpoint: Checkpoint;
  private readonly path: string;
  private readonly writer: CheckpointWriter;
  private readonly written = new Map<string, QuantizedModule>();
  private readonly replaced = new Set<string>();

  private constructor(checkpoint: Checkpoint, path: string, writer: CheckpointWriter) {
    this.checkpoint = checkpoint;
    this.path = path;
    this.writer = writer;
  }

  /** Creates the weight files in an existing directory. */
  static async create(
    checkpoint: Checkpoint,
    path: string,
    entries: readonly TensorEntry[],
  ): Promise<QuantizedOutput> {
    const writer = await CheckpointWriter.create(path, entries, { metadata: { format: "pt" } });
    return new QuantizedOutput(checkpoint, path, writer);
  }

  /** Writes one packed linear. */
  async writeLinear(module: string, weight: QTensor): Promise<void> {
    await writeQTensor(this.writer, module, weight);
    const { scheme, outFeatures, inFeatures } = weight;
    this.written.set(module, { kind: "linear", scheme, outFeatures, inFeatures });
  }

  /** Writes a tensor that transforms have changed. */
  async writeChanged(name: string, values: Float32Array): Promise<void> {
    await this.writer.write(name, values);
    this.replaced.add(name);
  }

  /** Copies all tensors that are not quantized, and the files beside the weights. */
  async copyRest(signal?: AbortSignal): Promise<void> {
    for (const name of this.checkpoint.tensors.keys()) {
      if (this.written.has(name.replace(/\.weight$/, "")) || this.replaced.has(name)) continue;
      await copyTensor(this.checkpoint, this.writer, name, signal);
    }
    await copySidecarFiles(this.checkpoint.path, this.path);
  }

  /** Checks that everything was written, and adds config.json. */
  async finish(recipe: Recipe): Promise<void> {
    await this.writer.finish();
    const { transforms, method, options } = recipe;
    const notes = { ...(transforms.length > 0 && { transforms }), method, options };
    const config = {
      ...this.checkpoint.config,
      quantization_config: writeQuantizationConfig(parseScheme(recipe.scheme), this.written, notes),
    };
    await writeText(joinPath(this.path, "config.json"), formatJson(config));
  }

  /** Writes a JSON document beside the weights. */
  async writeDocument(name: string, document: unknown): Promise<void> {
    await writeText(joinPath(this.path, name), formatJson(document));
  }

  /** Closes the files of work that is given up. */
  async close(): Promise<void> {
    await this.writer.close();
  }
}
