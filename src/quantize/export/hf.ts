import type { Checkpoint } from "../../formats/checkpoint.ts";
import { CheckpointWriter } from "../../formats/checkpoint-writer.ts";
import { quantizedEntries, readQTensor } from "../../formats/fewbit-format.ts";
import { formatJsonLike } from "../../formats/json-file.ts";
import {
  type MatrixStack,
  type QuantizedModule,
  readQuantizationConfig,
  stackModules,
  stackShape,
} from "../../formats/quantization-config.ts";
import { readFloatTensor } from "../../formats/read-float-tensor.ts";
import { type TensorEntry, tensorBytes } from "../../formats/safetensors-header.ts";
import { toStoredForm, turnedShape } from "../../formats/tensor-forms.ts";
import { copySidecarFiles } from "../../formats/directory-files.ts";
import type { TensorForm } from "../../nn/weight-source.ts";
import { writeText } from "../../platform/node.ts";
import { copyTensor, writableDType } from "../../run/output/copy-tensor.ts";
import type { OutputDirectory } from "../../run/output/output-directory.ts";
import { identifyCheckpoint } from "../../run/identity.ts";
import { runInFolder } from "../../run/run.ts";
import { SourceFiles } from "../../run/source-files.ts";
import type { Shape } from "../../tensor/shape.ts";
import { throwIfCancelled, UsageError } from "../../util/errors.ts";
import { sum } from "../../util/sums.ts";
import { version } from "../../util/version.ts";
import { expectPlainLinears } from "./expect-linears.ts";
import {
  exportDTypes,
  type ExportDType,
  type ExportFormat,
  type ExportSource,
  type PreparedExport,
  type WriteOptions,
} from "./export-format.ts";
import { narrow } from "./narrow.ts";

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
  prepare,
  prepareUnknown: prepare,
};

type Source = Omit<ExportSource, "config">;

async function prepare(source: Source, options: WriteOptions): Promise<PreparedExport<HfExport>> {
  const { checkpoint, path } = source;
  const { dtype = "f32", out } = options;
  const packed = packedWeights(checkpoint);
  if (packed.size === 0 && !checkpoint.gguf) {
    throw new UsageError(`${path} is not quantized: there is nothing to decode`, {
      hint: "`format: hf` is for quantized checkpoints and GGUF files",
    });
  }
  expectPlainLinears(new Map([...packed.values()].flatMap(({ modules }) => [...modules])));
  const entries = plainEntries(checkpoint, packed, dtype);
  const tensors = entries.map((entry) => ({
    name: entry.name,
    shape: entry.shape,
    type: entry.dtype,
    sizeBytes: tensorBytes(entry.dtype, entry.shape) ?? 0,
    note: null,
  }));
  const sizeBytes = sum(tensors.map((tensor) => tensor.sizeBytes));
  const plan = { format: "hf", out, files: [{ path: out, sizeBytes }], sizeBytes, tensors };
  const decoded = entries.filter(({ name }) => isDecoded(checkpoint, packed, name)).length;
  const result = { format: "hf" as const, out, sizeBytes, dtype, decoded };
  const job = { source, packed, entries, options: { ...options, dtype } };
  return { plan, run: () => writeCheckpoint(job, result) };
}

/** A tensor that is packed: as one module, or each of its matrices as one. */
interface PackedWeight {
  readonly modules: readonly (readonly [name: string, module: QuantizedModule])[];
  /** Null: it is one matrix. */
  readonly stack: MatrixStack | null;
}

/** What is packed, by the names that the tensors have when they are not. */
function packedWeights({ config }: Checkpoint): Map<string, PackedWeight> {
  const quantization = readQuantizationConfig(config);
  const modules = new Map(quantization?.modules);
  const packed = new Map<string, PackedWeight>();
  for (const [tensor, stack] of quantization?.stacks ?? []) {
    const parts = stackModules(tensor, stack).map(
      (name) => [name, modules.get(name) as QuantizedModule] as const,
    );
    packed.set(tensor, { modules: parts, stack });
    for (const [name] of parts) modules.delete(name);
  }
  for (const each of modules) packed.set(`${each[0]}.weight`, { modules: [each], stack: null });
  return packed;
}

