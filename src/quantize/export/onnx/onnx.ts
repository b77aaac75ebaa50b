import { encodeOnnx } from "../../../formats/onnx/encode-onnx.ts";
import {
  layOutOnnxData,
  type OnnxDataLayout,
  OnnxDataWriter,
} from "../../../formats/onnx/onnx-data.ts";
import { formatJson, formatJsonLike } from "../../../formats/json-file.ts";
import { copySidecarFiles } from "../../../formats/directory-files.ts";
import { readModelRecord } from "../../../formats/model-files.ts";
import { readQuantizationConfig } from "../../../formats/quantization-config.ts";
import { findLanguage } from "../../../models/index.ts";
import { createFile, joinPath, makeDirectories, writeText } from "../../../platform/node.ts";
import { isBinary } from "../../../quant/activation-grid.ts";
import type { OutputDirectory } from "../../../run/output/output-directory.ts";
import { identifyCheckpoint } from "../../../run/identity.ts";
import { runInFolder } from "../../../run/run.ts";
import { SourceFiles } from "../../../run/source-files.ts";
import { UnsupportedError, UsageError } from "../../../util/errors.ts";
import { sum } from "../../../util/sums.ts";
import { version } from "../../../util/version.ts";
import { expectPlainLinears } from "../expect-linears.ts";
import type {
  ExportFormat,
  ExportPlan,
  ExportSource,
  PlannedTensor,
  WriteOptions,
} from "../export-format.ts";
import { expectExpressible } from "./check-config.ts";
import { buildDecoderGraph } from "./decoder-graph.ts";
import type { ComputeType } from "./matrix-plan.ts";
import {
  fileNaming,
  type FileNaming,
  genaiConfig,
  transformersJsConfig,
} from "./runtime-configs.ts";
import {
  dataEntries,
  dataName,
  packedParts,
  planTensors,
  type TensorPlan,
} from "./tensor-plans.ts";
import { verifyOnnx, type OnnxVerification } from "./verify.ts";
import { writeData } from "./write-data.ts";

/** What an export as ONNX wrote. */
export interface OnnxExport {
  readonly format: "onnx";
  readonly out: string;
  /** Paths below `out`, the model first. */
  readonly files: readonly string[];
  readonly sizeBytes: number;
  /** How transformers.js calls it. */
  readonly dtype: string;
  /** Weights whose scales or zero points were rounded. */
  readonly rounded: number;
  /** What was compared after writing; null when nothing was asked for. */
  readonly verification: OnnxVerification | null;
}

/** Browsers give no array of 2 GiB or more. */
const largestFile = 2 ** 31 - 2 ** 16;

/**
 * A decoder with its cache as ONNX Runtime runs it, in a directory as transformers.js and
 * onnxruntime-genai load it: packed weights code by code, for `MatMulNBits`.
 */
export const onnx: ExportFormat<OnnxExport> = {
  title: "ONNX, as transformers.js and ONNX Runtime run it",
  takes: ["dtype", "requantize", "splitSize", "products", "verify"],
  async prepare(source, options) {
    const job = await prepareJob(source, options);
    return { plan: planOf(job), run: () => writeModel(job) };
  },
};

interface Job {
  readonly source: ExportSource;
  readonly options: WriteOptions;
  readonly compute: ComputeType;
  readonly plans: ReadonlyMap<string, TensorPlan>;
  readonly naming: FileNaming;
  readonly layout: OnnxDataLayout;
  /** The model's own file. */
  readonly model: Uint8Array;
}

async function prepareJob(source: ExportSource, options: WriteOptions): Promise<Job> {
  const { checkpoint, config } = source;
  const compute = computeType(options);
  const modules = readQuantizationConfig(checkpoint.config)?.modules ?? new Map();
  expectPlainLinears(modules);
  expectExpressible(config);
  expectLanguageAlone(source);
  const { requantize = false, products = "exact" } = options;
  const plans = await planTensors(checkpoint, modules, config, { compute, requantize });
  for (const notice of noticesOf(plans)) options.onNotice?.(notice);
  const naming = fileNaming(plans.values(), compute);
  const limit = Math.min(options.splitSize ?? largestFile, largestFile);
  const layout = layOutOnnxData(naming.model, [...dataEntries(plans.values())], limit);
  const graph = buildDecoderGraph({ config, plans, compute, products }).place(layout.places);
  return { source, options, compute, plans, naming, layout, model: encodeOnnx(graph) };
}

/** @throws UsageError for a type that products are not computed in everywhere */
function computeType({ dtype = "f32" }: WriteOptions): ComputeType {
  if (dtype !== "bf16") return dtype;
  throw new UsageError("`dtype: bf16` is no type that ONNX Runtime computes in everywhere", {
    hint: "use f32, or f16 for runtimes on a GPU",
    field: "dtype",
    value: dtype,
  });
}

/** @throws UnsupportedError for a model of several parts */
function expectLanguageAlone({ checkpoint }: ExportSource): void {
  const { composite } = findLanguage(checkpoint.config);
  if (!composite) return;
  throw new UnsupportedError("a model that reads images, too, is several graphs as ONNX", {
    hint: "export with `format: hf`, which carries its other parts",
  });
}

