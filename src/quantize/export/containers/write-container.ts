import { CheckpointWriter, planShards } from "../../../formats/checkpoint-writer.ts";
import { copySidecarFiles } from "../../../formats/directory-files.ts";
import { formatJson, formatJsonLike } from "../../../formats/json-file.ts";
import { encodeHeader, layOutTensors, tensorBytes } from "../../../formats/safetensors-header.ts";
import { readQTensor } from "../../../formats/fewbit-format.ts";
import { joinPath, writeText } from "../../../platform/node.ts";
import { identifyCheckpoint } from "../../../run/identity.ts";
import { copyTensor } from "../../../run/output/copy-tensor.ts";
import { runInFolder } from "../../../run/run.ts";
import { SourceFiles } from "../../../run/source-files.ts";
import { throwIfCancelled } from "../../../util/errors.ts";
import { Scratch } from "../../../util/scratch.ts";
import { sum } from "../../../util/sums.ts";
import { version } from "../../../util/version.ts";
import type { ExportFormat, ExportPlan, PreparedExport } from "../export-format.ts";
import type { Container } from "./container.ts";
import { integerLayer } from "./integer-layer.ts";
import { type ContainerPlan, planContainer, type PlannedPart } from "./plan-container.ts";
import { type ContainerVerification, verifyContainer } from "./verify-container.ts";

/** What an export to a container of another program wrote. */
export interface ContainerExport {
  readonly format: "gptq" | "awq" | "compressed-tensors";
  readonly out: string;
  readonly sizeBytes: number;
  /** Packed modules. */
  readonly modules: number;
  /** Modules whose scales were rounded to float16. */
  readonly rounded: number;
  /** What was compared after writing; null when nothing was asked for. */
  readonly verification: ContainerVerification | null;
}

const defaultShardBytes = 5_000_000_000;

/** Makes a format of a container: a directory with configuration, tokenizer and weights. */
export function exportTo(
  container: Container & { readonly id: ContainerExport["format"] },
): ExportFormat<ContainerExport> {
  return {
    title: container.title,
    takes: ["dtype", "requantize", "splitSize", "verify"],
    async prepare(source, options): Promise<PreparedExport<ContainerExport>> {
      const planned = await planContainer(container, source, options);
      const plan = describePlan(container.id, options.out, planned);
      return { plan, run: () => write(container.id, planned, plan) };
    },
  };
}

function configText({ source, config }: ContainerPlan, stated: string | null): string {
  return formatJsonLike({ ...source.checkpoint.config, ...config }, stated);
}

/** Files to the byte, but for those that are copied as they are. */
function describePlan(format: string, out: string, planned: ContainerPlan): ExportPlan {
  const { parts, options } = planned;
  const shards = planShards(parts, options.splitSize ?? defaultShardBytes);
  const files = shards.map(({ fileName, entries }) => {
    const tensors = layOutTensors(entries);
    const data = sum([...tensors.values()].map(({ begin, end }) => end - begin));
    const sizeBytes = encodeHeader(tensors, planned.metadata).length + data;
    return { path: joinPath(out, fileName), sizeBytes };
  });
  const tensors = parts.map(({ name, dtype, shape, note }) => ({
    name,
    shape,
    type: dtype,
    sizeBytes: tensorBytes(dtype, shape) ?? 0,
    note,
  }));
  return { format, out, files, sizeBytes: sum(files.map((file) => file.sizeBytes)), tensors };
}

async function write(
  format: ContainerExport["format"],
  planned: ContainerPlan,
  plan: ExportPlan,
): Promise<ContainerExport> {
  const { source, options, forms, rounded } = planned;
  const { checkpoint, path } = source;
  const { out, overwrite = false, onNotice = () => {}, splitSize = null } = options;
  const sources = new SourceFiles();
  await sources.addCheckpoint(checkpoint);
  const files = await identifyCheckpoint(checkpoint);
  const { sizeBytes } = plan;
  const result: ContainerExport = {
    format,
    out,
    sizeBytes,
    modules: forms.size,
    rounded: rounded.size,
    verification: null,
  };
  const start = {
    out,
    identity: { fewbit: version, format, splitSize: String(splitSize), ...files },
    overwrite,
    resume: "auto" as const,
    inputs: [path],
    needBytes: async () => sizeBytes,
    sources,
    keepsWorkAtFault: false,
    // Other programs read the output: it holds no record of ours.
    readFinished: async () => ({ identity: null, result }),
    onSettled: onNotice,
  };
  return runInFolder<ContainerExport>(start, async ({ folder }) => {
    await writeFiles(planned, folder.workPath);
    const verification = options.verify ? await verifyContainer(planned, folder.workPath) : null;
    return { ...result, verification };
  });
}

async function writeFiles(planned: ContainerPlan, folder: string): Promise<void> {
  const { source, parts, options, metadata } = planned;
  const { checkpoint } = source;
  const maxShardBytes = options.splitSize ?? defaultShardBytes;
  const writer = await CheckpointWriter.create(folder, parts, { maxShardBytes, metadata });
  try {
    await writeParts(planned, writer);
    await writer.finish();
  } catch (error) {
    await writer.close();
    throw error;
  }
  await copySidecarFiles(checkpoint.files, folder);
  const stated = await checkpoint.files.text("config.json");
  await writeText(joinPath(folder, "config.json"), configText(planned, stated));
  if (planned.settingsFile) {
    await writeText(
      joinPath(folder, planned.settingsFile),
      formatJson(planned.config.quantization_config),
    );
  }
}

async function writeParts(
  { source, parts, modules, options }: ContainerPlan,
  writer: CheckpointWriter,
): Promise<void> {
  const { checkpoint } = source;
  const { signal, onProgress } = options;
  const scratch = new Scratch();
  let open: { readonly module: string; readonly layer: ReturnType<typeof integerLayer> } | null =
    null;
  for (const [done, part] of parts.entries()) {
    throwIfCancelled(signal);
    await writePart(part);
    onProgress?.({ done: done + 1, total: parts.length, tensor: part.name });
  }

  async function writePart({ name, module, make, decode }: PlannedPart): Promise<void> {
    const packed = module === null ? undefined : modules.get(module);
    if (module === null || !packed) return copyTensor(checkpoint, writer, name, signal);
    if (decode) {
      const weight = await readQTensor(checkpoint, module, packed);
      return writer.write(name, decode(weight));
    }
    if (open?.module !== module) {
      const weight = await readQTensor(checkpoint, module, packed);
      open = { module, layer: integerLayer(weight, scratch) };
    }
    if (!open.layer || !make) return;
    let at = 0;
    for (const piece of make(open.layer, scratch)) {
      await writer.write(name, piece, at);
      at += piece.byteLength;
    }
  }
}
