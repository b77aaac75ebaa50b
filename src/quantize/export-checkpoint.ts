import type { Checkpoint } from "../formats/checkpoint.ts";
import { CheckpointWriter } from "../formats/checkpoint-writer.ts";
import { readQTensor } from "../formats/fewbit-format.ts";
import { formatJson } from "../formats/json-file.ts";
import { identifyCheckpoint } from "../run/identity.ts";
import type { OutputDirectory } from "../run/output/output-directory.ts";
import { runInFolder } from "../run/run.ts";
import { SourceFiles } from "../run/source-files.ts";
import { type QuantizedModule, readQuantizationConfig } from "../formats/quantization-config.ts";
import { type TensorEntry, tensorBytes } from "../formats/safetensors-header.ts";
import { copySidecarFiles } from "../formats/directory-files.ts";
import { writeText } from "../platform/node.ts";
import { throwIfCancelled, UnsupportedError, UsageError } from "../util/errors.ts";
import { fitHalves } from "../util/fit-halves.ts";
import { floatsToBfloats } from "../util/half.ts";
import { version } from "../util/version.ts";
import { openModelCheckpoint } from "../runtime/model-checkpoint.ts";
import { copyTensor, writableDType } from "../run/output/copy-tensor.ts";

/** Formats that a quantized checkpoint can be exported to. */
export const exportFormats = ["hf"] as const;

/** A format to export to: `hf` is a plain Hugging Face checkpoint with decoded weights. */
export type ExportFormat = (typeof exportFormats)[number];

/** Dtypes that decoded weights can be written in. */
export const exportDTypes = ["f32", "f16", "bf16"] as const;

/** Dtype of decoded weights; only `f32` holds every decoded value exactly. */
export type ExportDType = (typeof exportDTypes)[number];

/** How a checkpoint is exported. */
export interface ExportOptions {
  readonly format: ExportFormat;
  readonly out: string;
  readonly dtype?: ExportDType;
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal;
  /** Hears what a user should know of the checkpoint and of an interrupted export, a line each. */
  readonly onNotice?: ((notice: string) => void) | undefined;
  /** Called after each tensor. */
  readonly onProgress?: (progress: { done: number; total: number; tensor: string }) => void;
}

/** What an export wrote. */
export interface ExportResult {
  readonly out: string;
  readonly sizeBytes: number;
  readonly dtype: ExportDType;
  /** Number of weights that were decoded. */
  readonly decoded: number;
}

const torchNames = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/**
 * Writes the decoded weights of a quantized checkpoint as a plain Hugging Face checkpoint, which
 * any other program can load. Tensors that are not quantized are copied as they are, those that the
 * model does not use are left out.
 * @throws UsageError when the checkpoint is not quantized or the output exists
 * @throws UnsupportedError when layers are more than a weight to multiply by
 * @throws FormatError when the checkpoint is malformed
 * @throws NumericError where a weight does not fit into float16
 */
export async function exportCheckpoint(
  path: string,
  options: ExportOptions,
): Promise<ExportResult> {
  const { dtype = "f32", format, out, overwrite = false, onNotice = () => {} } = options;
  const { checkpoint, notices } = await openModelCheckpoint(path);
  try {
    const modules = readQuantizationConfig(checkpoint.config)?.modules;
    if (!modules) {
      throw new UsageError(`${path} is not quantized: there is nothing to decode`, {
        hint: "export is for checkpoints that fewbit has quantized",
      });
    }
    expectLinears(modules);
    notices.forEach(onNotice);
    const entries = plainEntries(checkpoint, modules, dtype);
    const sizeBytes = entries.reduce((sum, e) => sum + (tensorBytes(e.dtype, e.shape) ?? 0), 0);
    const result = { out, sizeBytes, dtype, decoded: modules.size };
    const sources = new SourceFiles();
    await sources.addCheckpoint(checkpoint);
    const files = await identifyCheckpoint(checkpoint);
    const start = {
      out,
      identity: { fewbit: version, format, dtype, ...files },
      overwrite,
      resume: "auto" as const,
      inputs: [path],
      needBytes: async () => sizeBytes,
      sources,
      keepsWorkAtFault: false,
      // Other programs read the output: it holds no record of ours, and need not be read.
      readFinished: async () => ({ identity: null, result }),
      onSettled: onNotice,
    };
    return await runInFolder(start, async ({ folder }) => {
      await writePlain(checkpoint, modules, folder, entries, { ...options, dtype });
      return result;
    });
  } finally {
    await checkpoint.close();
  }
}