/** @throws UnsupportedError where layers count signs: no operator does */
function noticesOf(plans: ReadonlyMap<string, TensorPlan>): string[] {
  const rounding = [...plans.values()].filter(({ packed }) => packed?.scheme.activation);
  const signs = rounding.find(({ packed }) => packed && isBinary(packed.scheme.activation));
  if (signs) {
    throw new UnsupportedError(
      `${signs.module} has the scheme ${signs.packed?.scheme.id}: no operator of ONNX Runtime ` +
        "reduces inputs to signs",
      { hint: "use the checkpoint with fewbit as it is" },
    );
  }
  const rounded = [...plans.values()].filter(
    ({ stored }) => !stored.isExact && stored.kind === "packed",
  );
  const first = rounded.length === 1 ? "a weight" : `${rounded.length} weights`;
  return [
    ...(rounding.length > 0
      ? [`the inputs of ${rounding.length} layers are rounded in fewbit; in ONNX they stay floats`]
      : []),
    ...(rounded.length > 0
      ? [`scales or zero points of ${first} are rounded once: codes stay what they are`]
      : []),
  ];
}

const folder = "onnx";

function planOf({ plans, naming, layout, model, options }: Job): ExportPlan {
  const files = [{ name: naming.model, sizeBytes: model.length }, ...layout.files].map(
    ({ name, sizeBytes }) => ({ path: joinPath(options.out, folder, name), sizeBytes }),
  );
  const tensors = [...plans.values()].map((plan): PlannedTensor => {
    const { source, shape, stored } = plan;
    const names =
      stored.kind === "float"
        ? [dataName(source, "floats")]
        : packedParts.map((part) => dataName(source, part));
    const type = stored.kind === "float" ? stored.type : `q${stored.bits} b${stored.blockSize}`;
    const sizeBytes = sum(names.map((name) => layout.places.get(name)?.length ?? 0));
    return { name: source, shape, type, sizeBytes, note: noteOf(plan) };
  });
  const sizeBytes = sum(files.map((file) => file.sizeBytes));
  return { format: "onnx", out: options.out, files, sizeBytes, tensors };
}

function noteOf({ packed, stored }: TensorPlan): string | null {
  if (stored.kind === "float") return null;
  if (!stored.isExact) return "rounded once";
  return `${packed?.scheme.id}, exactly`;
}

async function writeModel(job: Job): Promise<OnnxExport> {
  const { checkpoint, path } = job.source;
  const {
    out,
    overwrite = false,
    onNotice = () => {},
    requantize = false,
    products = "exact",
  } = job.options;
  const plan = planOf(job);
  const result = {
    format: "onnx" as const,
    out,
    files: plan.files.map(({ path: file }) => file),
    sizeBytes: plan.sizeBytes,
    dtype: job.naming.dtype,
    rounded: [...job.plans.values()].filter(({ stored }) => !stored.isExact).length,
    verification: null,
  };
  const sources = new SourceFiles();
  await sources.addCheckpoint(checkpoint);
  const files = await identifyCheckpoint(checkpoint);
  const start = {
    out,
    identity: {
      fewbit: version,
      format: "onnx",
      compute: job.compute,
      requantize: String(requantize),
      products,
      ...files,
    },
    overwrite,
    resume: "auto" as const,
    inputs: [path],
    needBytes: async () => plan.sizeBytes,
    sources,
    keepsWorkAtFault: false,
    // Other programs read the output: it holds no record of ours, and need not be read.
    readFinished: async () => ({ identity: null, result: result as OnnxExport }),
    onSettled: onNotice,
  };
  return runInFolder<OnnxExport>(start, async ({ folder: directory }) => {
    await writeFiles(job, directory);
    const verification = job.options.verify
      ? await verifyOnnx(directory.file(folder), job.naming.model, {
          checkpoint,
          plans: job.plans,
          signal: job.options.signal,
        })
      : null;
    return { ...result, verification };
  });
}

async function writeFiles(job: Job, directory: OutputDirectory): Promise<void> {
  const { source, naming, layout, model, options, plans, compute } = job;
  const { checkpoint, config } = source;
  const place = directory.file(folder);
  await makeDirectories(place);
  const writer = await OnnxDataWriter.create(layout, (name) => joinPath(place, name));
  try {
    await writeData(writer, { checkpoint, plans, options });
    await writer.finish();
  } catch (error) {
    await writer.close();
    throw error;
  }
  const file = await createFile(joinPath(place, naming.model));
  await file.write(model, 0);
  await file.close();
  await copySidecarFiles(checkpoint.files, directory.workPath);
  const stated = await checkpoint.files.text("config.json");
  const own = transformersJsConfig(checkpoint.config, naming, compute, layout.files.length);
  await writeText(directory.file("config.json"), formatJsonLike(own, stated));
  const generation = (await readModelRecord(checkpoint.files, "generation_config.json")) ?? {};
  const genai = genaiConfig(config, naming.model, { config: checkpoint.config, generation });
  await writeText(directory.file("genai_config.json"), formatJson(genai));
}
