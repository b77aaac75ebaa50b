import { ggmlTypeNamed } from "../../../formats/gguf/gguf-types.ts";
import { type GgufPart, layOutGguf } from "../../../formats/gguf/gguf-layout.ts";
import { GgufWriter } from "../../../formats/gguf/gguf-writer.ts";
import {
  type QuantizedModule,
  readQuantizationConfig,
} from "../../../formats/quantization-config.ts";
import { ggufTraitsOf } from "../../../models/index.ts";
import { SourceFiles } from "../../../run/source-files.ts";
import { sum } from "../../../util/sums.ts";
import { expectPlainLinears } from "../expect-linears.ts";
import type {
  ExportFormat,
  ExportPlan,
  ExportSource,
  PlannedTensor,
  WriteOptions,
} from "../export-format.ts";
import {
  decideFloats,
  decidePacked,
  type ExactnessFault,
  type OpenPacked,
  refuseInexact,
  type TypeDecision,
} from "./decide-types.ts";
import { describeModel, type ModelDescription } from "./describe-model.ts";
import { type GgufTarget, prepareGgufTarget, writeGgufFiles } from "./gguf-output.ts";
import { listTensors, type ModelTensor } from "./list-tensors.ts";
import { type ExportLoss, LossMeter } from "./loss-meter.ts";
import { searchRows } from "./search-rows.ts";
import { openRows } from "./tensor-rows.ts";
import { parseTypeRule, type TypeRule } from "./type-rule.ts";
import { TensorHashes } from "./tensor-hashes.ts";
import { comparedBytes, type Verification, verifyGguf } from "./verify.ts";
import { type DecidedTensor, writeTensors } from "./write-tensors.ts";

/** What an export as GGUF wrote. */
export interface GgufExport {
  readonly format: "gguf";
  readonly out: string;
  readonly files: readonly string[];
  readonly sizeBytes: number;
  /** Number of tensors and bytes by type. */
  readonly types: Readonly<
    Record<string, { readonly tensors: number; readonly sizeBytes: number }>
  >;
  /** What rounding did; null when every weight has the value that it had. */
  readonly loss: ExportLoss | null;
  /** What was compared after writing; null when nothing was asked for. */
  readonly verification: Verification | null;
}

/**
 * One file, or parts of one, that llama.cpp runs. Packed weights are written code by code in a type
 * that holds them exactly, unless `requantize` allows another.
 */
export const gguf: ExportFormat<GgufExport> = {
  title: "GGUF, as llama.cpp and its kin run it",
  takes: ["type", "requantize", "splitSize", "pre", "verify"],
  async prepare(source, options) {
    const { checkpoint } = source;
    const modules = readQuantizationConfig(checkpoint.config)?.modules ?? new Map();
    const inputs = checkpoint.weightFiles.map(({ path }) => path);
    const target = await prepareGgufTarget(options.out, inputs, options.overwrite ?? false);
    const open: OpenPacked = (part) => openRows(checkpoint, part);
    const job = await prepareJob({ source, modules, open, target }, options);
    return { plan: planOf(job), run: () => writeFiles(job) };
  },
};

/** A model, packed as it is or as it will be. */
export interface PackedModel {
  readonly source: ExportSource;
  readonly modules: ReadonlyMap<string, QuantizedModule>;
  readonly open: OpenPacked;
  readonly target: GgufTarget;
}

/** Says what a model would be as GGUF, to the byte but for what is not known of it yet. */
export async function planGguf(model: PackedModel, options: WriteOptions): Promise<ExportPlan> {
  return planOf(await prepareJob(model, options));
}

async function prepareJob(model: PackedModel, options: WriteOptions): Promise<Job> {
  const { source, modules, target } = model;
  expectPlainLinears(modules);
  const rule = options.type === undefined ? null : parseTypeRule(options.type, source.config);
  const tensors = await decideTypes(model, rule, options);
  const naming = { asked: rule?.name ?? null, usual: usualType(tensors), pre: options.pre ?? null };
  const described = await describeModel(source, tensors, naming);
  for (const notice of [...described.notices, ...noteNotices(tensors)]) options.onNotice?.(notice);
  const parts = layOut(target, tensors, described, options.splitSize ?? null);
  return { source, options, target, tensors, parts, described };
}

interface Job {
  readonly source: ExportSource;
  readonly options: WriteOptions;
  readonly target: GgufTarget;
  readonly tensors: readonly DecidedTensor[];
  readonly parts: readonly GgufPart[];
  readonly described: ModelDescription;
}

