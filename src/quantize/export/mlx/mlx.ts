import { CheckpointWriter } from "../../../formats/checkpoint-writer.ts";
import { copySidecarFiles } from "../../../formats/directory-files.ts";
import { quantizedEntries, readQTensor } from "../../../formats/fewbit-format.ts";
import { formatJsonLike } from "../../../formats/json-file.ts";
import {
  type QuantizedModule,
  readQuantizationConfig,
} from "../../../formats/quantization-config.ts";
import { readFloatTensor } from "../../../formats/read-float-tensor.ts";
import { type TensorEntry, tensorBytes } from "../../../formats/safetensors-header.ts";
import { writeText } from "../../../platform/node.ts";
import type { OutputDirectory } from "../../../run/output/output-directory.ts";
import { identifyCheckpoint } from "../../../run/identity.ts";
import { runInFolder } from "../../../run/run.ts";
import { SourceFiles } from "../../../run/source-files.ts";
import { throwIfCancelled, UnsupportedError, UsageError } from "../../../util/errors.ts";
import { fitHalves } from "../../../util/fit-halves.ts";
import { floatsToBfloats } from "../../../util/half.ts";
import { isJsonRecord, type JsonRecord } from "../../../util/json.ts";
import { sum } from "../../../util/sums.ts";
import { version } from "../../../util/version.ts";
import { expectPlainLinears } from "../expect-linears.ts";
import type {
  ExportDType,
  ExportFormat,
  ExportSource,
  PreparedExport,
  WriteOptions,
} from "../export-format.ts";
import { layoutFor, type MlxLayout, mlxWeight } from "./mlx-weight.ts";

/** What an export for MLX wrote. */
export interface MlxExport {
  readonly format: "mlx";
  readonly out: string;
  readonly sizeBytes: number;
  /** Of scales, biases and all weights that are not packed. */
  readonly dtype: ExportDType;
  /** Number of packed weights. */
  readonly packed: number;
  /** Biases that were rounded to `dtype`, of all packed weights. */
  readonly roundedBiases: number;
}

const torchNames = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/**
 * A directory for MLX: codes as they are, `scale·code + bias`. All other weights are stored in the
 * dtype of the scales, since MLX would compute in float32 otherwise.
 */
export const mlx: ExportFormat<MlxExport> = {
  title: "MLX, as mlx_lm loads it",
  takes: ["dtype"],
  prepare,
};

interface Job {
  readonly source: ExportSource;
  readonly modules: ReadonlyMap<string, QuantizedModule>;
  readonly layouts: ReadonlyMap<string, MlxLayout>;
  readonly entries: readonly TensorEntry[];
  readonly options: WriteOptions & { readonly dtype: ExportDType };
}

async function prepare(
  source: ExportSource,
  options: WriteOptions,
): Promise<PreparedExport<MlxExport>> {
  const { checkpoint, path } = source;
  const { out, dtype = "f16" } = options;
  const quantization = readQuantizationConfig(checkpoint.config);
  const modules = quantization?.modules ?? new Map<string, QuantizedModule>();
  if (modules.size === 0) {
    throw new UsageError(`${path} is not quantized: mlx_lm loads it as it is`);
  }
  if (quantization && quantization.stacks.size > 0) {
    throw new UnsupportedError(`${path} has stacks of matrices, which MLX would not find`);
  }
  expectPlainLinears(modules);
  const layouts = new Map(
    [...modules].map(([name, { scheme, inFeatures }]) => [
      name,
      layoutFor(name, scheme, inFeatures),
    ]),
  );
  const rounds = [...modules.values()].some(({ scheme }) => scheme.activation !== null);
  if (rounds)
    options.onNotice?.("MLX does not round the inputs of layers, as the checkpoint wants it");
  const entries = entriesOf(source, modules, layouts, dtype);
  const tensors = entries.map(({ name, shape, dtype: type }) => ({
    name,
    shape,
    type,
    sizeBytes: tensorBytes(type, shape) ?? 0,
    note: null,
  }));
  const sizeBytes = sum(tensors.map((tensor) => tensor.sizeBytes));
  const plan = { format: "mlx", out, files: [{ path: out, sizeBytes }], sizeBytes, tensors };
  const job = { source, modules, layouts, entries, options: { ...options, dtype } };
  const result = { format: "mlx" as const, out, sizeBytes, dtype, packed: modules.size };
  return { plan, run: () => writeCheckpoint(job, { ...result, roundedBiases: 0 }) };
}

/** The tensors of the output: three for each packed weight in the place of its first. */
function entriesOf(
  { checkpoint }: ExportSource,
  modules: ReadonlyMap<string, QuantizedModule>,
  layouts: ReadonlyMap<string, MlxLayout>,
  dtype: ExportDType,
): TensorEntry[] {
  const owners = new Map(
    [...modules].flatMap((each) =>
      quantizedEntries(...each).map(({ name }) => [name, each[0]] as const),
    ),
  );
  const entries = new Map<string, TensorEntry>();
  for (const { name, shape } of checkpoint.tensors.values()) {
    const owner = owners.get(name);
    const module = owner === undefined ? undefined : modules.get(owner);
    const layout = owner === undefined ? undefined : layouts.get(owner);
    if (owner === undefined || !module || !layout || name === `${owner}.bias`) {
      entries.set(name, { name, dtype, shape });
      continue;
    }
    const { outFeatures, inFeatures } = module;
    const words = (inFeatures * layout.bits) / 32;
    const groups = [outFeatures, inFeatures / layout.groupSize];
    const own: TensorEntry[] = [
      { name: `${owner}.weight`, dtype: "u32", shape: [outFeatures, words] },
      { name: `${owner}.scales`, dtype, shape: groups },
      { name: `${owner}.biases`, dtype, shape: groups },
    ];
    for (const entry of own) entries.set(entry.name, entry);
  }
  return [...entries.values()];
}

