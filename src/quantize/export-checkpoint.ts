import { CheckpointWeights } from "../formats/checkpoint-weights.ts";
import { checkWeights } from "../models/decoder-tensors.ts";
import { UnsupportedError, UsageError } from "../util/errors.ts";
import type { JsonRecord } from "../util/json.ts";
import { type GenericCheckpoint, openGenericCheckpoint } from "../runtime/generic-checkpoint.ts";
import { type ModelCheckpoint, openModelCheckpoint } from "../runtime/model-checkpoint.ts";
import { absolutePath, baseName } from "../platform/node.ts";
import type { Backend } from "../backend/backend.ts";
import type { HubOrigin } from "../hub/resolve-model.ts";
import type {
  ExportFormat,
  ExportPlan,
  FormatOptions,
  PreparedExport,
  WriteOptions,
} from "./export/export-format.ts";
import { type ExportFormatId, type ExportResult, formats } from "./export/index.ts";

/** How a checkpoint is exported, and to what. */
export interface ExportOptions extends WriteOptions {
  readonly format: ExportFormatId;
  /** Scheme on whose grid the float weights of the model were trained; its scales are recovered. */
  readonly fromQat?: string | undefined;
}

/** A model that is exported. */
export interface ExportedModel {
  readonly directory: string;
  /** Name for people; by default that of the directory. */
  readonly name?: string;
  /** Repository that the checkpoint is from; null when it is not from the Hugging Face Hub. */
  readonly origin?: HubOrigin | null;
  /** Computes what has to be computed. */
  readonly backend: Backend;
  /** The run that made it; by default what its run.json says. */
  readonly record?: JsonRecord;
}

/**
 * Writes a checkpoint in a format that other programs read.
 * @throws UsageError when the output exists, or an option is not one of the format's
 * @throws UnsupportedError for what the format cannot hold
 * @throws FormatError when the checkpoint is malformed
 * @throws NumericError where values do not fit into the type that was asked for
 */
export async function exportCheckpoint(
  model: ExportedModel,
  options: ExportOptions,
): Promise<ExportResult> {
  return withPrepared(model, options, (prepared) => prepared.run());
}

/** Says what an export would write, to the byte, without writing it. @throws as the export does */
export async function planExport(
  model: ExportedModel,
  options: ExportOptions,
): Promise<ExportPlan> {
  return withPrepared(model, options, async ({ plan }) => plan);
}

async function withPrepared<T>(
  model: ExportedModel,
  options: ExportOptions,
  use: (prepared: PreparedExport<ExportResult>) => Promise<T>,
): Promise<T> {
  const format: ExportFormat<ExportResult> = formats[options.format];
  expectOptions(options, format);
  const { directory: path, backend, origin = null, record = null } = model;
  const opened = await openSource(path, format, options.fromQat);
  try {
    const { checkpoint, notices } = opened;
    for (const notice of notices) options.onNotice?.(notice);
    if ("stored" in opened) noteRoundedKeyValues(opened, options);
    const { name = baseName(absolutePath(path)) } = model;
    const source = { checkpoint, path, name, origin, backend, record };
    if ("stored" in opened) {
      checkWeights(opened.config, new CheckpointWeights(backend, checkpoint, "stored"));
      return await use(await format.prepare({ ...source, config: opened.config }, options));
    }
    return await use(await opened.prepare(source, options));
  } finally {
    await opened.checkpoint.close();
  }
}

/** A model that fewbit cannot run, and how it is exported all the same. */
interface UnknownSource extends GenericCheckpoint {
  readonly prepare: NonNullable<ExportFormat<ExportResult>["prepareUnknown"]>;
}

/** Opens a model, or where the format takes it what `generic` made of one that fewbit cannot run. */
async function openSource(
  path: string,
  { prepareUnknown }: ExportFormat<ExportResult>,
  fromQat: string | undefined,
): Promise<ModelCheckpoint | UnknownSource> {
  try {
    return await openModelCheckpoint(path, { fromQat });
  } catch (error) {
    const isUnknown = error instanceof UnsupportedError && error.field === "model_type";
    if (!isUnknown || !prepareUnknown) throw error;
    return { ...(await openGenericCheckpoint(path)), prepare: prepareUnknown };
  }
}

/** Says that what the checkpoint wants of keys and values stays behind. */
function noteRoundedKeyValues({ config }: ModelCheckpoint, { onNotice }: ExportOptions): void {
  if (config.kvCache === null) return;
  onNotice?.(
    `other programs do not know that keys and values are to be rounded (${config.kvCache})`,
  );
}

const formatOptions: readonly (keyof FormatOptions)[] = [
  "dtype",
  "type",
  "requantize",
  "splitSize",
  "pre",
  "products",
  "verify",
];

/** @throws UsageError for an option that another format has */
function expectOptions(options: ExportOptions, { takes }: ExportFormat): void {
  for (const field of formatOptions) {
    const value = options[field];
    if (value === undefined || value === false || takes.includes(field)) continue;
    const others = Object.entries<ExportFormat>(formats).filter(([, other]) =>
      other.takes.includes(field),
    );
    throw new UsageError(`\`${field}\` means nothing for \`format: ${options.format}\``, {
      hint: `leave it out, or use ${others.map(([id]) => `\`format: ${id}\``).join(" or ")}`,
      field,
      value,
    });
  }
}
