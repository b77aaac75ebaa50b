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
import { isJsonRecord, type JsonRecord } from "../../../util/json.ts";
import { Scratch } from "../../../util/scratch.ts";
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
import { narrow } from "../narrow.ts";
import { type MlxVerification, verifyMlx } from "./verify-mlx.ts";

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
  /** What was compared after writing; null when nothing was asked for. */
  readonly verification: MlxVerification | null;
}

const torchNames = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/**
 * A directory for MLX: codes as they are, `scale·code + bias`. All other weights are stored in the
 * dtype of the scales, since MLX would compute in float32 otherwise.
 */
export const mlx: ExportFormat<MlxExport> = {
  title: "MLX, as mlx_lm loads it",
  takes: ["dtype", "verify"],
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
  const nothingYet = { roundedBiases: 0, verification: null };
  return { plan, run: () => writeCheckpoint(job, { ...result, ...nothingYet }) };
}

/** Names of the tensors of a packed weight. */
function partNames(module: string): Readonly<Record<"weight" | "scales" | "biases", string>> {
  return {
    weight: `${module}.weight`,
    scales: `${module}.scales`,
    biases: `${module}.biases`,
  };
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
    const { weight, scales, biases } = partNames(owner);
    const own: TensorEntry[] = [
      { name: weight, dtype: "u32", shape: [outFeatures, words] },
      { name: scales, dtype, shape: groups },
      { name: biases, dtype, shape: groups },
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
  let rounded: RoundedBiases = new Map();
  await runInFolder(start, async ({ folder }) => {
    rounded = await writeAll(job, folder);
    result = { ...planned, roundedBiases: sum([...rounded.values()]) };
    if (rounded.size > 0) {
      onNotice(
        `${result.roundedBiases} products of scales and zero points are no values of ${dtype} and ` +
          "were rounded; `dtype: f32` holds them",
      );
    }
    return result;
  });
  return { ...result, verification: await verified(job, rounded) };
}

/** How many biases were rounded, of each packed weight where any was. */
type RoundedBiases = ReadonlyMap<string, number>;

async function verified(
  { source, modules, entries, options }: Job,
  rounded: RoundedBiases,
): Promise<MlxVerification | null> {
  if (!options.verify) return null;
  const { out, dtype, signal } = options;
  const packed = new Set([...modules.keys()].flatMap((name) => Object.values(partNames(name))));
  const plain = entries.map(({ name }) => name).filter((name) => !packed.has(name));
  const written = { source: source.checkpoint, modules, rounded, plain, dtype, signal };
  return verifyMlx(out, written);
}

async function writeAll(job: Job, folder: OutputDirectory): Promise<RoundedBiases> {
  const { checkpoint } = job.source;
  const metadata = { format: "mlx" };
  const writer = await CheckpointWriter.create(folder.workPath, job.entries, { metadata });
  let rounded: RoundedBiases;
  try {
    rounded = await writeTensors(job, writer);
    await writer.finish();
  } catch (error) {
    await writer.close();
    throw error;
  }
  await copySidecarFiles(checkpoint.files, folder.workPath);
  const stated = await checkpoint.files.text("config.json");
  const config = mlxConfig(job, rounded.size > 0);
  await writeText(folder.file("config.json"), formatJsonLike(config, stated));
  return rounded;
}

async function writeTensors(job: Job, writer: CheckpointWriter): Promise<RoundedBiases> {
  const { source, modules, entries, options } = job;
  const { checkpoint } = source;
  const { dtype, signal, onProgress } = options;
  const owners = new Map([...modules.keys()].map((name) => [partNames(name).weight, name]));
  const followers = new Set(
    [...modules.keys()].flatMap((name) => [partNames(name).scales, partNames(name).biases]),
  );
  const rounded = new Map<string, number>();
  const scratch = new Scratch();
  for (const [done, { name }] of entries.entries()) {
    throwIfCancelled(signal);
    const owner = owners.get(name);
    const module = owner === undefined ? undefined : modules.get(owner);
    if (owner !== undefined && module) {
      const names = partNames(owner);
      const made = mlxWeight(owner, await readQTensor(checkpoint, owner, module), dtype, scratch);
      await writer.write(name, made.codes);
      await writer.write(names.scales, made.scales);
      await writer.write(names.biases, made.biases);
      if (made.rounded > 0) rounded.set(owner, made.rounded);
    } else if (!followers.has(name)) {
      const { values } = await readFloatTensor(checkpoint, name);
      await writer.write(name, narrow(name, values, dtype));
    }
    onProgress?.({ done: done + 1, total: entries.length, tensor: name });
  }
  return rounded;
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