async function writeCheckpoint(job: Job, planned: MlxExport): Promise<MlxExport> {
  const { checkpoint, path } = job.source;
  const { out, dtype, overwrite = false, onNotice = () => {} } = job.options;
  const sources = new SourceFiles();
  await sources.addCheckpoint(checkpoint);
  const files = await identifyCheckpoint(checkpoint);
  let result = planned;
  const start = {
    out,
    identity: { fewbit: version, format: "mlx", dtype, ...files },
    overwrite,
    resume: "auto" as const,
    inputs: [path],
    needBytes: async () => planned.sizeBytes,
    sources,
    keepsWorkAtFault: false,
    // Other programs read the output: it holds no record of ours, and need not be read.
    readFinished: async () => ({ identity: null, result }),
    onSettled: onNotice,
  };
  return runInFolder(start, async ({ folder }) => {
    const roundedBiases = await writeAll(job, folder);
    result = { ...planned, roundedBiases };
    if (roundedBiases > 0) {
      onNotice(
        `${roundedBiases} products of scales and zero points are no values of ${dtype} and were ` +
          "rounded; `dtype: f32` holds them",
      );
    }
    return result;
  });
}

async function writeAll(job: Job, folder: OutputDirectory): Promise<number> {
  const { checkpoint } = job.source;
  const metadata = { format: "mlx" };
  const writer = await CheckpointWriter.create(folder.workPath, job.entries, { metadata });
  let rounded: number;
  try {
    rounded = await writeTensors(job, writer);
    await writer.finish();
  } catch (error) {
    await writer.close();
    throw error;
  }
  await copySidecarFiles(checkpoint.files, folder.workPath);
  const stated = await checkpoint.files.text("config.json");
  const config = mlxConfig(job, rounded > 0);
  await writeText(folder.file("config.json"), formatJsonLike(config, stated));
  return rounded;
}

async function writeTensors(job: Job, writer: CheckpointWriter): Promise<number> {
  const { source, modules, entries, options } = job;
  const { checkpoint } = source;
  const { dtype, signal, onProgress } = options;
  let rounded = 0;
  for (const [done, { name }] of entries.entries()) {
    throwIfCancelled(signal);
    const owner = /^(.*)\.(weight|scales|biases)$/.exec(name);
    const module = owner ? modules.get(owner[1]) : undefined;
    if (owner && module && owner[2] === "weight") {
      const packed = await readQTensor(checkpoint, owner[1], module);
      const made = mlxWeight(owner[1], packed, dtype);
      await writer.write(name, made.codes);
      await writer.write(`${owner[1]}.scales`, made.scales);
      await writer.write(`${owner[1]}.biases`, made.biases);
      rounded += made.rounded;
    } else if (!module) {
      const { values } = await readFloatTensor(checkpoint, name);
      await writer.write(name, narrow(name, values, dtype));
    }
    onProgress?.({ done: done + 1, total: entries.length, tensor: name });
  }
  return rounded;
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

/** config.json with `quantization`: the sizes of most weights, and those of others by their names. */
function mlxConfig({ source, layouts, options }: Job, rounded: boolean): Record<string, unknown> {
  const { quantization_config: _, ...plain } = source.checkpoint.config;
  const usual = mostCommon([...layouts.values()]);
  const others = [...layouts].filter(
    ([, { bits, groupSize }]) => bits !== usual.bits || groupSize !== usual.groupSize,
  );
  const sizes = ({ bits, groupSize }: MlxLayout): object => ({ group_size: groupSize, bits });
  const quantization = {
    ...sizes(usual),
    mode: "affine",
    // Biases are products with zero points, rounded: a reader may take these again.
    ...(rounded && { zero_points: true }),
    ...Object.fromEntries(others.map(([name, layout]) => [name, sizes(layout)])),
  };
  const key = "torch_dtype" in plain ? "torch_dtype" : "dtype";
  return {
    ...plain,
    ...ropeFields(plain),
    [key]: torchNames[options.dtype],
    quantization,
    quantization_config: quantization,
  };
}

/** The rotary embedding as MLX looks for it: not in `rope_parameters`, which transformers 5 writes. */
function ropeFields({ rope_parameters: stated, ...others }: JsonRecord): JsonRecord {
  if (!isJsonRecord(stated) || typeof stated.rope_theta !== "number") return {};
  const { rope_theta: theta, ...scaling } = stated;
  const isScaled = scaling.rope_type !== undefined && scaling.rope_type !== "default";
  return {
    rope_theta: theta,
    ...(isScaled && others.rope_scaling === undefined && { rope_scaling: scaling }),
  };
}

function mostCommon(layouts: readonly MlxLayout[]): MlxLayout {
  const counts = new Map<string, { layout: MlxLayout; count: number }>();
  for (const layout of layouts) {
    const key = `${layout.bits}/${layout.groupSize}`;
    counts.set(key, { layout, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  const [most] = [...counts.values()].sort((a, b) => b.count - a.count);
  return most.layout;
}