/** Decides what every tensor becomes. @throws UnsupportedError where a weight would be rounded */
async function decideTypes(
  { source: { checkpoint, config }, modules, open }: PackedModel,
  rule: TypeRule | null,
  { requantize = false }: WriteOptions,
): Promise<DecidedTensor[]> {
  const traits = ggufTraitsOf(checkpoint.config);
  const decided: DecidedTensor[] = [];
  const faults: ExactnessFault[] = [];
  for (const tensor of listTensors(checkpoint, modules, config, traits)) {
    const decision = await decide(tensor);
    if ("tensor" in decision) faults.push(decision);
    else decided.push({ ...tensor, decision });
  }
  if (faults.length > 0) throw refuseInexact(faults);
  return decided;

  async function decide(tensor: ModelTensor): Promise<TypeDecision | ExactnessFault> {
    // Beside packed linears, those that were left out stay as they are.
    const isKept = modules.size > 0 && rule?.keepsFloats === true;
    const isPacked = tensor.parts.some(({ packed }) => packed !== null);
    if (!isPacked) return decideFloats(tensor, isKept ? null : rule);
    return decidePacked(tensor, open, rule, requantize);
  }
}

/** Says of which tensors the type is not the one that was asked for, by why. */
function noteNotices(tensors: readonly DecidedTensor[]): string[] {
  const counts = new Map<string, number>();
  for (const { decision } of tensors) {
    if (decision.note === null) continue;
    const text = `${decision.note}: ${decision.type.name}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => `${text} for ${count} tensor${count === 1 ? "" : "s"}`);
}

/** The type of most weights. */
function usualType(tensors: readonly DecidedTensor[]): string {
  const weights = new Map<string, number>();
  for (const { role, shape, decision } of tensors) {
    if (role !== "linear") continue;
    const { name } = decision.type;
    weights.set(name, (weights.get(name) ?? 0) + shape.reduce((a, b) => a * b, 1));
  }
  const [[name] = ["f32"]] = [...weights].sort(([, a], [, b]) => b - a);
  return name;
}

function layOut(
  target: GgufTarget,
  tensors: readonly DecidedTensor[],
  { metadata, ropeFactors }: ModelDescription,
  splitBytes: number | null,
): GgufPart[] {
  const entries = tensors.map(({ name, shape, decision }) => ({
    name,
    shape,
    type: decision.type,
  }));
  const f32 = ggmlTypeNamed("f32");
  for (const [name, { length }] of ropeFactors) {
    if (f32) entries.push({ name, shape: [length], type: f32 });
  }
  return layOutGguf(target.path, { metadata, entries }, splitBytes);
}

function planOf({ parts, tensors, target }: Job): ExportPlan {
  const notes = new Map(tensors.map(({ name, decision }) => [name, decision.note]));
  const files = parts.map(({ path, sizeBytes }) => ({ path, sizeBytes }));
  const planned = parts.flatMap((part) =>
    part.tensors.map(
      ({ name, shape, type, begin, end }): PlannedTensor => ({
        name,
        shape,
        type: type.name,
        sizeBytes: end - begin,
        note: notes.get(name) ?? null,
      }),
    ),
  );
  const sizeBytes = sum(files.map((file) => file.sizeBytes));
  return { format: "gguf", out: target.path, files, sizeBytes, tensors: planned };
}

async function writeFiles(job: Job): Promise<GgufExport> {
  const { source, options, target, parts, tensors, described } = job;
  const { checkpoint, backend } = source;
  const sources = new SourceFiles();
  await sources.addCheckpoint(checkpoint);
  const loss = new LossMeter();
  const hashes = options.verify ? new TensorHashes() : null;
  const plan = planOf(job);
  const paths = parts.map(({ path }) => path);
  await writeGgufFiles(target, paths, plan.sizeBytes, async (beside) => {
    const writer = await GgufWriter.create(parts, beside);
    try {
      await writeTensors(writer, {
        checkpoint,
        tensors,
        search: searchRows(backend),
        loss,
        options,
        onRows: (part, type, bytes) => hashes?.add(part.source, comparedBytes(part, type, bytes)),
      });
      for (const [name, factors] of described.ropeFactors) await writer.write(name, factors);
      await writer.finish();
    } catch (error) {
      await writer.close();
      throw error;
    }
    await sources.expectUnchanged();
  });
  const verification = hashes && (await verifyGguf(source, { paths, tensors, hashes }, options));
  return {
    format: "gguf",
    out: target.path,
    files: paths,
    sizeBytes: plan.sizeBytes,
    types: countTypes(plan),
    loss: loss.loss,
    verification,
  };
}

function countTypes({ tensors }: ExportPlan): GgufExport["types"] {
  const types: Record<string, { tensors: number; sizeBytes: number }> = {};
  for (const { type, sizeBytes } of tensors) {
    const { [type]: before = { tensors: 0, sizeBytes: 0 } } = types;
    types[type] = { tensors: before.tensors + 1, sizeBytes: before.sizeBytes + sizeBytes };
  }
  return types;
}
