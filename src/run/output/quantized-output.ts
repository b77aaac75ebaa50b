import type { Checkpoint } from "../../formats/checkpoint.ts";
import { CheckpointWriter } from "../../formats/checkpoint-writer.ts";
import { quantizedEntries, writeQTensor } from "../../formats/fewbit-format.ts";
import { formatJson, formatJsonLike } from "../../formats/json-file.ts";
import type { JsonRecord } from "../../util/json.ts";
import { journalFolder } from "./output-directory.ts";
import {
  layerKind,
  type MatrixStack,
  type QuantizedModule,
  readQuantizationConfig,
  readQuantizedModule,
  writeQuantizationConfig,
  writeQuantizedModule,
} from "../../formats/quantization-config.ts";
import type { TensorEntry } from "../../formats/safetensors.ts";
import { toStoredForm, turnedShape } from "../../formats/tensor-forms.ts";
import { copySidecarFiles } from "../../formats/directory-files.ts";
import {
  createHasher,
  type Hasher,
  joinPath,
  listDirectory,
  remove,
  sha256,
  writeText,
} from "../../platform/node.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import type { DType } from "../../tensor/dtype.ts";
import { fitHalves } from "../../util/fit-halves.ts";
import { floatsToBfloats } from "../../util/half.ts";
import { copyTensor, writableDType } from "./copy-tensor.ts";
import type { FinishedTensors } from "./finished-weights.ts";
import type { PlannedLinear } from "../plan.ts";
import { mixtureOf, usualScheme } from "../../recipe/mixture-schemes.ts";
import type { Recipe } from "../../recipe/recipe.ts";

/** A matrix that will be packed, or with a null scheme stays as it is. */
type PlannedMatrix = Pick<
  PlannedLinear,
  "module" | "scheme" | "outFeatures" | "inFeatures" | "stack"
>;

/**
 * Lists the tensors of the quantized checkpoint in the order of the original's. Those that
 * transforms change (`changed`: their names) are stored in float32, so that the model which was
 * measured is stored. With `keepPacked` weights that stay as they are keep the packed form that the
 * original's file has of them.
 */
export function outputEntries(
  checkpoint: Checkpoint,
  linears: readonly PlannedMatrix[],
  {
    changed = new Set(),
    keepPacked = false,
  }: { readonly changed?: ReadonlySet<string>; readonly keepPacked?: boolean } = {},
): TensorEntry[] {
  const planned = plannedEntries(linears);
  const entries: TensorEntry[] = [];
  for (const info of checkpoint.tensors.values()) {
    const { name, shape } = info;
    const packed = planned.get(name);
    if (changed.has(name)) entries.push({ name, dtype: "f32", shape });
    else if (!packed) {
      const form = keepPacked ? checkpoint.packedForms.get(name) : undefined;
      const module = form && readQuantizedModule(form.module, form.description);
      if (module) entries.push(...quantizedEntries(form.module, module));
      else entries.push({ name, dtype: writableDType(info), shape });
    } else {
      entries.push(...packed);
    }
  }
  return entries;
}

/** What takes the place of the tensors that are quantized, by their names. */
function plannedEntries(linears: readonly PlannedMatrix[]): Map<string, TensorEntry[]> {
  const planned = new Map<string, TensorEntry[]>();
  for (const { module, scheme, stack, ...size } of linears) {
    if (!scheme) continue;
    const name = stack?.tensor ?? `${module}.weight`;
    const entries = planned.get(name) ?? [];
    entries.push(...quantizedEntries(module, { scheme, ...size }));
    planned.set(name, entries);
  }
  return planned;
}

/** What was written of a part of the model, as a journal can hold it. */
export interface WrittenPart {
  /** Quantized modules as `quantization_config` describes them. */
  readonly modules: JsonRecord;
  /** SHA-256 of the tensors, by name. */
  readonly tensors: Readonly<Record<string, string>>;
}

const writerOptions = { metadata: { format: "pt" } };

/** Writes a quantized checkpoint: packed linears as they come, all else copied byte by byte. */
export class QuantizedOutput {
  private readonly checkpoint: Checkpoint;
  private readonly path: string;
  private readonly entries: readonly TensorEntry[];
  private readonly writer: CheckpointWriter;
  /** Modules in the order in which they were written. */
  private readonly modules = new Map<string, QuantizedModule>();
  /** SHA-256 of the tensors that were written, copied ones apart. */
  private readonly tensors = new Map<string, string>();
  /** Hashes of tensors that are written piece by piece. */
  private readonly hashers = new Map<string, Hasher>();
  /** How many of both belong to parts that are finished. */
  private finished = { modules: 0, tensors: 0 };