interface Job {
  readonly source: Source;
  readonly packed: ReadonlyMap<string, PackedWeight>;
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

/** The tensors of the plain checkpoint, each packed one whole in the place of its codes. */
function plainEntries(
  checkpoint: Checkpoint,
  packed: ReadonlyMap<string, PackedWeight>,
  dtype: ExportDType,
): TensorEntry[] {
  const wholes = new Map(
    [...packed].flatMap(([name, { modules }]) =>
      modules.flatMap((each) =>
        quantizedEntries(...each).map((part) => [part.name, name] as const),
      ),
    ),
  );
  const entries = new Map<string, TensorEntry>();
  for (const info of checkpoint.tensors.values()) {
    const name = wholes.get(info.name);
    const weight = name === undefined ? undefined : packed.get(name);
    if (name === undefined || !weight) {
      const isTable = isDecoded(checkpoint, packed, info.name);
      const stored = isTable ? dtype : writableDType(info);
      entries.set(info.name, { name: info.name, dtype: stored, shape: info.shape });
    } else if (!entries.has(name) && /\.(?:codes|blocks)$/.test(info.name)) {
      const shape = shapeOf(weight, checkpoint.forms.get(name));
      entries.set(name, { name, dtype, shape });
    }
  }
  return [...entries.values()];
}

/** The shape in which the original stores a weight. */
function shapeOf({ modules, stack }: PackedWeight, form: TensorForm | undefined): Shape {
  const [[, module]] = modules;
  if (stack) return stackShape(stack, module);
  return turnedShape([module.outFeatures, module.inFeatures], form);
}

/** Whether a tensor of the export is decoded: a packed weight, or one of a type of tables. */
function isDecoded(
  checkpoint: Checkpoint,
  packed: ReadonlyMap<string, PackedWeight>,
  name: string,
): boolean {
  if (packed.has(name)) return true;
  return checkpoint.has(name) && checkpoint.info(name).stored !== undefined;
}

async function writeTensors(
  { source: { checkpoint }, packed, entries, options }: Job,
  writer: CheckpointWriter,
): Promise<void> {
  const { dtype, signal, onProgress } = options;
  for (const [done, { name }] of entries.entries()) {
    throwIfCancelled(signal);
    const weight = packed.get(name);
    if (weight) {
      let written = 0;
      for await (const values of decodedMatrices(checkpoint, name, weight)) {
        const data = narrow(name, values, dtype);
        await writer.write(name, data, written);
        written += data.byteLength;
      }
    } else if (isDecoded(checkpoint, packed, name)) {
      const { values } = await readFloatTensor(checkpoint, name);
      await writer.write(name, narrow(name, values, dtype));
    } else await copyTensor(checkpoint, writer, name, signal);
    onProgress?.({ done: done + 1, total: entries.length, tensor: name });
  }
}

/** Decodes a packed weight, matrix after matrix, in the form in which the original stores it. */
async function* decodedMatrices(
  checkpoint: Checkpoint,
  name: string,
  { modules, stack }: PackedWeight,
): AsyncGenerator<Float32Array> {
  const form = stack ? { transposed: stack.transposed, offset: 0 } : checkpoint.forms.get(name);
  for (const [module, packed] of modules) {
    const decoded = (await readQTensor(checkpoint, module, packed)).dequantize();
    yield toStoredForm(decoded, [packed.outFeatures, packed.inFeatures], form);
  }
}

/** The dtype that config.json names: of decoded weights, or of those that all others stay in. */
function dtypeOf({ source, packed, entries, options }: Job): ExportDType {
  const { checkpoint } = source;
  if (entries.some(({ name }) => isDecoded(checkpoint, packed, name))) return options.dtype;
  const matrix = entries.find(({ shape }) => shape.length === 2)?.dtype;
  return exportDTypes.find((dtype) => dtype === matrix) ?? options.dtype;
}

function plainConfig({ config }: Checkpoint, dtype: ExportDType): Record<string, unknown> {
  const { quantization_config: _, ...plain } = config;
  const key = "torch_dtype" in plain ? "torch_dtype" : "dtype";
  return { ...plain, [key]: torchNames[dtype] };
}
