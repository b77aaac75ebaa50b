import type { Checkpoint } from "../../formats/checkpoint.ts";
import { CheckpointWriter } from "../../formats/checkpoint-writer.ts";
import { readQTensor } from "../../formats/fewbit-format.ts";
import { formatJsonLike } from "../../formats/json-file.ts";
import { type QuantizedModule, readQuantizationConfig } from "../../formats/quantization-config.ts";
import { readFloatTensor } from "../../formats/read-float-tensor.ts";
import { type TensorEntry, tensorBytes } from "../../formats/safetensors-header.ts";
import { toStoredForm, turnedShape } from "../../formats/tensor-forms.ts";
import { copySidecarFiles } from "../../formats/directory-files.ts";
import { writeText } from "../../platform/node.ts";
import { copyTensor, writableDType } from "../../run/output/copy-tensor.ts";
import type { OutputDirectory } from "../../run/output/output-directory.ts";
import { identifyCheckpoint } from "../../run/identity.ts";
import { runInFolder } from "../../run/run.ts";
import { SourceFiles } from "../../run/source-files.ts";
import { throwIfCancelled, UsageError } from "../../util/errors.ts";
import { fitHalves } from "../../util/fit-halves.ts";
import { floatsToBfloats } from "../../util/half.ts";
import { sum } from "../../util/sums.ts";
import { version } from "../../util/version.ts";
import { expectPlainLinears } from "./expect-linears.ts";
import {
  exportDTypes,
  type ExportDType,
  type ExportFormat,
  type ExportSource,
  type WriteOptions,
} from "./export-format.ts";

/** What an export as a Hugging Face checkpoint wrote. */
export interface HfExport {
  readonly format: "hf";
  readonly out: string;
  readonly sizeBytes: number;
  readonly dtype: ExportDType;
  /** Number of weights that were decoded. */
  readonly decoded: number;
}

const torchNames = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/**
 * The decoded weights as a plain Hugging Face checkpoint, which any other program can load. Tensors
 * that are not quantized are copied as they are, those that the model does not use are left out. Of
 * a GGUF file it is a checkpoint in any case, also where nothing is to be decoded.
 */
export const hf: ExportFormat<HfExport> = {
  title: "Hugging Face, as transformers loads it",
  takes: ["dtype"],
  async prepare(source, options) {
    const { checkpoint, path } = source;
    const { dtype = "f32", out } = options;
    const modules = readQuantizationConfig(checkpoint.config)?.modules ?? new Map();
    if (modules.size === 0 && !checkpoint.gguf) {
      throw new UsageError(`${path} is not quantized: there is nothing to decode`, {
        hint: "`format: hf` is for quantized checkpoints and GGUF files",
      });
    }
    expectPlainLinears(modules);
    const entries = plainEntries(checkpoint, modules, dtype);
    const tensors = entries.map((entry) => ({
      name: entry.name,
      shape: entry.shape,
      type: entry.dtype,
      sizeBytes: tensorBytes(entry.dtype, entry.shape) ?? 0,
      note: null,
    }));
    const sizeBytes = sum(tensors.map((tensor) => tensor.sizeBytes));
    const plan = { format: "hf", out, files: [{ path: out, sizeBytes }], sizeBytes, tensors };
    const decoded = entries.filter(({ name }) => isDecoded(checkpoint, modules, name)).length;
    const result = { format: "hf" as const, out, sizeBytes, dtype, decoded };
    const job = { source, modules, entries, options: { ...options, dtype } };
    return { plan, run: () => writeCheckpoint(job, result) };
  },
};

interface Job {
  readonly source: ExportSource;
  readonly modules: ReadonlyMap<string, QuantizedModule>;
  readonly entries: readonly TensorEntry[];
  readonly options: WriteOptions & { readonly dtype: ExportDType };
}

async function writeCheckpoint(job: Job, result: HfExport): Promise<HfExport> {
  const { checkpoint, path } = job.source;
  const { out, dtype, overwrite = false, onNotice = () => {} } = job.options;
  const sources = new SourceFiles();
  await sources.addCheckpoint(checkpoint);
  const files = await identifyCheckpoint(checkpoint);
  const start = {
    out,
    identity: { fewbit: version, format: "hf", dtype, ...files },
    overwrite,
    resume: "auto" as const,
    inputs: [path],
    needBytes: async () => result.sizeBytes,
    sources,
    keepsWorkAtFault: false,
    // Other programs read the output: it holds no record of ours, and need not be read.
    readFinished: async () => ({ identity: null, result }),
    onSettled: onNotice,
  };
  return runInFolder(start, async ({ folder }) => {
    await writePlain(job, folder);
    return result;
  });
}

/** Writes all files of the plain checkpoint. */
async function writePlain(job: Job, folder: OutputDirectory): Promise<void> {
  const { checkpoint } = job.source;
  const writer = await CheckpointWriter.create(folder.workPath, job.entries);
  try {
    await writeTensors(job, writer);
    await writer.finish();
  } catch (error) {
    await writer.close();
    throw error;
  }
  await copySidecarFiles(checkpoint.files, folder.workPath);
  const config = plainConfig(checkpoint, dtypeOf(job));
  const stated = await checkpoint.files.text("config.json");
  await writeText(folder.file("config.json"), formatJsonLike(config, stated));
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
      const isTable = isDecoded(checkpoint, modules, info.name);
      const stored = isTable ? dtype : writableDType(info);
      entries.push({ name: info.name, dtype: stored, shape: info.shape });
    } else if (part === "codes" || part === "blocks") {
      const name = `${module}.weight`;
      const { outFeatures, inFeatures } = packed;
      const shape = turnedShape([outFeatures, inFeatures], checkpoint.forms.get(name));
      entries.push({ name, dtype, shape });
    }
  }
  return entries;
}

/** Whether a tensor of the export is decoded: a packed weight, or one of a type of tables. */
function isDecoded(
  checkpoint: Checkpoint,
  modules: ReadonlyMap<string, QuantizedModule>,
  name: string,
): boolean {
  const [module, part] = splitName(name);
  if (part === "weight" && modules.has(module)) return true;
  return checkpoint.has(name) && checkpoint.info(name).stored !== undefined;
}

async function writeTensors(
  { source: { checkpoint }, modules, entries, options }: Job,
  writer: CheckpointWriter,
): Promise<void> {
  const { dtype, signal, onProgress } = options;
  for (const [done, { name }] of entries.entries()) {
    throwIfCancelled(signal);
    const [module, part] = splitName(name);
    const packed = part === "weight" ? modules.get(module) : undefined;
    if (packed) {
      const decoded = (await readQTensor(checkpoint, module, packed)).dequantize();
      const shape = [packed.outFeatures, packed.inFeatures];
      const stored = toStoredForm(decoded, shape, checkpoint.forms.get(name));
      await writer.write(name, narrow(name, stored, dtype));
    } else if (isDecoded(checkpoint, modules, name)) {
      const { values } = await readFloatTensor(checkpoint, name);
      await writer.write(name, narrow(name, values, dtype));
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

/** The dtype that config.json names: of decoded weights, or of those that all others stay in. */
function dtypeOf({ source, modules, entries, options }: Job): ExportDType {
  const { checkpoint } = source;
  if (entries.some(({ name }) => isDecoded(checkpoint, modules, name))) return options.dtype;
  const matrix = entries.find(({ shape }) => shape.length === 2)?.dtype;
  return exportDTypes.find((dtype) => dtype === matrix) ?? options.dtype;
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