  private constructor(
    checkpoint: Checkpoint,
    path: string,
    entries: readonly TensorEntry[],
    writer: CheckpointWriter,
  ) {
    this.checkpoint = checkpoint;
    this.path = path;
    this.entries = entries;
    this.writer = writer;
  }

  /** Creates the weight files in an existing directory. */
  static async create(
    checkpoint: Checkpoint,
    path: string,
    entries: readonly TensorEntry[],
  ): Promise<QuantizedOutput> {
    const writer = await CheckpointWriter.create(path, entries, writerOptions);
    await writer.sync();
    return new QuantizedOutput(checkpoint, path, entries, writer);
  }

  /**
   * Continues the weight files of a run that was stopped, and removes what it put beside them.
   * @throws FormatError when they are missing, or are of other tensors
   */
  static async reopen(
    checkpoint: Checkpoint,
    path: string,
    entries: readonly TensorEntry[],
  ): Promise<QuantizedOutput> {
    const writer = await CheckpointWriter.reopen(path, entries, writerOptions);
    const stays = new Set([...writer.fileNames, journalFolder]);
    for (const { name } of await listDirectory(path)) {
      if (!stays.has(name)) await remove(joinPath(path, name));
    }
    return new QuantizedOutput(checkpoint, path, entries, writer);
  }

  /** Writes one packed linear. */
  async writeLinear(module: string, weight: QTensor): Promise<void> {
    await writeQTensor({ write: (name, data) => this.write(name, data) }, module, weight);
    const { scheme, outFeatures, inFeatures } = weight;
    this.modules.set(module, { kind: layerKind(scheme), scheme, outFeatures, inFeatures });
  }

  /**
   * Writes rows of a packed table that comes in pieces, in order; all but the last have a multiple
   * of 32 rows, so that their zero points end where those of the next begin.
   */
  async writeRows(
    name: string,
    module: QuantizedModule,
    firstRow: number,
    { parts, outFeatures: rows }: QTensor,
  ): Promise<void> {
    const { scheme, outFeatures, inFeatures } = module;
    const before = QTensor.sizes(scheme, firstRow, inFeatures);
    const isLast = firstRow + rows === outFeatures;
    const pieces = [
      ["blocks", parts.blocks],
      ["codes", parts.codes],
      ["scales", parts.scales],
      ["zeros", parts.zeros],
      ["codebook", parts.codebook],
    ] as const;
    for (const [part, data] of pieces) {
      if (data?.length) await this.writePiece(`${name}.${part}`, data, before[part], isLast);
    }
    if (isLast) this.modules.set(name, module);
  }

  /** Writes a tensor that was trained, rounded to the dtype that it is stored in. */
  async writeTensor(name: string, values: Float32Array): Promise<void> {
    const entry = this.entries.find((candidate) => candidate.name === name);
    if (!entry) return;
    await this.write(name, roundToStored(name, entry.dtype, this.asStored(entry, values)));
  }

  /** Writes a tensor that transforms have changed. */
  async writeChanged(name: string, values: Float32Array): Promise<void> {
    await this.write(name, this.asStored({ name, shape: [values.length] }, values));
  }

  /** Makes what was written since the last part durable, and says what it is. */
  async finishPart(): Promise<WrittenPart> {
    await this.writer.sync();
    const modules = [...this.modules].slice(this.finished.modules);
    const tensors = [...this.tensors].slice(this.finished.tensors);
    this.finished = { modules: this.modules.size, tensors: this.tensors.size };
    return {
      modules: Object.fromEntries(
        modules.map(([name, module]) => [name, writeQuantizedModule(module)]),
      ),
      tensors: Object.fromEntries(tensors),
    };
  }

  /** Counts a part as written, if its tensors are in `output`, the same files, as it says. */
  async keepPart(output: Checkpoint, part: WrittenPart): Promise<boolean> {
    const tensors = Object.entries(part.tensors);
    for (const [name, hash] of tensors) {
      if (!output.has(name)) return false;
      const { begin, end } = output.info(name);
      const bytes = new Uint8Array(end - begin);
      await output.readInto(name, bytes, 0);
      if (sha256(bytes) !== hash) return false;
    }
    for (const [name, hash] of tensors) {
      this.writer.keep(name);
      this.tensors.set(name, hash);
    }
    for (const [name, module] of Object.entries(part.modules)) {
      this.modules.set(name, readQuantizedModule(name, module));
    }
    this.finished = { modules: this.modules.size, tensors: this.tensors.size };
    return true;
  }

