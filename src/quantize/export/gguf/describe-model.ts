import { fileTypeOf } from "../../../formats/gguf/file-types.ts";
import type { GgufMetadata, GgufValue } from "../../../formats/gguf/gguf-metadata.ts";
import { isJsonRecord, type JsonRecord } from "../../../util/json.ts";
import { readModelRecord } from "../../../formats/model-files.ts";
import type { Checkpoint } from "../../../formats/checkpoint.ts";
import { isOfOtherPart } from "../../../models/composite.ts";
import { findLanguage, ggufTraitsOf } from "../../../models/index.ts";
import { findMixture } from "../../../quant/mixtures.ts";
import { writeGgufTokenizer } from "../../../tokenizers/gguf/write-gguf-tokenizer.ts";
import type { ExportSource } from "../export-format.ts";
import { expectHeld } from "./expect-held.ts";
import { generalMetadata } from "./general-metadata.ts";
import type { ModelTensor } from "./list-tensors.ts";
import { type ModelCard, readModelCard } from "./model-card.ts";
import { modelMetadata } from "./model-metadata.ts";

/** All that a file says of a model beside its weights. */
export interface ModelDescription {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Tensors that scale rotations, by name. */
  readonly ropeFactors: ReadonlyMap<string, Float32Array>;
  readonly notices: readonly string[];
}

/** What is asked for. */
export interface DescribeOptions {
  /** Type or mixture that was asked for; null without. */
  readonly asked: string | null;
  /** Type of most weights. */
  readonly usual: string;
  /** Name of the pre-tokenization; null to find it by what it does. */
  readonly pre: string | null;
}

/**
 * Gathers the metadata of a file: of the model as a whole, its decoder, its tokenizer.
 * @throws UnsupportedError for a decoder or a tokenizer that llama.cpp does not have
 */
export async function describeModel(
  source: ExportSource,
  tensors: readonly ModelTensor[],
  { asked, usual, pre }: DescribeOptions,
): Promise<ModelDescription> {
  const { checkpoint, config, name, origin, record } = source;
  const { files } = checkpoint;
  const traits = ggufTraitsOf(checkpoint.config);
  const { architecture } = traits;
  const decoder = modelMetadata(config, traits);
  expectHeld(config, traits, { tensors, ...decoder });
  const { quantization_config: quantization } = checkpoint.config;
  const run = record ?? (await readModelRecord(files, "run.json"));
  const general = generalMetadata({
    architecture,
    name,
    fileType: fileTypeOf(asked ?? mixtureOf(run) ?? usual),
    parameters: tensors.reduce((all, { shape }) => all + shape.reduce((a, b) => a * b, 1), 0),
    card: await readCard(source),
    repository: origin?.repo ?? null,
    generation: (await readModelRecord(files, "generation_config.json")) ?? {},
    quantization: checkpoint.gguf || !isJsonRecord(quantization) ? null : quantization,
    run,
  });
  const tokenizer = await writeGgufTokenizer(files, { pre, vocabularySize: config.vocabularySize });
  return {
    metadata: new Map([
      ...general,
      ...takenOver(checkpoint.gguf, general),
      ...decoder.entries,
      ...tokenizer.entries,
    ]),
    ropeFactors: decoder.ropeFactors,
    notices: [
      ...otherPartNotices(checkpoint),
      ...decoder.notices,
      ...tokenizer.notices,
      ...activationNotices(tensors),
    ],
  };
}

/** What a GGUF file says of its model and its making, and the new one would not. */
function takenOver(
  stated: GgufMetadata | null,
  general: ReadonlyMap<string, GgufValue>,
): [string, GgufValue][] {
  return [...(stated?.entries ?? [])].filter(([key]) => {
    if (key === "general.name") return true;
    const isKept = /^(general|fewbit|quantize\.imatrix)\./.test(key);
    return isKept && key !== "general.alignment" && !general.has(key);
  });
}

/** The mixture that a run quantized to; null for anything else. */
function mixtureOf(run: JsonRecord | null): string | null {
  const recipe = run?.["recipe"];
  const scheme = isJsonRecord(recipe) ? recipe["scheme"] : null;
  return typeof scheme === "string" ? (findMixture(scheme)?.name ?? null) : null;
}

async function readCard({ checkpoint }: ExportSource): Promise<ModelCard | null> {
  const readme = await checkpoint.files.text("README.md");
  return readme === null ? null : readModelCard(readme);
}

/** Says which parts of a model of several a file of its language model leaves out. */
function otherPartNotices({ config, tensors }: Checkpoint): string[] {
  const { composite } = findLanguage(config);
  const others = (composite?.others ?? []).filter((part) =>
    [...tensors.keys()].some((name) => isOfOtherPart([part], name)),
  );
  if (others.length === 0) return [];
  return [
    `the file holds the language model alone; ${others.join(", ")} are not written: for images, ` +
      "llama.cpp takes a file of its own for them (mmproj), which its converter makes",
  ];
}

function activationNotices(tensors: readonly ModelTensor[]): string[] {
  const parts = tensors.flatMap((tensor) => tensor.parts);
  const rounding = parts.filter(({ packed }) => packed?.scheme.activation);
  if (rounding.length === 0) return [];
  const bits = new Set(rounding.map(({ packed }) => packed?.scheme.activation?.bits));
  return [
    `the inputs of ${rounding.length} layers are rounded to ${[...bits].join(" and ")} bits in fewbit; llama.cpp rounds ` +
      "those of all packed layers in its own way",
  ];
}