/** Writes all files of the plain checkpoint. */
async function writePlain(
  checkpoint: Checkpoint,
  modules: ReadonlyMap<string, QuantizedModule>,
  folder: OutputDirectory,
  entries: readonly TensorEntry[],
  options: ExportOptions & { readonly dtype: ExportDType },
): Promise<void> {
  const writer = await CheckpointWriter.create(folder.workPath, entries);
  try {
    await writeTensors(checkpoint, modules, writer, entries, options);
    await writer.finish();
  } catch (error) {
    await writer.close();
    throw error;
  }
  await copySidecarFiles(checkpoint.files, folder.workPath);
  await writeText(folder.file("config.json"), formatJson(plainConfig(checkpoint, options.dtype)));
}

function expectLinears(modules: ReadonlyMap<string, QuantizedModule>): void {
  const other = [...modules].filter(([, { kind }]) => kind !== "linear");
  const [first] = other;
  if (!first) return;
  throw new UnsupportedError(
    `${other.length} layers, the first of them ${first[0]}, are of the kind ${first[1].kind}: ` +
      "no plain linear computes what they do, so that no other program could load the export",
    { hint: "use the checkpoint with fewbit as it is" },
  );
}

/** The tensors of the plain checkpoint, each packed module as its `.weight`. */
function plainEntries(
  checkpoint: Checkpoint,
  modules: ReadonlyMap<string, QuantizedModule>,
  dtype: ExportDType,
): TensorEntry[] {
  const entries: TensorEntry[] = [];
  for (const info of checkpoint.tensors.values()) {
    const [module, part] = splitName(info.name);
    const packed = modules.get(module);
    if (!packed || part === "bias") {
      entries.push({ name: info.name, dtype: writableDType(info), shape: info.shape });
    } else if (part === "codes" || part === "blocks") {
      const shape = [packed.outFeatures, packed.inFeatures];
      entries.push({ name: `${module}.weight`, dtype, shape });
    }
  }
  return entries;
}

async function writeTensors(
  checkpoint: Checkpoint,
  modules: ReadonlyMap<string, QuantizedModule>,
  writer: CheckpointWriter,
  entries: readonly TensorEntry[],
  { dtype = "f32", signal, onProgress }: ExportOptions,
): Promise<void> {
  for (const [done, { name }] of entries.entries()) {
    throwIfCancelled(signal);
    const [module, part] = splitName(name);
    const packed = part === "weight" ? modules.get(module) : undefined;
    if (packed) {
      const decoded = (await readQTensor(checkpoint, module, packed)).dequantize();
      await writer.write(name, narrow(name, decoded, dtype));
    } else await copyTensor(checkpoint, writer, name, signal);
    onProgress?.({ done: done + 1, total: entries.length, tensor: name });
  }
}

/** @throws NumericError where a value does not fit into float16 */
function narrow(
  name: string,
  values: Float32Array,
  dtype: ExportDType,
): Float32Array | Uint16Array {
  if (dtype === "f32") return values;
  if (dtype === "bf16") return floatsToBfloats(values);
  const hint = "export in bf16 or f32 (`dtype`)";
  return fitHalves(values, { what: `values of ${name}`, hint, field: "dtype", value: dtype });
}

function plainConfig({ config }: Checkpoint, dtype: ExportDType): Record<string, unknown> {
  const { quantization_config: _, ...plain } = config;
  const key = "torch_dtype" in plain ? "torch_dtype" : "dtype";
  return { ...plain, [key]: torchNames[dtype] };
}

function splitName(name: string): [module: string, part: string] {
  const dot = name.lastIndexOf(".");
  return [name.slice(0, dot), name.slice(dot + 1)];
}