  /** What is written so far. */
  get written(): Omit<FinishedTensors, "output"> {
    const { forms } = this.checkpoint;
    return { modules: this.modules, tensors: new Set(this.tensors.keys()), forms };
  }

  /** Copies all tensors that were not written, and the files beside the weights. */
  async copyRest(signal?: AbortSignal): Promise<void> {
    for (const { name } of this.entries) {
      if (!this.tensors.has(name)) await copyTensor(this.checkpoint, this.writer, name, signal);
    }
    await copySidecarFiles(this.checkpoint.files, this.path);
  }

  /** Checks that everything was written, and adds config.json. `linears` are those of the plan. */
  async finish(recipe: Recipe, linears: readonly PlannedLinear[] = []): Promise<void> {
    await this.writer.finish();
    const { transforms, method, options, finishers, generic } = recipe;
    const notes = {
      ...(generic && { generic }),
      ...(mixtureOf(recipe.scheme) && { mixture: recipe.scheme }),
      ...(transforms.length > 0 && { transforms }),
      method,
      options,
      ...(finishers.length > 0 && {
        finishers: finishers.map((finisher) => ({
          method: finisher.method,
          options: finisher.options,
        })),
      }),
    };
    const before = readQuantizationConfig(this.checkpoint.config);
    const kvCache = recipe.kvCache ?? before?.kvCache ?? null;
    const modules = new Map([...(before?.modules ?? []), ...this.keptModules(), ...this.modules]);
    const usual = usualScheme(recipe.scheme);
    const config = {
      ...this.checkpoint.config,
      quantization_config: writeQuantizationConfig(usual, modules, {
        notes,
        stacks: stacksOf(linears),
        kvCache,
      }),
    };
    const stated = await this.checkpoint.files.text("config.json");
    await writeText(joinPath(this.path, "config.json"), formatJsonLike(config, stated));
  }

  /** Writes a JSON document beside the weights. */
  async writeDocument(name: string, document: unknown): Promise<void> {
    await writeText(joinPath(this.path, name), formatJson(document));
  }

  /** Closes the files of work that is given up. */
  async close(): Promise<void> {
    await this.writer.close();
  }

  /** Values in the form in which the original stores the tensor. */
  private asStored(
    { name, shape }: Pick<TensorEntry, "name" | "shape">,
    values: Float32Array,
  ): Float32Array {
    const form = this.checkpoint.forms.get(name);
    return toStoredForm(values, turnedShape(shape, form), form);
  }

  /** Packed weights that were copied as the original's file has them. */
  private keptModules(): Map<string, QuantizedModule> {
    const names = new Set(this.entries.map(({ name }) => name));
    const kept = new Map<string, QuantizedModule>();
    for (const { module, description, place } of this.checkpoint.packedForms.values()) {
      if (this.modules.has(module) || !names.has(place.name)) continue;
      kept.set(module, readQuantizedModule(module, description));
    }
    return kept;
  }

  private async writePiece(
    name: string,
    data: ArrayBufferView,
    offset: number,
    isLast: boolean,
  ): Promise<void> {
    const hasher = this.hashers.get(name) ?? createHasher("sha256");
    this.hashers.set(name, hasher);
    await this.writer.write(name, data, offset);
    hasher.update(data);
    if (!isLast) return;
    this.tensors.set(name, hasher.digest());
    this.hashers.delete(name);
  }

  private async write(name: string, data: ArrayBufferView): Promise<void> {
    await this.writer.write(name, data);
    this.tensors.set(name, sha256(data));
  }
}

/** The stacks whose matrices are packed. */
function stacksOf(linears: readonly PlannedLinear[]): Map<string, MatrixStack> {
  const stacks = new Map<string, MatrixStack>();
  for (const { scheme, stack } of linears) {
    if (!scheme || !stack) continue;
    const { tensor, transposed } = stack;
    stacks.set(tensor, { matrices: (stacks.get(tensor)?.matrices ?? 0) + 1, transposed });
  }
  return stacks;
}

function roundToStored(name: string, dtype: DType, values: Float32Array): ArrayBufferView {
  if (dtype === "f16") {
    const hint = "use a lower learning rate, or an original in bfloat16 or float32";
    return fitHalves(values, { what: `trained values of ${name}`, hint });
  }
  return dtype === "bf16" ? floatsToBfloats(values) : values;
}
